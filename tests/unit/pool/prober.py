"""
A template whose workers, instead of loading a function, say what they can do and see.

It is a real template with the fake engine; the answer to LOAD is a LOAD_FAILED whose error is JSON. The function's
name is the template's process id, its artifact a folder to write to.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import stat
import sys
from pathlib import Path
from typing import Any

from wasm_grpc.core.wire import Load, LoadFailed
from wasm_grpc.worker import __main__ as program
from wasm_grpc.worker.functions import LoadedFunctions

__all__: list[str] = []


def _findings(load: Load) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "environment": sorted(os.environ),
        "core_bytes": resource.getrlimit(resource.RLIMIT_CORE),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "data_bytes": resource.getrlimit(resource.RLIMIT_DATA),
        "memory": _try(lambda: bytearray(1 << 30)),
        "descriptors": _descriptors(),
        "write": _try(lambda: (Path(load.function.artifact) / "file").write_text("x")),
        "signal_to_template": _try(lambda: os.kill(int(load.function.name), 0)),
        "random": random.random(),
    }


def _try(attempt: Any) -> str:
    try:
        attempt()
    except (OSError, MemoryError):
        return "refused"
    return "done"


def _descriptors() -> list[str]:
    kinds = {stat.S_IFCHR: "device", stat.S_IFREG: "file", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    found = []
    for number in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        with contextlib.suppress(OSError):
            found.append(kinds[stat.S_IFMT(os.fstat(number).st_mode)])
    return sorted(found)


def _load(_: LoadedFunctions, message: Load) -> LoadFailed:
    return LoadFailed(message.index, json.dumps(_findings(message)))


if __name__ == "__main__":
    LoadedFunctions.load = _load  # type: ignore[method-assign,assignment]
    sys.exit(program.main([flag for flag in sys.argv if flag.startswith("--")]))
