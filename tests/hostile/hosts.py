"""Guests that forge pointers and handles for each host module, and that lie as waPC guests or call Dapr in a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc

from hostile.row import BRIEF, DEEP, HELD, LIMITS, Answer, Row, command, ended, exited, late, trapped
from wasm_grpc.engines.protocol import FuncType, HostFunction, HostModules
from wasm_grpc.hosts import registry

__all__ = ["HOSTS"]

CODES = grpc.StatusCode
PAGES = 2
END = PAGES * 65_536
EDGES = (0, 1, END - 8, END - 1, END, 1 << 31, (1 << 32) - 1)
"""Pointers, lengths and handles at which something begins or ends."""
LEFT_OUT = ("load", "poll_oneoff")
"""The first has a row of its own. A subscription of zeros is a clock, for which the other may wait."""
CLOSING = ("fd_close", "fd_fdstat_set_rights", "fd_renumber")
"""Functions by which the guest loses its standard output, so that it answers nothing."""

UNGRANTED = (
    "the guest brings a model that was not granted; expected the content of a file in capabilities.nn.models, "
    "or capabilities.nn.load = true (`wasm-grpc run`: --nn-model, --nn)"
)
GRANT = '[capabilities.dapr]\nstate = ["store/key"]\n'
CALLS = ended(CODES.RESOURCE_EXHAUSTED, "HOST_CALL_LIMIT", "guest made over 10 calls to Dapr", "host_calls")
ONLY_MEMORY = f"expected them within {END}"


def imports(functions: HostModules) -> str:
    """Return the imports of host functions; each is called as in its own module, ``$<name>``."""
    return "".join(
        f'(import "{module}" "{name}" (func ${name} {signature(function.type)}))'
        for (module, name), function in functions.items()
    )


def signature(kind: FuncType) -> str:
    """Return the type of a function in the text format."""
    return f"(param {' '.join(kind.params)}) (result {' '.join(kind.results)})"


def edges(module: str) -> Row:
    """Return a guest that calls each function of a host module with every edge in every place, and all over."""
    functions = {
        key: function
        for key, function in registry.FUNCTIONS.items()
        if key[0] == module and function.type.results and key[1] not in LEFT_OUT
    }
    cases = "".join(
        f"(func ${name}_at_edges {_at_edges(name, each)})" for (_, name), each in functions.items()
    )
    names = " ".join(f"${name}_at_edges" for _, name in functions)
    text = f"""(module {imports(functions)}
      (import "wasi_snapshot_preview1" "fd_read" (func $take (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $put (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") {PAGES}) (table {len(functions)} funcref) (elem (i32.const 0) {names}) {cases}
      (func (export "_start")
        (i64.store (i32.const 0) (i64.const 0x400000100))
        (drop (call $take (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call_indirect (i32.load (i32.const 256)))
        (i32.store (i32.const 256) (i32.const 0x646c6568))
        (i64.store (i32.const 0) (i64.const 0x400000100))
        (drop (call $put (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
    return Row(
        tries=f"forges pointers, lengths and handles for {module}",
        module=text,
        bodies=tuple(case.to_bytes(4, "little") for case in range(len(functions))),
        answers=tuple(_answer(module, name) for module, name in functions),
    )


def _answer(module: str, name: str) -> Answer:
    """Return what must answer a function that is called with edges."""
    if name in CLOSING:
        return b""
    if module == "wasmedge_tensorflow":
        return trapped(
            f"{module}.{name}: models of full TensorFlow can't be run; expected one of TensorFlow Lite, "
            "by wasmedge_tensorflowlite or wasi_ephemeral_nn"
        )
    if name.endswith("create_session"):
        return ended(CODES.PERMISSION_DENIED, "DENIED", UNGRANTED)
    if name == "wasmedge_tensorflowlite_get_tensor_len":
        # It can't return that it fails, and the tensor 0 has no bytes.
        return trapped(f"{name}: tensor 1 is not open; expected one that get_output_tensor returned")
    return HELD


def _at_edges(name: str, function: HostFunction) -> str:
    count = len(function.type.params)
    calls = {(edge,) * count for edge in EDGES}
    calls |= {(0,) * place + (edge,) + (0,) * (count - place - 1) for place in range(count) for edge in EDGES}
    calls |= {
        (64,) * place + (edge,) + (64,) * (count - place - 1) for place in range(count) for edge in EDGES
    }
    return "".join(_call(name, function.type, call) for call in sorted(calls))


def _call(name: str, kind: FuncType, values: Sequence[int]) -> str:
    operands = "".join(f"({type_}.const {value})" for type_, value in zip(kind.params, values, strict=True))
    return f"(drop (call ${name} {operands}))"


def wapc(
    tries: str,
    body: str,
    *answers: Answer,
    also: str = "",
    sections: str = LIMITS,
    bodies: tuple[bytes, ...] = (),
    within_s: float = 6.0,
) -> Row:
    """Return a waPC guest; ``$held`` answers that it held."""
    own = {key: each for key, each in registry.WAPC_FUNCTIONS.items() if key[0] == "wapc"}
    text = f"""(module {imports(own)}
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") {PAGES})
      (data (i32.const 64) "dapr") (data (i32.const 68) "GetState") (data (i32.const 128) "held")
      (func $held (result i32) (call $__guest_response (i32.const 128) (i32.const 4)) (i32.const 1))
      (func $get_state (result i32) (call $__host_call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0)
        (i32.const 68) (i32.const 8) (i32.const 0) (i32.const 0)))
      {also}
      (func $call (export "__guest_call") (param $operation i32) (param $size i32) (result i32) {body}))"""
    return Row(
        tries=tries,
        module=text,
        answers=answers,
        sections=sections,
        guest="wapc",
        bodies=bodies,
        within_s=within_s,
    )


def beyond(name: str, call: str, *, said: str) -> Row:
    """Return a waPC guest that gives a function a pointer outside its memory."""
    return wapc(
        f"gives {name} a pointer outside its memory",
        f"{call} (i32.const 1)",
        *(trapped(f"out of bounds memory access in wapc.{name}: {said}; {ONLY_MEMORY}"),) * 2,
        bodies=(b"body",) * 2,
    )


WAPC = {
    "wapc-twice": wapc(
        "hands over two responses",
        "(call $__guest_response (i32.const 64) (i32.const 4)) (call $held)",
        *(b"held",) * 2,
    ),
    "wapc-response-beyond": beyond(
        "__guest_response",
        "(call $__guest_response (i32.const -1) (i32.const 9))",
        said="9 bytes at 4294967295",
    ),
    "wapc-response-long": beyond(
        "__guest_response",
        "(call $__guest_response (i32.const 0) (i32.const -1))",
        said="4294967295 bytes at 0",
    ),
    "wapc-error-beyond": beyond(
        "__guest_error",
        f"(call $__guest_error (i32.const {END - 1}) (i32.const 2))",
        said=f"2 bytes at {END - 1}",
    ),
    "wapc-request-beyond": beyond(
        "__guest_request",
        f"(call $__guest_request (i32.const 0) (i32.const {END - 3}))",
        said=f"4 bytes at {END - 3}",
    ),
    "wapc-log-beyond": beyond(
        "__console_log",
        "(call $__console_log (i32.const 2147483648) (i32.const 1))",
        said="1 bytes at 2147483648",
    ),
    "wapc-response-huge": wapc(
        "hands over a response of 2 MiB",
        """(drop (memory.grow (i32.const 32)))
        (call $__guest_response (i32.const 0) (i32.const 2097152)) (i32.const 1)""",
        *(
            ended(
                CODES.RESOURCE_EXHAUSTED,
                "OUTPUT_LIMIT",
                "guest handed over a response of 2097152 bytes; expected at most 1048576",
                "output",
            ),
        )
        * 2,
    ),
    "wapc-error-huge": wapc(
        "hands over an error of 7 MiB",
        """(drop (memory.grow (i32.const 110)))
        (memory.fill (i32.const 0) (i32.const 101) (i32.const 7340032))
        (call $__guest_error (i32.const 0) (i32.const 7340032)) (i32.const 0)""",
        *(exited(f"guest failed: {'e' * 2048}"),) * 2,
    ),
    "wapc-error-forged": wapc(
        "fails with lines and terminal escapes",
        "(call $__guest_error (i32.const 256) (i32.const 16)) (i32.const 0)",
        *(exited("guest failed: one | two[2Jthre"),) * 2,
        also='(data (i32.const 256) "one\\0d\\0atwo\\1b[2Jthree")',
    ),
    "wapc-exits": wapc(
        "exits with success in a call",
        "(call $__guest_response (i32.const 64) (i32.const 4)) (call $exit (i32.const 0)) (i32.const 1)",
        *(exited("guest failed: it exited in the middle of a call (exit code 0)"),) * 2,
    ),
    "wapc-reenters": wapc(
        "calls itself as the host does, without end",
        "(call $call (local.get $operation) (local.get $size))",
        *(trapped("call stack exhausted in call"),) * 2,
        sections=DEEP,
        within_s=20,
    ),
    "wapc-request-flood": wapc(
        "asks for its request for ever",
        "(loop $ever (call $__guest_request (i32.const 0) (i32.const 1024)) (br $ever)) (unreachable)",
        late(),
        sections=BRIEF,
    ),
    "wapc-response-flood": wapc(
        "hands over responses for ever",
        "(loop $ever (call $__guest_response (i32.const 0) (i32.const 65536)) (br $ever)) (unreachable)",
        late(),
        sections=BRIEF,
    ),
    "wapc-log-flood": wapc(
        "logs for ever",
        "(loop $ever (call $__console_log (i32.const 0) (i32.const 65536)) (br $ever)) (unreachable)",
        late(),
        sections=BRIEF,
    ),
    "wapc-init-hangs": wapc(
        "never ends its wapc_init",
        "(call $held)",
        late(),
        also='(func (export "wapc_init") (loop (br 0)))',
        sections=BRIEF,
    ),
    "wapc-init-traps": wapc(
        "traps in its wapc_init",
        "(call $held)",
        *(trapped("unreachable"),) * 2,
        also='(func (export "wapc_init") unreachable)',
    ),
    "wapc-warm-traps": wapc(
        "hands over a response and traps, in a warm instance",
        "(drop (call $held)) (unreachable)",
        *(trapped("unreachable in call"),) * 3,
        sections=LIMITS + '[pool]\nreuse = "warm"\n',
    ),
}

DAPR = {
    "model-not-granted": Row(
        tries="brings a model, which it wasn't granted",
        module=f"""(module {imports({key: each for key, each in registry.FUNCTIONS.items() if key[1] == "load"})}
          (memory (export "memory") 1)
          (func (export "_start") (drop (call $load
            (i32.const 0) (i32.const 1) (i32.const 4) (i32.const 0) (i32.const 64)))))""",
        answers=(ended(CODES.PERMISSION_DENIED, "DENIED", UNGRANTED),) * 2,
    ),
    "host-call-flood": wapc(
        "calls a host that it wasn't granted for ever",
        "(loop $ever (drop (call $get_state)) (br $ever)) (unreachable)",
        late(),
        sections=BRIEF,
    ),
    "host-calls": wapc(
        "calls Dapr for ever",
        "(loop $ever (drop (call $get_state)) (br $ever)) (unreachable)",
        *(CALLS,) * 2,
        sections=f"{LIMITS}host_calls = 10\n{GRANT}",
    ),
    "host-call-names": wapc(
        "names bindings and methods of 4 GiB, and payloads outside its memory",
        """
        (if (call $__host_call (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 0) (i32.const 0) (i32.const 0)) (then (unreachable)))
        (if (call $__host_call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const 131072) (i32.const 0) (i32.const 0)) (then (unreachable)))
        (if (call $__host_call (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 68)
          (i32.const 8) (i32.const 4096) (i32.const -1)) (then (unreachable)))
        (call $held)""",
        *(b"held",) * 2,
        sections=f"{LIMITS}host_calls = 1\n{GRANT}",
    ),
    "host-calls-of-command": Row(
        tries="opens a key of Dapr's state for ever, as a file",
        module=command(
            """
            (loop $ever
              (drop (call $path_open (i32.const 4) (i32.const 1) (i32.const 2048) (i32.const 15) (i32.const 0)
                (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)))
              (br $ever))""",
            also='(data (i32.const 2048) "state/store/key")',
        ),
        answers=(
            ended(
                CALLS.code,
                CALLS.reason,
                "guest made over 1 calls to Dapr; it said: dapr: state 'store/key' could not be read: "
                "UNAVAILABLE: GetState: this server has no sidecar",
                "host_calls",
            ),
        )
        * 2,
        sections=f"{LIMITS}host_calls = 1\n{GRANT}",
    ),
}

MODULES = sorted({module for module, _ in registry.FUNCTIONS})
HOSTS: Mapping[str, Row] = (
    {f"edges-{module.replace('_', '-')}": edges(module) for module in MODULES} | WAPC | DAPR
)
