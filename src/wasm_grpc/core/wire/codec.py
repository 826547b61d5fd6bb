"""Messages to frames and back."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.core.wire.fields import FieldError, read_fields, read_object, write_object
from wasm_grpc.core.wire.frames import (
    HEADER,
    HEADER_FORMAT,
    JOIN_LIMIT_BYTES,
    WIRE_VERSION,
    Frame,
    Kind,
    Pieces,
    pack,
)
from wasm_grpc.core.wire.messages import (
    Compile,
    Compiled,
    CompileRefused,
    EngineFailed,
    EngineOpened,
    Hello,
    Input,
    Inspect,
    Inspected,
    InspectRefused,
    Invoke,
    Load,
    Loaded,
    LoadFailed,
    Log,
    Message,
    Output,
    Read,
    Result,
    Resume,
    Resumed,
)

__all__ = ["decode", "encode"]

_T = TypeVar("_T", bound=Message)

_INVOKE_FORMAT = "IB"
_READ_FORMAT = "QQ"
_RESULT_FORMAT = "BBHIQII"
_INVOKE = struct.Struct("<" + _INVOKE_FORMAT)
_READ = struct.Struct("<" + _READ_FORMAT)
_RESULT = struct.Struct("<" + _RESULT_FORMAT)
# A frame's header and packed head at once.
_INVOKE_FRAME = struct.Struct(HEADER_FORMAT + _INVOKE_FORMAT)
_READ_FRAME = struct.Struct(HEADER_FORMAT + _READ_FORMAT)
_RESULT_FRAME = struct.Struct(HEADER_FORMAT + _RESULT_FORMAT)
_REASONS = tuple(Reason)
_REASON_CODES = {reason: code for code, reason in enumerate(_REASONS)}
_STREAMS = 1
_FOLLOWS_LOG = 2
_TAINTED = 1


def encode(message: Message) -> Pieces:
    """
    Return a message's frame, as `pack` does.
    """
    return _ENCODERS[message.kind](message)


def decode(frame: Frame) -> Message:
    """
    Return a frame's message.

    Raises:
        ProtocolError: A field is missing, unknown or of another type; the text names it.
    """
    return _DECODERS[frame.kind](frame)


def _encode_invoke(message: Invoke) -> Pieces:
    env, body = message.env, message.body
    flags = (_STREAMS if message.streams else 0) | (_FOLLOWS_LOG if message.follows_log else 0)
    head_len, body_len = _INVOKE.size + len(env), len(body)
    prefix = _INVOKE_FRAME.pack(Kind.INVOKE, head_len, body_len, message.index, flags) + env
    return (prefix + body,) if body_len <= JOIN_LIMIT_BYTES else (prefix, body)


def _decode_invoke(frame: Frame) -> Invoke:
    _, head, body = frame
    if len(head) < _INVOKE.size:
        raise _wrong_head(frame, f"at least {_INVOKE.size}")
    index, flags = _INVOKE.unpack_from(head)
    if flags > _STREAMS | _FOLLOWS_LOG:
        raise ProtocolError(f"INVOKE frame: flags: {flags}; expected at most {_STREAMS | _FOLLOWS_LOG}")
    return Invoke(index, head[_INVOKE.size :], body, bool(flags & _STREAMS), bool(flags & _FOLLOWS_LOG))


def _encode_read(message: Read) -> Pieces:
    return (_READ_FRAME.pack(Kind.READ, _READ.size, 0, message.limit, message.taken),)


def _decode_read(frame: Frame) -> Read:
    if len(frame.head) != _READ.size:
        raise _wrong_head(frame, str(_READ.size))
    _refuse_body(frame)
    limit, taken = _READ.unpack(frame.head)
    return Read(limit, taken)


def _encode_result(message: Result) -> Pieces:
    outcome = message.outcome
    stderr, body = outcome.stderr, outcome.body
    text = outcome.message.encode("utf-8", "replace")
    limit = outcome.limit.encode()
    body_len = len(body)
    prefix = _RESULT_FRAME.pack(
        Kind.RESULT,
        _RESULT.size + len(limit) + len(text) + len(stderr),
        body_len,
        _REASON_CODES[outcome.reason],
        _TAINTED if message.is_tainted else 0,
        len(limit),
        outcome.exit_code,
        outcome.memory_bytes,
        len(text),
        len(stderr),
    )
    if limit or text or stderr:
        prefix = b"".join((prefix, limit, text, stderr))
    return (prefix + body,) if body_len <= JOIN_LIMIT_BYTES else (prefix, body)


def _decode_result(frame: Frame) -> Result:
    _, head, body = frame
    if len(head) < _RESULT.size:
        raise _wrong_head(frame, f"at least {_RESULT.size}")
    code, flags, limit_len, exit_code, memory, text_len, stderr_len = _RESULT.unpack_from(head)
    if code >= len(_REASONS):
        raise ProtocolError(f"RESULT frame: outcome.reason: {code}; expected less than {len(_REASONS)}")
    if flags > _TAINTED:
        raise ProtocolError(f"RESULT frame: flags: {flags}; expected at most {_TAINTED}")
    text_at = _RESULT.size + limit_len
    stderr_at = text_at + text_len
    if len(head) != stderr_at + stderr_len:
        raise _wrong_head(frame, str(stderr_at + stderr_len))
    if len(head) == _RESULT.size:
        outcome = Outcome(reason=_REASONS[code], body=body, exit_code=exit_code, memory_bytes=memory)
    else:
        outcome = Outcome(
            reason=_REASONS[code],
            body=body,
            message=head[text_at:stderr_at].decode("utf-8", "replace"),
            stderr=head[stderr_at:],
            exit_code=exit_code,
            memory_bytes=memory,
            limit=head[_RESULT.size : text_at].decode("utf-8", "replace"),
        )
    return Result(outcome, flags == _TAINTED)


def _encode_chunk(message: Input | Output | Log) -> Pieces:
    chunk = message.chunk
    header = HEADER.pack(message.kind, 0, len(chunk))
    return (header + chunk,) if len(chunk) <= JOIN_LIMIT_BYTES else (header, chunk)


def _decode_chunk(cls: Callable[[bytes], _T]) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        _, head, body = frame
        if head:
            raise _wrong_head(frame, "0")
        return cls(body)

    return decode


def _encode_bare(message: Resume | Resumed) -> Pieces:
    return pack(message.kind)


def _decode_bare(message: _T) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        if frame.head:
            raise _wrong_head(frame, "0")
        _refuse_body(frame)
        return message

    return decode


def _encode_fields(body: str) -> Callable[[Any], Pieces]:
    def encode(message: Any) -> Pieces:
        values = {name: getattr(message, name) for name in message.__slots__ if name != body}
        return pack(message.kind, write_object(values), getattr(message, body) if body else b"")

    return encode


def _decode_fields(cls: Callable[..., _T], body: str) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        if not body:
            _refuse_body(frame)
        try:
            values = read_object(frame.head)
            if cls is Hello and values.get("wire") != WIRE_VERSION:
                values = {name: values[name] for name in Hello.__slots__ if name in values}
            fields = read_fields(cls, values, without=body)  # type: ignore[arg-type] # a class
        except FieldError as exc:
            raise ProtocolError(f"{frame.kind.name} frame: {exc}") from exc
        if body:
            fields[body] = frame.body
        return cls(**fields)

    return decode


def _wrong_head(frame: Frame, expected: str) -> ProtocolError:
    return ProtocolError(f"{frame.kind.name} frame: head of {len(frame.head)} bytes; expected {expected}")


def _refuse_body(frame: Frame) -> None:
    if frame.body:
        raise ProtocolError(f"{frame.kind.name} frame: body of {len(frame.body)} bytes; expected none")


_CONTROL: dict[type[Any], str] = {
    Hello: "",
    EngineOpened: "",
    EngineFailed: "",
    Load: "",
    Loaded: "",
    LoadFailed: "",
    Compile: "module",
    Compiled: "code",
    CompileRefused: "",
    Inspect: "",
    Inspected: "",
    InspectRefused: "",
}
"""The messages whose head is JSON, and the field that is the body."""

_ENCODERS: dict[Kind, Callable[[Any], Pieces]] = {
    Kind.INVOKE: _encode_invoke,
    Kind.READ: _encode_read,
    Kind.RESUME: _encode_bare,
    Kind.RESUMED: _encode_bare,
    Kind.INPUT: _encode_chunk,
    Kind.OUTPUT: _encode_chunk,
    Kind.LOG: _encode_chunk,
    Kind.RESULT: _encode_result,
    **{cls.kind: _encode_fields(body) for cls, body in _CONTROL.items()},
}

_DECODERS: dict[Kind, Callable[[Frame], Message]] = {
    Kind.INVOKE: _decode_invoke,
    Kind.READ: _decode_read,
    Kind.RESUME: _decode_bare(Resume()),
    Kind.RESUMED: _decode_bare(Resumed()),
    Kind.INPUT: _decode_chunk(Input),
    Kind.OUTPUT: _decode_chunk(Output),
    Kind.LOG: _decode_chunk(Log),
    Kind.RESULT: _decode_result,
    **{cls.kind: _decode_fields(cls, body) for cls, body in _CONTROL.items()},
}
