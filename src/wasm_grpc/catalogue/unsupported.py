"""Manifest features that are valid but not implemented in this version yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.model import GuestKind
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.manifest.triggers import Triggers
from wasm_grpc.manifest.wording import listed

__all__ = ["SERVED_TRIGGERS", "unsupported_features"]

_LATER_TRIGGERS: Mapping[str, str] = {"binding": "input bindings are"}
"""Kinds of trigger that are not served yet."""

SERVED_TRIGGERS = listed(
    [f"[[trigger.{kind}]]" for kind in Triggers.kinds() if kind not in _LATER_TRIGGERS], "and"
)
"""The others, as a manifest writes them."""


def unsupported_features(function: Function) -> list[str]:
    """
    Return one line for each key that `serve` must refuse; an empty list if the function can be served.
    """
    asked = _asked(function.manifest, is_remote=function.is_remote)
    return [
        function.format_problem(f"{key}: {what} not served by this version yet; expected {instead}")
        for key, what, instead in asked
    ]


def _asked(manifest: FunctionManifest, *, is_remote: bool) -> Iterator[tuple[str, str, str]]:
    if is_remote:
        yield "module", "remote modules are", "a file below the function's folder"
    if manifest.guest is GuestKind.WASMEDGE_BINDGEN:
        yield "guest", f"{manifest.guest.value!r} is", "'wasi-command' or 'wapc'"
    yield from _triggers(manifest.trigger)


def _triggers(trigger: Triggers) -> Iterator[tuple[str, str, str]]:
    present = {kind for kind, _, _ in trigger.each()}
    for kind, what in _LATER_TRIGGERS.items():
        if kind in present:
            yield f"trigger.{kind}", what, f"only {SERVED_TRIGGERS}"
    for kind, index, each in trigger.each():
        if kind not in _LATER_TRIGGERS and each.then is not None and each.then.publish is None:
            output = "state" if each.then.state else "binding"
            yield f"trigger.{kind}[{index}].then.{output}", "it is", "publish"
