"""Which triggers call a function that their wasmedge-bindgen guest doesn't export."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.model import GuestKind
from wasm_grpc.core.text import escaped
from wasm_grpc.core.wire import DESCRIBED_NAME_CHARS, DESCRIBED_NAMES
from wasm_grpc.manifest.triggers import InvokeTrigger, NamedTrigger, Trigger
from wasm_grpc.manifest.wording import listed

__all__ = ["missing_calls"]


def missing_calls(function: Function, exported: Collection[str]) -> Iterator[str]:
    """
    Yield a line for each trigger that would fail every call, because its function doesn't exist.

    Args:
        function: The function.
        exported: The exports that can be called, as in `Described.calls`.
    """
    # The operations of a waPC guest are not exports. Of a long list the end is not known.
    if function.manifest.guest is not GuestKind.WASMEDGE_BINDGEN or len(exported) > DESCRIBED_NAMES:
        return
    for kind, index, trigger in function.manifest.trigger.each():
        call = escaped(function.operation(trigger, _name(trigger))[:DESCRIBED_NAME_CHARS])
        if call not in exported:
            known = listed([f"'{name}'" for name in exported], "or")
            yield function.format_problem(
                f"trigger.{kind}[{index}]: the module has no function '{call}'; "
                f"expected {known} in the trigger's `call`"
            )


def _name(trigger: Trigger) -> str:
    if isinstance(trigger, InvokeTrigger):
        return trigger.method.path
    return trigger.name if isinstance(trigger, NamedTrigger) else ""
