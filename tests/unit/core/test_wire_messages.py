"""Messages: each survives its frame unchanged, and everything else is refused."""

from __future__ import annotations

import dataclasses
import enum
import json
import random
import typing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fuzz.mutation import mutated
from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import (
    MIB,
    Grants,
    GuestKind,
    Limits,
    Mount,
    MountEntry,
    Outcome,
    Reason,
    WorkerFunction,
)
from wasm_grpc.core.wire import (
    WIRE_VERSION,
    Compile,
    Compiled,
    DaprAnswer,
    DaprCall,
    Describe,
    Frame,
    FrameReader,
    Hello,
    Input,
    Invoke,
    Kind,
    Load,
    Log,
    Message,
    Output,
    Read,
    Result,
    Resume,
    Resumed,
    decode,
    encode,
    encode_env,
    pack,
)

BYTES = st.binary(max_size=60)
SHORT = st.integers(min_value=0, max_value=2**32 - 1)
LONG = st.integers(min_value=0, max_value=2**64 - 1)
# Paths may hold bytes that are no UTF-8, as `surrogateescape` has them.
TEXT = st.text(max_size=9) | st.sampled_from(["/a\udcff", "é", "\0"])
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    bytes: BYTES,
    bytes | memoryview: BYTES,  # received as bytes
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(),
    # JSON has one kind of number.
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(min_value=0, max_value=9),
}
# What a packed head has room for, and the one version that is no other's.
NARROW: dict[tuple[type, str], st.SearchStrategy[Any]] = {
    (Hello, "wire"): st.just(WIRE_VERSION),
    (Invoke, "index"): SHORT,
    (Read, "limit"): LONG,
    (Read, "taken"): LONG,
    (Outcome, "message"): st.text(max_size=50),
    (DaprCall, "method"): st.text(max_size=50),
    (DaprAnswer, "message"): st.text(max_size=50),
    (Outcome, "exit_code"): SHORT,
    (Outcome, "memory_bytes"): LONG,
    (Outcome, "limit"): st.sampled_from(["", "limits.timeout", "limits.memory"]),
}


def messages_of(cls: Any) -> st.SearchStrategy[Any]:
    """Return all instances of a message's class, or of a class in its fields, as their types say."""
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    fields = {
        field: NARROW[cls, field] if (cls, field) in NARROW else values_of(hints[field]) for field in names
    }
    return st.builds(cls, **fields)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return all values of a field's type."""
    if hint in PLAIN:
        return PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        return messages_of(hint)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) is tuple:
        return st.tuples(*map(values_of, arguments))
    assert arguments[1:] == (type(None),), hint
    return st.none() | values_of(arguments[0])


CLASSES: tuple[Any, ...] = typing.get_args(Message)
PACKED_CLASSES = (Invoke, Read, Resume, Resumed, Input, Output, Log, DaprCall, DaprAnswer, Result)
CONTROL_CLASSES = [cls for cls in CLASSES if cls not in PACKED_CLASSES]
CONTROL_MESSAGES = st.one_of(*map(messages_of, CONTROL_CLASSES))
MESSAGES = st.one_of(*map(messages_of, CLASSES))
LOAD = Load(
    3,
    WorkerFunction(
        name="f",
        guest=GuestKind.WASI_COMMAND,
        artifact="/a",
        digest="d",
        env=(("A", "1"),),
        grants=Grants(mounts=(Mount(guest="/m", entries=(MountEntry(path="a"), MountEntry(path="b"))),)),
    ),
)


def received(message: Message) -> Message:
    """Send a message through frames."""
    (frame,) = FrameReader(body_limit=MIB).feed(b"".join(encode(message)))
    return decode(frame)


def head_of(message: Message) -> Any:
    """Return a control message's head, as its JSON says it."""
    (frame,) = FrameReader(body_limit=MIB).feed(b"".join(encode(message)))
    return json.loads(frame.head)


def refusal(kind: Kind, head: object, body: bytes = b"") -> str:
    """Return why a control frame is no message."""
    with pytest.raises(ProtocolError) as caught:
        decode(Frame(kind, json.dumps(head).encode(), body))
    return str(caught.value)


@settings(max_examples=500, deadline=None)
@given(message=MESSAGES)
def test_a_message_survives_its_frame(message: Message) -> None:
    """A decoded message is equal to the one that was encoded, and its fields have the same types."""
    found = received(message)

    assert found == message
    assert repr(found) == repr(message)


def test_every_kind_has_one_message_class() -> None:
    """Each kind has one frozen dataclass, whose docstring says which side sends it."""
    assert sorted(cls.kind for cls in CLASSES) == sorted(Kind)
    for cls in CLASSES:
        assert cls.__dataclass_params__.frozen
        assert cls.__doc__.lstrip().startswith("Sent by ")


