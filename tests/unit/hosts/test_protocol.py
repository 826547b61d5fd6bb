"""Host modules: each has a state of its own in each invocation, and functions of its own."""

from __future__ import annotations

from wasm_grpc.core.model import Grants, Limits
from wasm_grpc.hosts.protocol import HostCall, HostContext, HostStates
from wasm_grpc.hosts.registry import FUNCTIONS, HOST_MODULES, open_host_modules
from wasm_grpc.hosts.wasi import preview1, unstable

__all__ = []


class Call:
    """An invocation of a function with these host modules."""

    limits = Limits()
    dapr = None

    def __init__(self, states: HostStates) -> None:
        self.states = states

    def log(self, line: str) -> None:
        """Nobody reads it."""

    def deny(self, line: str) -> None:
        """Nobody asks for it."""


class Counter:
    """A state that knows its invocation."""

    def __init__(self, call: HostCall) -> None:
        self.call = call


class Other(Counter):
    """The state of another module."""


def begun(call: Call) -> HostContext:
    """Return the context of an instance that runs this invocation."""
    context = HostContext()
    context.begin(call)
    return context


def test_a_state_is_made_once_for_each_invocation() -> None:
    """Its module's functions share it, and no other module or invocation has it."""
    calls = [Call({Counter: Counter, Other: Other}) for _ in range(2)]

    contexts = [begun(call) for call in calls]

    assert [context.state_of(Counter).call for context in contexts] == calls
    for context in contexts:
        assert context.state_of(Counter) is context.state_of(Counter)
        assert type(context.state_of(Other)) is Other


def test_a_module_that_no_guest_calls_makes_no_state() -> None:
    """An invocation costs the same, however many host modules there are."""
    made: list[HostCall] = []

    begun(Call({Counter: made.append}))

    assert made == []


def test_no_two_host_modules_have_a_function_or_a_state_in_common() -> None:
    """The table of all functions has every function of every module, and each module's state is found by its class."""
    tables = [preview1.FUNCTIONS, unstable.FUNCTIONS, *(module.functions for module in HOST_MODULES)]

    assert len(FUNCTIONS) == sum(map(len, tables))
    assert len({module.state for module in HOST_MODULES}) == len(HOST_MODULES)


def test_a_host_module_begins_without_a_grant() -> None:
    """A function that was granted nothing can be loaded, and its guest gets a state that refuses it."""
    for module in open_host_modules():
        begin = module.open(Grants(), {name for name, _ in module.functions})
        assert type(begun(Call({module.state: begin})).state_of(module.state)) is module.state
