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
from wasm_grpc.inference.crashes import FatalFaults
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = ["PACKAGES", "TfliteBackend", "TfliteSession"]

PACKAGES: Final = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""Distribution and package, the preferred first: the second is no longer maintained."""

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
"""By the names of NumPy."""

_LACKS: Final = re.compile(
    r"unresolved custom op|Select TensorFlow op|Regular TensorFlow ops|Didn't find op for builtin opcode"
)
"""What is said of an operator that is lacking (``interpreter_builder.cc``, ``subgraph.cc``)."""

_LACKED: Final = re.compile(
    r"custom op: ([\w.:/-]+?)[.,]?(?:\s|$)|builtin opcode '(\w+)' version '\d+'|Node number \d+ \(([^)]+)\)"
)

_KEEPING_OPERATORS: Final = ("VAR_HANDLE", "HASHTABLE", "CALL_ONCE", "WHILE", "IF", "STABLEHLO_WHILE")
"""Operators of resources, which `reset_all_variables` leaves, or of subgraphs, which may hold such."""

_REASON_CHARS: Final = 300


class TfliteBackend:
    """
    A `Backend`; importing it takes some 0.1 s.
    """

    def __init__(self, distribution: str) -> None:
        """
        Import the package.

        Raises:
            ImportError: It is not there, or does not load.
        """
        # One guest runs at a time: NumPy's own threads would only hold memory (32 MiB each).
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        self.name = distribution
        self._interpreter = importlib.import_module(f"{PACKAGES[distribution]}.interpreter").Interpreter
        # Here: the one takes 10 ms, the other a package that is there only where inference is installed.
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
            # It is opened anew for each owner, when its file may be closed.
            return self.open(Path(model).read_bytes(), threads=threads)
        return session


class TfliteSession:
    """
    A `Session` over one interpreter.

    Attributes:
        keeps_resources: It is opened anew for each owner, since nothing else makes it forget.
    """

    def __init__(
        self, interpret: Callable[[], Any], from_buffer: Callable[[bytes, Any], Any], faults: FatalFaults
    ) -> None:
        """
        Build the interpreter.

        Args:
            interpret: Gives a new one, with its tensors allocated.
            from_buffer: NumPy's.
            faults: Entered for each run.
        """
        self._interpret = interpret
        self._from_buffer = from_buffer
        self._faults = faults
        self._owner = 0
        self._take(interpret())
        self.inputs = tuple(map(_info, self._input_details))
        self.outputs = tuple(map(_info, self._output_details))
        # Private, and in every version of both packages; names no more than operators.
        operators = {details["op_name"] for details in self._interpreter._get_ops_details()}  # noqa: SLF001
        self.keeps_resources = any(name.startswith(_KEEPING_OPERATORS) for name in operators)

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
        # Nobody's until it is reset.
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
            # An output that came out empty can't be had from either package.
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
    if _LACKS.search(text):
        names = dict.fromkeys(name for found in _LACKED.findall(text) for name in found if name)
        return UnsupportedModelError(
            f"has operators that the backend lacks ({', '.join(names) or _reason(exc)})"
        )
    if isinstance(exc, ValueError):
        return ModelError(f"is no TensorFlow Lite model ({_reason(exc)})")
    return ModelError(f"can't be made ready ({_reason(exc)})")


def _reason(exc: Exception) -> str:
    """
    Return the backend's complaint as one line.
    """
    lines = (line.strip() for line in str(exc).splitlines())
    return "; ".join(filter(None, lines))[:_REASON_CHARS] or "no reason given, commonly a lack of memory"