@settings(max_examples=200, deadline=None)
@given(messages=st.lists(MESSAGES, min_size=1, max_size=3), seed=st.integers(min_value=0))
def test_mutated_bytes_are_read_or_refused(messages: list[Message], seed: int) -> None:
    """Some 10,000 frames with changed bytes are read as messages, or refused with ProtocolError."""
    whole = b"".join(piece for message in messages for piece in encode(message))
    chance = random.Random(seed)
    for _ in range(50):
        stream = mutated(whole, chance, words=(b"0", b'"', b"[", b"{"))
        try:
            found = list(map(decode, FrameReader(body_limit=MIB).feed(stream)))
        except ProtocolError:
            continue
        assert all(isinstance(message, Message) for message in found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=500, deadline=None)
@given(message=CONTROL_MESSAGES.filter(head_of), value=JSON, chance=st.randoms(use_true_random=False))
def test_a_changed_value_is_read_or_refused(message: Message, value: object, chance: random.Random) -> None:
    """A control frame with one changed value is read as its kind of message, or refused with ProtocolError."""
    head = place = head_of(message)
    assume(head)
    while True:
        key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], (dict, list)) or not place[key] or chance.random() < 0.3:
            break
        place = place[key]
    place[key] = value

    body = b"" if not isinstance(message, (Compile, Compiled, Describe)) else b"body"
    try:
        found = decode(Frame(message.kind, json.dumps(head).encode(), body))
    except ProtocolError:
        return
    assert type(found) is type(message)


@settings(deadline=None)
@given(st.sampled_from(Kind), BYTES, BYTES)
def test_any_frame_is_read_or_refused(kind: Kind, head: bytes, body: bytes) -> None:
    """A frame with any head and body is read, or refused with ProtocolError."""
    try:
        message = decode(Frame(kind, head, body))
    except ProtocolError:
        return
    assert message.kind is kind


@pytest.mark.parametrize("cls", CONTROL_CLASSES, ids=lambda cls: cls.kind.name)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_missing_or_unknown_field_is_named(cls: Any, data: st.DataObject) -> None:
    """A control message needs all of its fields, and may have no others."""
    message = data.draw(messages_of(cls))
    kind, head = message.kind, head_of(message)

    for name in head:
        rest = {key: value for key, value in head.items() if key != name}
        assert refusal(kind, rest) == f"{kind.name} frame: {name}: missing field; expected one"
    known = ", ".join(head) or "none"
    assert refusal(kind, {**head, "more": 1}) == (f"{kind.name} frame: more: unknown field; expected {known}")


WRONG_FIELDS: list[tuple[list[Any], object, str]] = [
    (["index"], None, "index: null; expected an integer"),
    (["index"], True, "index: true or false; expected an integer"),
    (["index"], 1.5, "index: a number; expected an integer"),
    (["function"], [], "function: an array; expected an object"),
    (["function", "name"], 1, "function.name: a number; expected a string"),
    (["function", "prepared"], 1, "function.prepared: a number; expected true or false"),
    (
        ["function", "guest"],
        "native",
        "function.guest: unknown value; expected one of wasi-command, wapc, wasmedge-bindgen",
    ),
    (
        ["function", "guest"],
        {},
        "function.guest: unknown value; expected one of wasi-command, wapc, wasmedge-bindgen",
    ),
    (["function", "args"], "a", "function.args: a string; expected an array"),
    (["function", "env"], [["A"]], "function.env.0: an array; expected an array of 2"),
    (["function", "limits", "timeout_s"], "5", "function.limits.timeout_s: a string; expected a number"),
    (
        ["function", "limits", "timeout_s"],
        float("nan"),
        "function.limits.timeout_s: not finite; expected a finite number",
    ),
    (["function", "limits", "body_bytes"], None, "function.limits.body_bytes: null; expected an integer"),
    (
        ["function", "grants", "mounts", 0, "entries", 1, "size"],
        [],
        "function.grants.mounts.0.entries.1.size: an array; expected an integer",
    ),
    (
        ["function", "grants", "mounts", 0, "entries", 1],
        {},
        "function.grants.mounts.0.entries.1.path: missing field; expected one",
    ),
]


@pytest.mark.parametrize(("path", "value", "problem"), WRONG_FIELDS, ids=range(len(WRONG_FIELDS)))
def test_a_field_of_the_wrong_type_is_named(path: list[Any], value: object, problem: str) -> None:
    """The error gives the path of a wrong value, at any depth."""
    head = place = head_of(LOAD)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value

    assert refusal(Kind.LOAD, head) == f"LOAD frame: {problem}"


def test_a_limit_in_seconds_may_be_an_integer() -> None:
    """JSON writes 5.0 seconds as 5, which a field of type float accepts."""
    message = replace(LOAD, function=replace(LOAD.function, limits=Limits(timeout_s=5)))

    assert received(message) == message


def test_a_hello_of_another_version_is_read() -> None:
    """Fields that another wire version adds are ignored, so the server can report that version."""
    hello = {"package": "0.1.0", "wire": WIRE_VERSION - 1, "python": "CPython 3.11", "sealed": True}

    assert decode(Frame(Kind.HELLO, json.dumps(hello).encode(), b"")) == Hello("0.1.0", WIRE_VERSION - 1)


