"""A guest can do no harm with any function of ``wasmedge_tensorflowlite``, whatever its arguments and memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_grpc.core.errors import ModelError
from wasm_grpc.core.model import PAGE_BYTES, Limits, Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.protocol import HostContext, HostStates
from wasm_grpc.hosts.tensorflowlite.abi import MODULE
from wasm_grpc.hosts.tensorflowlite.module import TensorflowLite
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState
from wasm_grpc.inference.grants import ModelGrants
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = []

FUNCTIONS = {name: host for (module, name), host in TensorflowLite.functions.items() if module == MODULE}
FIRST = "wasmedge_tensorflowlite_"
ENDING = (f"{FIRST}append_input", f"{FIRST}get_tensor_len", f"{FIRST}get_tensor_data")
"""The functions that end a guest when they fail."""


class Echo:
    """A session that returns its input; for one that begins with "!" there is not enough memory."""

    inputs: tuple[TensorInfo, ...] = (TensorInfo(name="x", type=TensorType.U8, shape=(2, 2), size_bytes=4),)
    outputs = inputs

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """See `Session.run`."""
        if inputs[0].startswith(b"!"):
            raise MemoryError
        return tuple(inputs)


class Call:
    """An invocation that may bring its own models."""

    limits = Limits()
    dapr = None

    def __init__(self) -> None:
        grants = ModelGrants(load=load)
        self.states: HostStates = {TensorflowLiteState: lambda _: TensorflowLiteState(grants, self.log)}
        self.lines: list[str] = []

    def log(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)

    def deny(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


class Guest(HostContext):
    """A guest with a page of memory, a session and its tensor."""

    __slots__ = ("content", "known", "lines")

    def __init__(self, *, pages: int = 1) -> None:
        super().__init__()
        self.content = bytearray(pages * PAGE_BYTES)
        self.memory = lambda: memoryview(self.content)
        call = Call()
        self.lines = call.lines
        self.begin(call)
        state = self.state_of(TensorflowLiteState)
        session = state.add_session(Echo())
        self.known = {"session": session, "tensor": state.tensor_handle(state.session(session), 0)}

    def call(self, name: str, *args: int | str) -> object:
        """Call a function, with handles by their kind, and return its result."""
        return FUNCTIONS[name].call(self, *[self.known[arg] if isinstance(arg, str) else arg for arg in args])


def load(content: bytes) -> Echo:
    """Load a model. It is valid if it begins with "m"."""
    if not content.startswith(b"m"):
        raise ModelError("is not a model")
    return Echo()


ARGUMENTS = st.one_of(
    st.integers(0, 5),
    st.integers(0, 400),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([65_535, 65_536, (1 << 32) - 1, -1, 1 << 31, -(1 << 63)]),
    st.sampled_from(["session", "tensor"]),
)
CALLS = st.lists(
    st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(ARGUMENTS, min_size=5, max_size=5)), max_size=6
)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), CALLS)
def test_any_call_returns_or_ends_the_guest(memory: bytes, calls: list[tuple[str, list[int | str]]]) -> None:
    """Each returns what its type has, with a line in the log if it failed; or it ends the guest with a line."""
    guest = Guest()
    guest.content[: len(memory)] = memory

    for name, args in calls:
        kind = FUNCTIONS[name].type
        before = len(guest.lines)
        result = call_or_end(guest, name, args[: len(kind.params)])
        if isinstance(result, GuestStop):
            assert name in ENDING
            assert (result.reason, len(guest.lines)) == (Reason.TRAPPED, before)
            assert str(result).startswith(f"{name}: ")
            assert "\n" not in str(result)
            continue
        assert isinstance(result, int) is bool(kind.results)
        if not name.startswith(FIRST):
            assert result in (0, 1, 3, 4)
            assert len(guest.lines) - before == bool(result)
    assert all(line.startswith("wasmedge_tensorflowlite") and "\n" not in line for line in guest.lines)
    assert len(guest.content) == PAGE_BYTES


def call_or_end(guest: Guest, name: str, args: Sequence[int | str]) -> object:
    """Call a function, and return its result or what ended the guest."""
    try:
        return guest.call(name, *args)
    except GuestStop as stop:
        return stop


def test_the_handles_of_another_instance_are_refused() -> None:
    """A handle is valid only in the instance that got it."""
    one, other = Guest(), Guest()
    session, tensor = one.known["session"], one.known["tensor"]

    assert one.call("get_tensor_len", session, tensor, 0) == 0
    assert other.call("run_session", session) == 1
    assert other.call("get_tensor_len", "session", tensor, 0) == 1
    assert other.lines == [
        f"{MODULE}: run_session: session {session} is not open; expected one that create_session returned",
        f"{MODULE}: get_tensor_len: tensor {tensor} is not open; "
        "expected one that get_output_tensor returned",
    ]


def test_handles_are_no_addresses() -> None:
    """They are small numbers, unlike those of the host of 2021."""
    guest = Guest()
    guest.content[0:1] = b"m"

    assert guest.call(f"{FIRST}create_session", 0, 1) == guest.known["tensor"] + 1
    assert 0 < guest.known["session"] < 1 << 31


@pytest.mark.parametrize("name", ["run_session", f"{FIRST}run_session"])
def test_a_run_without_enough_memory_ends_the_guest(name: str) -> None:
    """The reason is the worker's memory, and no fault of ours."""
    guest = Guest()
    guest.content[0:5] = b"x!!!!"
    guest.call("append_input", "session", 0, 1, 1, 4)

    with pytest.raises(GuestStop) as caught:
        guest.call(name, "session")

    assert (caught.value.reason, str(caught.value)) == (
        Reason.WORKER_MEMORY,
        "inference ran out of its worker's memory",
    )


def test_a_guest_without_memory() -> None:
    """Every function fails in its own way."""
    guest = Guest(pages=0)

    assert guest.call("create_session", 0, 0, 0) == 3
    assert guest.call(f"{FIRST}create_session", 0, 0) == 0
    with pytest.raises(
        GuestStop, match=r"append_input: the module has no memory; expected an export 'memory'"
    ):
        guest.call(f"{FIRST}append_input", "session", 0, 0, 0, 0)
    assert guest.lines == [
        f"{prefix}create_session: the module has no memory; expected an export 'memory'"
        for prefix in (f"{MODULE}: ", FIRST)
    ]


def test_a_model_over_the_size_limit() -> None:
    """A guest's own model of more than 64 MiB is refused, and is not copied."""
    guest = Guest(pages=1025)

    assert guest.call("create_session", 0, (64 << 20) + 1, 0) == 1
    assert guest.lines == [
        f"{MODULE}: create_session: the model has 67108865 bytes; expected at most 67108864"
    ]
