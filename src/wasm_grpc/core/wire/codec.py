"""Encode messages as frames, and decode them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import Outcome, Reason, ResultKind
from wasm_grpc.core.wire.fields import FieldError, read_fields, read_object, write_object
from wasm_grpc.core.wire.frames import (
    HEADER,
    HEADER_FORMAT,
    JOIN_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
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
    DaprAnswer,
    DaprCall,
    DaprStatus,
    Describe,
    Described,
    EngineFailed,
    EngineOpened,
    FindDecoder,
    Fork,
    Forked,
    ForkFailed,
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

__all__ = ["decode", "encode", "out_of_place"]

_T = TypeVar("_T", bound=Message)

_INVOKE_FORMAT = "IBI"
_READ_FORMAT = "QQ"
_RESULT_FORMAT = "BBHIQII"
_INVOKE = struct.Struct("<" + _INVOKE_FORMAT)
_READ = struct.Struct("<" + _READ_FORMAT)
_RESULT = struct.Struct("<" + _RESULT_FORMAT)
# These pack a frame's header and head in one call. They are looked up once, because every message uses them.
_pack_header = HEADER.pack
_pack_invoke = struct.Struct(HEADER_FORMAT + _INVOKE_FORMAT).pack
_pack_read = struct.Struct(HEADER_FORMAT + _READ_FORMAT).pack
_pack_result = struct.Struct(HEADER_FORMAT + _RESULT_FORMAT).pack
_unpack_invoke = _INVOKE.unpack_from
_unpack_read = _READ.unpack
_unpack_result = _RESULT.unpack_from
_REASONS = tuple(Reason)
_REASON_CODES = {reason: code for code, reason in enumerate(_REASONS)}
_STATUSES = tuple(DaprStatus)
_STATUS_CODES = {status: code for code, status in enumerate(_STATUSES)}
_INVOKE_SIZE = _INVOKE.size
_READ_SIZE = _READ.size
_RESULT_SIZE = _RESULT.size
_INVOKE_FLAGS = tuple(
    (streams, follows_log, has_arguments)
    for has_arguments in (False, True)
    for follows_log in (False, True)
    for streams in (False, True)
)
"""Values of `streams` (bit 0), `follows_log` (bit 1) and `has_arguments` (bit 2), by their byte."""
_KIND_CODES = {kind: code << 1 for code, kind in enumerate(ResultKind)}
_RESULT_FLAGS = tuple((kind, is_tainted) for kind in ResultKind for is_tainted in (False, True))
"""Values of `outcome.result_kind` (from bit 1) and `is_tainted` (bit 0), by the byte that encodes both."""


def encode(message: Message) -> Pieces:
    """
    Return the frame of a message, in the form that `pack` returns.
    """
    return _ENCODERS[type(message)](message)


def decode(frame: Frame) -> Message:
    """
    Return the message of a frame.

    Raises:
        ProtocolError: A field is missing, unknown or of the wrong type. The error names it.
    """
    return _DECODERS[frame[0]](frame)


def out_of_place(message: Message | None, expected: str) -> ProtocolError:
    """
    Return the error for a message that the protocol does not allow now.

    Args:
        message: What was received; ``None`` if the peer has closed the connection.
        expected: Names of the messages that it allows now.
    """
    if message is None:
        return ProtocolError(f"connection: closed; expected {expected}")
    return ProtocolError(f"{message.kind.name} frame: out of place; expected {expected}")


def _encode_invoke(message: Invoke) -> Pieces:
    env, body = message.env, message.body
    flags = message.streams | message.follows_log << 1 | message.has_arguments << 2
    body_len = len(body)
    operation = message.operation
    head_len = _INVOKE_SIZE + len(operation) + len(env)
    prefix = _pack_invoke(Kind.INVOKE, head_len, body_len, message.index, flags, len(operation))
    prefix += operation + env
    return (prefix + body,) if body_len <= JOIN_LIMIT_BYTES else (prefix, body)


def _decode_invoke(frame: Frame) -> Invoke:
    _, head, body = frame
    if len(head) < _INVOKE_SIZE:
        raise _wrong_head(frame, f"at least {_INVOKE_SIZE}")
    index, flags, operation_len = _unpack_invoke(head)
    if flags >= len(_INVOKE_FLAGS):
        raise ProtocolError(f"INVOKE frame: flags: {flags}; expected at most {len(_INVOKE_FLAGS) - 1}")
    streams, follows_log, has_arguments = _INVOKE_FLAGS[flags]
    env_at = _INVOKE_SIZE + operation_len
    if len(head) < env_at:
        raise _wrong_head(frame, f"at least {env_at}")
    operation = head[_INVOKE_SIZE:env_at]
    return Invoke(index, head[env_at:], body, streams, follows_log, operation, has_arguments)


def _encode_read(message: Read) -> Pieces:
    return (_pack_read(Kind.READ, _READ_SIZE, 0, message.limit, message.taken),)


def _decode_read(frame: Frame) -> Read:
    _, head, body = frame
    if len(head) != _READ_SIZE:
        raise _wrong_head(frame, str(_READ_SIZE))
    if body:
        raise _unwanted_body(frame)
    return Read(*_unpack_read(head))


def _encode_result(message: Result) -> Pieces:
    outcome = message.outcome
    stderr, body = outcome.stderr, outcome.body
    # A guest's text may hold a lone surrogate, which UTF-8 can't encode.
    text = outcome.message.encode("utf-8", "replace")[:MESSAGE_LIMIT_BYTES]
    limit = outcome.limit.encode()
    body_len = len(body)
    prefix = _pack_result(
        Kind.RESULT,
        _RESULT_SIZE + len(limit) + len(text) + len(stderr),
        body_len,
        _REASON_CODES[outcome.reason],
        message.is_tainted | _KIND_CODES[outcome.result_kind],
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
    if len(head) < _RESULT_SIZE:
        raise _wrong_head(frame, f"at least {_RESULT_SIZE}")
    code, flags, limit_len, exit_code, memory, text_len, stderr_len = _unpack_result(head)
    if code >= len(_REASONS):
        raise ProtocolError(f"RESULT frame: outcome.reason: {code}; expected at most {len(_REASONS) - 1}")
    if flags >= len(_RESULT_FLAGS):
        raise ProtocolError(f"RESULT frame: flags: {flags}; expected at most {len(_RESULT_FLAGS) - 1}")
    kind, is_tainted = _RESULT_FLAGS[flags]
    text_at = _RESULT_SIZE + limit_len
    stderr_at = text_at + text_len
    if len(head) != stderr_at + stderr_len:
        raise _wrong_head(frame, str(stderr_at + stderr_len))
    # A shortcut for a guest that succeeded and logged nothing: three strings need not be made.
    if len(head) == _RESULT_SIZE:
        outcome = Outcome(
            reason=_REASONS[code],
            body=body,
            result_kind=kind,
            exit_code=exit_code,
            memory_bytes=memory,
        )
    else:
        outcome = Outcome(
            reason=_REASONS[code],
            body=body,
            result_kind=kind,
            message=head[text_at:stderr_at].decode("utf-8", "replace"),
            stderr=head[stderr_at:],
            exit_code=exit_code,
            memory_bytes=memory,
            limit=head[_RESULT_SIZE:text_at].decode("utf-8", "replace"),
        )
    return Result(outcome, is_tainted)


def _encode_chunk(message: Input | Output | Log) -> Pieces:
    chunk = message.chunk
    header = _pack_header(message.kind, 0, len(chunk))
    return (header + chunk,) if len(chunk) <= JOIN_LIMIT_BYTES else (header, chunk)


def _decode_chunk(cls: Callable[[bytes], _T]) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        _, head, body = frame
        if head:
            raise _wrong_head(frame, "0")
        return cls(body)

    return decode


def _encode_dapr_call(message: DaprCall) -> Pieces:
    head = bytes((message.is_json,)) + message.method.encode("utf-8", "replace")
    return pack(message.kind, head, message.request)


def _decode_dapr_call(frame: Frame) -> DaprCall:
    _, head, request = frame
    if not head:
        raise _wrong_head(frame, "at least 1")
    if head[0] > 1:
        raise ProtocolError(f"DAPR_CALL frame: is_json: {head[0]}; expected at most 1")
    return DaprCall(head[1:].decode("utf-8", "replace"), bool(head[0]), request)


def _encode_dapr_answer(message: DaprAnswer) -> Pieces:
    head = bytes((_STATUS_CODES[message.status],)) + message.message.encode("utf-8", "replace")
    return pack(message.kind, head, message.response)


def _decode_dapr_answer(frame: Frame) -> DaprAnswer:
    _, head, response = frame
    if not head:
        raise _wrong_head(frame, "at least 1")
    if head[0] >= len(_STATUSES):
        raise ProtocolError(f"DAPR_ANSWER frame: status: {head[0]}; expected at most {len(_STATUSES) - 1}")
    return DaprAnswer(_STATUSES[head[0]], head[1:].decode("utf-8", "replace"), response)


def _encode_bare(message: Resume | Resumed) -> Pieces:
    return pack(message.kind)


def _decode_bare(message: _T) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        if frame.head:
            raise _wrong_head(frame, "0")
        if frame.body:
            raise _unwanted_body(frame)
        return message

    return decode


def _encode_fields(body: str) -> Callable[[Any], Pieces]:
    def encode(message: Any) -> Pieces:
        values = {name: getattr(message, name) for name in message.__slots__ if name != body}
        return pack(message.kind, write_object(values), getattr(message, body) if body else b"")

    return encode


def _decode_fields(cls: Callable[..., _T], body: str) -> Callable[[Frame], _T]:
    def decode(frame: Frame) -> _T:
        if frame.body and not body:
            raise _unwanted_body(frame)
        try:
            values = read_object(frame.head)
            # Ignore fields that another version adds, so that the server can report that version.
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


def _unwanted_body(frame: Frame) -> ProtocolError:
    return ProtocolError(f"{frame.kind.name} frame: body of {len(frame.body)} bytes; expected none")


_CONTROL: dict[type[Any], str] = {
    Hello: "",
    EngineOpened: "",
    EngineFailed: "",
    Load: "",
    Loaded: "",
    LoadFailed: "",
    Fork: "files",
    Forked: "",
    ForkFailed: "",
    Compile: "module",
    Compiled: "code",
    CompileRefused: "",
    Describe: "module",
    Described: "",
    Inspect: "",
    FindDecoder: "",
    Inspected: "",
    InspectRefused: "",
}
"""The messages with JSON as their head, each with the name of the field that is its body, or ""."""

_ENCODERS: dict[type[Message], Callable[[Any], Pieces]] = {
    Invoke: _encode_invoke,
    Read: _encode_read,
    Resume: _encode_bare,
    Resumed: _encode_bare,
    Input: _encode_chunk,
    Output: _encode_chunk,
    Log: _encode_chunk,
    Result: _encode_result,
    DaprCall: _encode_dapr_call,
    DaprAnswer: _encode_dapr_answer,
    **{cls: _encode_fields(body) for cls, body in _CONTROL.items()},
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
    Kind.DAPR_CALL: _decode_dapr_call,
    Kind.DAPR_ANSWER: _decode_dapr_answer,
    **{cls.kind: _decode_fields(cls, body) for cls, body in _CONTROL.items()},
}
