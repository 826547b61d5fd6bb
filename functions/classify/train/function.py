"""The real function, run for the tensors that it makes: a model is trained on what it will be given."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import wasmtime

__all__ = ["Function"]

WASM = Path(__file__).parents[1] / "classify.wasm"
NOT_FOUND = 8  # WASI-NN's errno


class Function:
    """
    `classify.wasm` with a host that keeps the tensor of `set_input` and runs no model.

    Args:
        env: the function's options.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._engine = wasmtime.Engine()
        self._module = wasmtime.Module.from_file(self._engine, str(WASM))
        self._env = dict(env)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._labels = folder / "labels"
        self._labels.mkdir()
        (self._labels / "labels.txt").write_text("\n".join("0123456789"))
        self._body = folder / "body"
        self._log = folder / "log"

    def tensor(self, picture: bytes) -> npt.NDArray[np.uint8]:
        """
        Return the bytes that the function would hand to its model.

        Raises:
            ValueError: it rejects the picture, with its sentence.
        """
        self._body.write_bytes(picture)
        store = wasmtime.Store(self._engine)
        wasi = wasmtime.WasiConfig()
        wasi.env = list(self._env.items())
        wasi.preopen_dir(str(self._labels), "/model")
        wasi.stdin_file = str(self._body)
        wasi.stderr_file = str(self._log)
        store.set_wasi(wasi)
        kept: list[bytes] = []
        linker = wasmtime.Linker(self._engine)
        linker.define_wasi()
        self._define_nn(linker, kept)
        instance = linker.instantiate(store, self._module)
        with suppress(wasmtime.ExitTrap):
            instance.exports(store)["_start"](store)
        if not kept:
            raise ValueError(self._log.read_text().strip())
        return np.frombuffer(kept[0], np.uint8)

    @staticmethod
    def _define_nn(linker: wasmtime.Linker, kept: list[bytes]) -> None:
        def keep(caller: wasmtime.Caller, _context: int, _index: int, tensor: int) -> int:
            memory = caller["memory"]
            data, length = np.frombuffer(memory.read(caller, tensor + 12, tensor + 20), np.uint32)
            kept.append(bytes(memory.read(caller, int(data), int(data) + int(length))))
            return NOT_FOUND  # it has served

        i32 = wasmtime.ValType.i32()
        for name, parameters in (
            ("load_by_name", 3),
            ("init_execution_context", 2),
            ("compute", 1),
            ("get_output", 5),
        ):
            kind = wasmtime.FuncType([i32] * parameters, [i32])
            linker.define_func("wasi_ephemeral_nn", name, kind, lambda *_: 0)
        kind = wasmtime.FuncType([i32] * 3, [i32])
        linker.define_func("wasi_ephemeral_nn", "set_input", kind, keep, access_caller=True)