@pytest.mark.parametrize(
    "head",
    [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"index":' + b"9" * 10_000 + b"}"],
    ids=["empty", "truncated", "array", "number", "not UTF-8", "deep", "long number"],
)
def test_a_control_head_that_is_not_an_object_is_refused(head: bytes) -> None:
    """A control frame whose head is not a JSON object is refused, also if it is nested too deeply to parse."""
    with pytest.raises(ProtocolError, match="LOADED frame: head is not"):
        decode(Frame(Kind.LOADED, head, b""))


PACKED = {
    "INVOKE without a head": (Frame(Kind.INVOKE, b"", b""), "head of 0 bytes; expected at least 9"),
    "INVOKE with unknown flags": (
        Frame(Kind.INVOKE, b"\0\0\0\0\x08\0\0\0\0", b""),
        "flags: 8; expected at most 7",
    ),
    "INVOKE with a short operation": (
        Frame(Kind.INVOKE, b"\0\0\0\0\0\2\0\0\0x", b""),
        "head of 10 bytes; expected at least 11",
    ),
    "DAPR_CALL without a head": (Frame(Kind.DAPR_CALL, b"", b""), "head of 0 bytes; expected at least 1"),
    "DAPR_CALL in a third form": (
        Frame(Kind.DAPR_CALL, b"\2GetState", b""),
        "is_json: 2; expected at most 1",
    ),
    "DAPR_ANSWER without a head": (
        Frame(Kind.DAPR_ANSWER, b"", b""),
        "head of 0 bytes; expected at least 1",
    ),
    "DAPR_ANSWER of no status": (Frame(Kind.DAPR_ANSWER, b"\6", b""), "status: 6; expected at most 5"),
    "READ with a short head": (Frame(Kind.READ, bytes(15), b""), "head of 15 bytes; expected 16"),
    "READ with a body": (Frame(Kind.READ, bytes(16), b"x"), "body of 1 bytes; expected none"),
    "RESULT without a head": (Frame(Kind.RESULT, b"", b""), "head of 0 bytes; expected at least 24"),
    "RESULT with unknown reason": (
        Frame(Kind.RESULT, b"\xff" + bytes(23), b""),
        f"outcome.reason: 255; expected at most {len(Reason) - 1}",
    ),
    "RESULT with unknown flags": (
        Frame(Kind.RESULT, b"\0\x0a" + bytes(22), b""),
        "flags: 10; expected at most 9",
    ),
    "RESULT with other lengths": (
        Frame(Kind.RESULT, bytes(25), b""),
        "head of 25 bytes; expected 24",
    ),
    "INPUT with a head": (Frame(Kind.INPUT, b"x", b""), "head of 1 bytes; expected 0"),
    "OUTPUT with a head": (Frame(Kind.OUTPUT, b"x", b""), "head of 1 bytes; expected 0"),
    "LOG with a head": (Frame(Kind.LOG, b"x", b""), "head of 1 bytes; expected 0"),
    "RESUME with a head": (Frame(Kind.RESUME, b"x", b""), "head of 1 bytes; expected 0"),
    "RESUMED with a body": (Frame(Kind.RESUMED, b"", b"x"), "body of 1 bytes; expected none"),
    "LOADED with a body": (Frame(Kind.LOADED, b'{"index":1}', b"x"), "body of 1 bytes; expected none"),
}


@pytest.mark.parametrize(("frame", "problem"), PACKED.values(), ids=PACKED)
def test_a_frame_with_the_wrong_layout_is_refused(frame: Frame, problem: str) -> None:
    """The error says what head or body the frame has, and which its kind has."""
    with pytest.raises(ProtocolError) as caught:
        decode(frame)

    assert str(caught.value) == f"{frame.kind.name} frame: {problem}"


def test_a_long_field_name_is_shortened() -> None:
    """The error has the first 64 characters of an unknown field's name, escaped for a log."""
    text = refusal(Kind.LOADED, {"index": 1, "\n" * 1000: 1})

    assert text == "LOADED frame: " + "\\n" * 64 + ": unknown field; expected index"


def test_a_lone_surrogate_is_replaced() -> None:
    """An outcome's message may hold one, which UTF-8 can't encode. It arrives as a question mark."""
    outcome = Outcome(reason=Reason.TRAPPED, message="a\ud800b")

    found = received(Result(outcome))

    assert found == Result(replace(outcome, message="a?b"))


def test_an_environment_is_encoded_for_wasi() -> None:
    """Each variable is in UTF-8, with a NUL at its end."""
    assert encode_env((("A", "1"), ("B", "é"))) == b"A=1\0B=\xc3\xa9\0"


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, MIB])
def test_a_body_of_any_size(size: int) -> None:
    """A short body, which is joined to its head, is read like a long one, which is a piece of its own."""
    body = bytes(size)
    messages: list[Message] = [
        Invoke(0, b"A=1\0", body),
        Result(Outcome(reason=Reason.OK, body=body)),
        Output(body),
        Compiled(code=body, minimum_bytes=1, imports=("a", "b")),
    ]

    assert [received(message) for message in messages] == messages
    assert encode(Output(body)) == pack(Kind.OUTPUT, b"", body)
