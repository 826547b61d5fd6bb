"""TensorFlow Lite through the Python interface that ``ai-edge-litert`` and ``tflite-runtime`` share."""

from __future__ import annotations

import functools
import importlib
import mmap
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from wasm_grpc.core.errors import ModelError, UnsupportedModelError
from wasm_grpc.core.faults import FatalFaults
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = ["PACKAGES", "TfliteBackend", "TfliteSession"]

PACKAGES: Final = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""Package by distribution, in order of preference. The second is no longer maintained."""

_TYPES: Final = {
    "float16": TensorType.F16,
    "float32": TensorType.F32,
    "float64": TensorType.F64,
    "uint8": TensorType.U8,
    "uint16": TensorType.U16,
    "uint32": TensorType.U32,
    "uint64": TensorType.U64,
    "int8": TensorType.I8,
    "int16": TensorType.I16,
    "int32": TensorType.I32,
    "int64": TensorType.I64,
    "bool": TensorType.BOOL,
}
"""Types by their name in NumPy."""

_MISSING_OPERATOR: Final = re.compile(
    r"unresolved custom op|Select TensorFlow op|Regular TensorFlow ops|Didn't find op for builtin opcode"
)
"""Messages about a missing operator (``interpreter_builder.cc``, ``subgraph.cc``)."""

_OPERATOR_NAME: Final = re.compile(
    r"custom op: ([\w.:/-]+?)[.,]?(?:\s|$)|builtin opcode '(\w+)' version '\d+'|Node number \d+ \(([^)]+)\)"
)

_STATEFUL_OPERATORS: Final = ("VAR_HANDLE", "HASHTABLE", "CALL_ONCE", "WHILE", "IF", "STABLEHLO_WHILE")
"""Operators on resources, which `reset_all_variables` doesn't reset, or with subgraphs that may have them."""

_REASON_CHARS: Final = 300


class TfliteBackend:
    """
    A `Backend`. Opening it takes about 0.1 s, for imports.
    """

    def __init__(self, distribution: str) -> None:
        """
        Import the package.

        Raises:
            ImportError: It is not installed, or does not load.
        """
        # A worker runs one guest at a time, so NumPy's own threads would only take memory (32 MiB each).
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self.name = distribution
        self._interpreter = importlib.import_module(f"{PACKAGES[distribution]}.interpreter").Interpreter
        # Imported here: the first takes 10 ms, the second needs a package that comes with inference only.
        from importlib.metadata import version  # noqa: PLC0415

        from wasm_grpc.inference.operators import check_operators, rules_for  # noqa: PLC0415

        self._check = functools.partial(check_operators, rules=rules_for(distribution))
        self._faults = FatalFaults()
        self._from_buffer = importlib.import_module("numpy").frombuffer
        self.version = version(distribution)

    def open(self, model: bytes | str, *, threads: int) -> TfliteSession:
        """
        See `Backend.open`.
        """
        source = {"model_path": model} if isinstance(model, str) else {"model_content": model}

        def interpret() -> Any:
            interpreter = self._interpreter(num_threads=threads, **source)
            interpreter.allocate_tensors()
            return interpreter

        try:
            with self._faults:
                session = TfliteSession(interpret, self._from_buffer, self._faults)
        except (ValueError, RuntimeError) as exc:
            raise _opening_error(exc) from exc
        # After the backend, which has verified the file's structure.
        if isinstance(model, str):
            with (
                Path(model).open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                self._check(content)
        else:
            self._check(model)
        if session.keeps_resources and isinstance(model, str):
            # A stateful model is reopened for each owner, and by then its file may be closed.
            return self.open(Path(model).read_bytes(), threads=threads)
        return session


class TfliteSession:
    """
    A `Session` over one interpreter.

    Attributes:
        keeps_resources: It is reopened for each owner, since nothing else resets its state.
    """

    def __init__(
        self, interpret: Callable[[], Any], from_buffer: Callable[[bytes, Any], Any], faults: FatalFaults
    ) -> None:
        """
        Build the interpreter.

        Args:
            interpret: Returns a new interpreter with allocated tensors.
            from_buffer: NumPy's ``frombuffer``.
            faults: Context to enter for each run.
        """
        self._interpret = interpret
        self._from_buffer = from_buffer
        self._faults = faults
        self._owner = 0
        self._take(interpret())
        self.inputs = tuple(map(_info, self._input_details))
        self.outputs = tuple(map(_info, self._output_details))
        # Private, but present in every version of both packages.
        operators = {details["op_name"] for details in self._interpreter._get_ops_details()}  # noqa: SLF001
        self.keeps_resources = any(name.startswith(_STATEFUL_OPERATORS) for name in operators)

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """
        See `Session.run`.
        """
        try:
            with self._faults:
                self._serve(owner)
                for tensor, content in zip(self._input_details, inputs, strict=True):
                    values = self._from_buffer(content, tensor["dtype"]).reshape(tensor["shape"])
                    self._interpreter.set_tensor(tensor["index"], values)
                self._interpreter.invoke()
                return tuple(self._output(tensor["index"]) for tensor in self._output_details)
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"can't be run ({_reason(exc)})") from exc

    def _serve(self, owner: int) -> None:
        if owner == self._owner:
            return
        # No owner until it is reset.
        self._owner = 0
        if self.keeps_resources:
            self._take(self._interpret())
        else:
            self._interpreter.reset_all_variables()
        self._owner = owner

    def _take(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input_details = interpreter.get_input_details()
        self._output_details = interpreter.get_output_details()

    def _output(self, index: int) -> bytes:
        try:
            return bytes(self._interpreter.get_tensor(index).tobytes())
        except ValueError:
            # Neither package can return an empty output.
            shapes = {each["index"]: each["shape"] for each in self._interpreter.get_output_details()}
            if 0 in shapes[index]:
                return b""
            raise


def _info(details: dict[str, Any]) -> TensorInfo:
    shape = tuple(int(length) for length in details["shape"])
    name, dtype = str(details["name"]), details["dtype"]
    type_name = getattr(dtype, "__name__", str(dtype)).rstrip("_")
    if type_name not in _TYPES:
        raise UnsupportedModelError(f"tensor {name!r} holds {type_name}; expected numbers")
    size = dtype().itemsize
    for length in shape:
        size *= length
    return TensorInfo(name=name, type=_TYPES[type_name], shape=shape, size_bytes=size)


def _opening_error(exc: Exception) -> ModelError:
    text = str(exc)
    if _MISSING_OPERATOR.search(text):
        names = dict.fromkeys(name for found in _OPERATOR_NAME.findall(text) for name in found if name)
        return UnsupportedModelError(
            f"has operators that the backend lacks ({', '.join(names) or _reason(exc)})"
        )
    if isinstance(exc, ValueError):
        return ModelError(f"is not a TensorFlow Lite model ({_reason(exc)})")
    return ModelError(f"can't be made ready ({_reason(exc)})")


def _reason(exc: Exception) -> str:
    """
    Return the backend's message as one line.
    """
    lines = (line.strip() for line in str(exc).splitlines())
    return "; ".join(filter(None, lines))[:_REASON_CHARS] or "no reason given, often a lack of memory"
