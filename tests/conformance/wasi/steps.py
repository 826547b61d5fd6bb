"""Guests that call WASI functions one after the other, written as a list of calls and their errnos."""

from __future__ import annotations

from conformance.wasi.cases import Case
from wasm_grpc.core.model import Limits
from wasm_grpc.hosts.wasi import preview1

__all__ = ["RESULT", "Step", "calls"]

Step = tuple[int | str | bytes | None, ...]
"""An errno or, where any will do, None; a function, its arguments; a text stands for its address and length."""

RESULT = 64
"""Where the functions of these guests put what they answer."""

_TEXTS_AT = 70_000


def calls(
    *steps: Step,
    stdout: bytes = b"",
    env: tuple[str, ...] = (),
    limits: Limits | None = None,
    also: str = "",
) -> Case:
    """Return the guest that makes these calls and finds each answered with its errno."""
    texts: dict[bytes, int] = {}
    lines = [_call(texts, *step) for step in steps]
    segments = "".join(
        f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in text)}")'
        for text, at in texts.items()
    )
    return Case(
        also=segments + also,
        start="\n".join(lines),
        stdout=stdout,
        env=env,
        limits=limits or Limits(scratch_bytes=64 * 1024),
        has_files=True,
    )


def _call(texts: dict[bytes, int], errno: object, name: object, *args: int | str | bytes | None) -> str:
    types = preview1.FUNCTIONS[preview1.MODULE, str(name)].type.params
    values: list[int] = []
    for arg in args:
        if isinstance(arg, (str, bytes)):
            text = arg.encode() if isinstance(arg, str) else arg
            at = texts.setdefault(text, _TEXTS_AT + sum(map(len, texts)))
            values += [at, len(text)]
        elif arg is not None:
            values.append(arg)
    operands = " ".join(f"({kind}.const {value})" for kind, value in zip(types, values, strict=True))
    call = f"(call ${name} {operands})"
    return f"(drop {call})" if errno is None else f"(call $check {call} (i32.const {errno}))"
