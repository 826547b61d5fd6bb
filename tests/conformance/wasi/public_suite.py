"""
Runs the public WASI test suite through ``wasm-grpc run`` and counts what passes.

``python tests/conformance/wasi/public_suite.py FOLDER [ENGINE…]``, where FOLDER is a checkout of
WebAssembly/wasi-testsuite with its modules built: each .wasm has a .json beside it where it wants
arguments, variables or folders, or ends other than with 0 (the suite's doc/specification.md).
A folder is given as a copy in memory, so that the checkout stays as it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["main"]

_ENGINES = ("wasmtime", "wasmer")
_TIMEOUT_S = 60.0


def main(folder: str, *engines: str) -> int:
    """
    Print a line for each case that fails, then the counts; 1 if any failed or there is none.
    """
    modules = [path for path in sorted(Path(folder).rglob("*.wasm")) if "wasip3" not in str(path)]
    counts: Counter[tuple[str, bool]] = Counter()
    for engine in engines or _ENGINES:
        for module in modules:
            problem = _problem(module, engine)
            counts[engine, not problem] += 1
            if problem:
                _tell(f"{engine}: {module.relative_to(folder)}: {problem}")
    for engine in engines or _ENGINES:
        _tell(f"{engine}: {counts[engine, True]} of {len(modules)} pass")
    return 0 if modules and all(passed for _, passed in counts) else 1


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _problem(module: Path, engine: str) -> str:
    """Say what is wrong with how a case ended; "" if nothing is."""
    described = module.with_suffix(".json")
    case: Mapping[str, Any] = json.loads(described.read_text("utf-8")) if described.exists() else {}
    command = [sys.executable, "-m", "wasm_grpc", "run", "--engine", engine, *_options(module.parent, case)]
    try:
        ended = subprocess.run(
            [*command, str(module), *case.get("args", ())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"ran longer than {_TIMEOUT_S:g} s"
    wanted = case.get("exit_code", 0)
    if ended.returncode != wanted:
        return f"exit code {ended.returncode}, {wanted} was expected: {ended.stderr.strip()}"
    found = {"stdout": ended.stdout, "stderr": ended.stderr}
    wrong = [name for name, text in found.items() if text != case.get(name, text)]
    return f"{' and '.join(wrong)} not as expected" if wrong else ""


def _options(folder: Path, case: Mapping[str, Any]) -> Iterator[str]:
    for name, value in case.get("env", {}).items():
        yield from ("--env", f"{name}={value}")
    mounts = [(name, name) for name in case.get("dirs", ())]
    if "root" in case:
        mounts.append((case["root"], "/"))
    for host, guest in mounts:
        yield from ("--scratch", f"{folder / host}:{guest}")
    if not mounts:
        # Such a case expects that no folder is open.
        yield from ("--scratch-limit", "0")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
