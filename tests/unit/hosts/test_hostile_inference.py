"""A guest gets an errno from every wasi-nn function, for any arguments and any content of its memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_grpc.core.errors import ModelError
from wasm_grpc.core.model import PAGE_BYTES, Limits, Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.nn import ephemeral
from wasm_grpc.hosts.nn.state import InferenceGrants, InferenceState
from wasm_grpc.hosts.protocol import HostContext, HostStates
from wasm_grpc.inference.grants import ModelGrants
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = []

NAMES = sorted(name for _, name in ephemeral.FUNCTIONS)
MODEL_AT = 60_000


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
    """An invocation that is granted a model, and may load its own."""

    limits = Limits()
    dapr = None

    def __init__(self) -> None:
        grants = InferenceGrants(models=ModelGrants(named={"m": Echo()}, load=load))
        self.states: HostStates = {InferenceState: grants.begin}
        self.lines: list[str] = []

    def log(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)

    def deny(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


class Guest(HostContext):
    """A guest with some pages of memory, a loaded graph, and an execution context."""

    __slots__ = ("content", "known", "lines")

    def __init__(self, *, pages: int = 1) -> None:
        super().__init__()
        self.content = bytearray(pages * PAGE_BYTES)
        self.memory = lambda: memoryview(self.content)
        call = Call()
        self.lines = call.lines
        self.begin(call)
        state = self.state_of(InferenceState)
        graph = state.add_graph(Echo())
        self.known = [graph, state.add_context(state.graph(graph))]

    def call(self, name: str, *args: int) -> object:
        """Call a function, and return its errno."""
        return ephemeral.FUNCTIONS[ephemeral.MODULE, name].call(self, *args)


def load(content: bytes) -> Echo:
    """Load a model. It is valid if it begins with "m"."""
    if not content.startswith(b"m"):
        raise ModelError("is not a model")
    return Echo()


ARGUMENTS = st.one_of(
    st.integers(0, 5),
    st.integers(0, 400),
    st.integers(-(1 << 31), (1 << 32) - 1),
    st.sampled_from([65_535, 65_536, (1 << 32) - 1, -1]),
    st.sampled_from(["graph", "context"]),
)
CALLS = st.lists(st.tuples(st.sampled_from(NAMES), st.lists(ARGUMENTS, min_size=5, max_size=5)), max_size=6)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), CALLS)
def test_any_call_returns_an_errno(memory: bytes, calls: list[tuple[str, list[int | str]]]) -> None:
    """No function raises, and each returns a valid errno. Every errno but 0 adds one line to standard error."""
    guest = Guest()
    guest.content[: len(memory)] = memory
    refusals = 0

    for name, args in calls:
        count = len(ephemeral.FUNCTIONS[ephemeral.MODULE, name].type.params)
        handles = {"graph": guest.known[0], "context": guest.known[1]}
        errno = guest.call(name, *[handles[arg] if isinstance(arg, str) else arg for arg in args[:count]])
        assert isinstance(errno, int)
        assert 0 <= errno <= 8
        refusals += errno != 0

    assert len(guest.lines) == refusals
    assert all(line.startswith("wasi-nn: ") and "\n" not in line for line in guest.lines)


def test_the_handles_of_another_instance_are_refused() -> None:
    """A handle is valid only in the instance that got it."""
    one, other = Guest(), Guest()
    graph, context = one.known

    assert one.call("init_execution_context", graph, 0) == 0
    assert other.call("init_execution_context", graph, 0) == 1
    assert other.call("compute", context) == 1
    assert other.lines == [
        f"wasi-nn: init_execution_context: graph {graph} is not open; expected a loaded one",
        f"wasi-nn: compute: context {context} is not open; expected an initialised one",
    ]


def test_a_run_without_enough_memory_ends_the_guest() -> None:
    """The reason is the worker's memory, and no fault of ours."""
    guest = Guest()
    state = guest.state_of(InferenceState)
    state.context(guest.known[1]).inputs[0] = b"!!!!"

    with pytest.raises(GuestStop) as caught:
        guest.call("compute", guest.known[1])

    assert (caught.value.reason, str(caught.value)) == (
        Reason.WORKER_MEMORY,
        "inference ran out of its worker's memory",
    )


def test_a_guest_without_memory() -> None:
    """A guest that exports no memory gets the errno "missing_memory"."""
    guest = Guest(pages=0)

    assert guest.call("load_by_name", 0, 0, 0) == 3
    assert guest.lines == ["wasi-nn: load_by_name: the module has no memory; expected an export 'memory'"]


def test_a_model_over_the_size_limit() -> None:
    """A guest's own model of more than 64 MiB is refused, and is not copied."""
    guest = Guest(pages=1025)
    guest.content[0:8] = (0).to_bytes(4, "little") + (64 * 1024 * 1024 + 1).to_bytes(4, "little")

    assert guest.call("load", 0, 1, 4, 0, 16) == 7
    assert guest.lines == ["wasi-nn: load: the model has 67108865 bytes; expected at most 67108864"]
