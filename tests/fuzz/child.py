"""
One target in a process of its own: ``python -m fuzz.child FOLDER``, where the folder has the job and its seeds.

It may crash or hang. So the number of each input is written into shared memory before the input is tried.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from fuzz.mutation import input_of

__all__: list[str] = []

Check = Callable[[bytes], None]


def _check_of(target: str, engine: str, module: Path) -> Check:
    if target == "module":
        from fuzz.modules import check_module  # noqa: PLC0415 - each target imports what it needs

        return check_module
    if engine:
        from fuzz.modules import Compiler, Pictures  # noqa: PLC0415
        from wasm_grpc.core.model import EngineName  # noqa: PLC0415
        from wasm_grpc.engines.registry import open_engine  # noqa: PLC0415

        opened = open_engine(EngineName(engine))
        return Pictures(opened, module).check if target == "picture" else Compiler(opened).check
    from fuzz import reading  # noqa: PLC0415

    checks: dict[str, Check] = {
        "dapr-call": reading.check_dapr_call,
        "event": reading.check_event,
        "frames": reading.check_frames,
        "headers": reading.check_headers,
        "manifest": reading.Manifests().check,
        "response": reading.check_response,
        "template": reading.check_template,
    }
    return checks[target]


def main(folder: Path) -> int:
    """Try inputs until the count or the time is used up, or one fails: the traceback goes to standard output."""
    job = json.loads((folder / "job.json").read_text())
    seeds = [file.read_bytes() for file in sorted(folder.glob("seed-*"))]
    words = [file.read_bytes() for file in sorted(folder.glob("word-*"))]
    check = _check_of(job["target"], job["engine"], Path(job["module"]))
    with (folder / "progress").open("r+b") as file, mmap.mmap(file.fileno(), 8) as progress:
        end_s = time.monotonic() + job["seconds"]
        number = job["first"]
        while number < job["first"] + job["count"] and time.monotonic() < end_s:
            progress[:] = number.to_bytes(8, "little")
            try:
                check(input_of(seeds, words, seed=job["seed"], number=number))
            except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
                traceback.print_exc(file=sys.stdout)
                return 3
            number += 1
        progress[:] = number.to_bytes(8, "little")
    return 0


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    # An engine's own threads and pools need no orderly end.
    os._exit(code)
