"""
What hostile logs cost the function `redact`: ``python -m benchmarks.redact [--mib N] [ENGINE ...]``.

Each input goes through ``wasm-grpc run`` in turn, so compiling (cached), start and both pipes count; what an
empty input takes is subtracted. Judge by the ratio to a plain log of the same run: it changes little with the
machine. MB/s are of CPU time, which a busy machine lengthens, and of wall time.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__: list[str] = []

_MODULE = Path(__file__).parents[1] / "functions" / "redact" / "redact.wasm"
_MEMORY = "4MiB"
"""What the function's manifest grants."""
_ROUNDS = 3
_PLAIN = "plain log"
_BEGIN = b"-----BEGIN PRIVATE KEY-----"

# Each begins with what stands once; the rest repeats.
_INPUTS: Mapping[str, tuple[bytes, bytes]] = {
    _PLAIN: (
        b"",
        b"2026-11-27T12:00:00.000Z INFO web-1 GET /index.html HTTP/1.1 200 took 12 ms, agent Mozilla\n",
    ),
    "coloured log": (b"", b"\x1b[2m2026-11-27\x1b[0m [\x1b[32minfo\x1b[0m] \x1b[36muser=\x1b[0mbob\n"),
    "JSON log": (b"", b'{"log":"\\u001b[36mlevel\\u001b[0m=info msg=\\"hello\\"\\n","stream":"stdout"}\n'),
    "one line": (b"", b"x"),
    "line ends": (b"", b"\n"),
    "short addresses": (b"", b"::1 "),
    "card groups": (b"", b"4111 "),
    "colons": (b"", b":"),
    "names": (b"", b"key="),
    "values": (b"", b"password=x "),
    "empty values": (b"", b"password: "),
    "e-mail without end": (b"", b"a@"),
    "encoded @": (b"", b"%40"),
    "JWT beginnings": (b"", b"eyJ-"),
    "backslashes in quotes": (b'password="', b"\\"),
    "dots behind a token": (b"Bearer abcdefgh1", b"."),
    "colour without end": (b"\x1b[", b"1;"),
    "escape characters": (b"", b"\x1b"),
    "links without end": (b"", b"\x1b]8;;" + b"x" * 3990),
    "links with secrets": (b"", b"\x1b]8;;token=x\x07"),
    "escaped links without end": (b"", b"\\u001b]" + b"x" * 3990),
    "zero width": (b"", b"\xe2\x80\x8bp"),
    "backspaces": (b"", b"p\bp"),
    "one letter printed over": (b"", b"p\b"),
    "deleted letters": (b"", b"p\b \b"),
    "values of two readings": (b"", b"pas\bsword=x "),
    "NULs": (b"", b"\0a"),
    "escaped quotes": (b"", b"\\" * 14 + b"u0022"),
    "lines that begin keys": (b"", _BEGIN + b"\n"),
    "keys begun in one line": (b"", _BEGIN),
    "four keys, short lines": (
        b"",
        b"".join(b"%c" % name * 400 + _BEGIN + b"\n" for name in b"abcd") + (b"d" * 400 + b"x\n") * 20,
    ),
    "key without end": (_BEGIN + b"\n", b"A" * 64 + b"\n"),
    "key in JSON without end": (_BEGIN, b"\\nAAAA"),
    "PuTTY's lines": (b"", b"Private-Lines: 1\n"),
}


@dataclass(frozen=True)
class _Cost:
    cpu_s: float
    wall_s: float


def _main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redact")
    parser.add_argument("engines", nargs="*", default=["wasmtime", "wasmer"], metavar="ENGINE")
    parser.add_argument("--mib", type=int, default=32, help="size of each input (default: 32)")
    options = parser.parse_args(argv)
    size = options.mib << 20
    inputs = {name: _filled(begin, more, size) for name, (begin, more) in _INPUTS.items()}
    inputs["random bytes"] = random.Random(1).randbytes(size)  # noqa: S311 - noise, no secret
    for engine in options.engines:
        _report(engine, inputs)
    return 0


def _filled(begin: bytes, more: bytes, size: int) -> bytes:
    return (begin + more * (size // len(more) + 1))[:size]


def _report(engine: str, inputs: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryFile() as file:
        _run(engine, file)  # Fills the artifact cache.
        empty = _cheapest(engine, file, b"")
        costs = {name: _cheapest(engine, file, text) for name, text in inputs.items()}
    print(f"{engine}: MB per CPU second, MB/s, CPU time to that of a {_PLAIN}")
    plain_s = costs[_PLAIN].cpu_s - empty.cpu_s
    for name, cost in sorted(costs.items(), key=lambda each: -each[1].cpu_s):
        size, cpu_s, wall_s = len(inputs[name]) / 1e6, cost.cpu_s - empty.cpu_s, cost.wall_s - empty.wall_s
        print(f"{size / cpu_s:8.1f} {size / wall_s:8.1f} {cpu_s / plain_s:6.2f}  {name}", flush=True)


def _cheapest(engine: str, file: IO[bytes], text: bytes) -> _Cost:
    file.seek(0)
    file.truncate()
    file.write(text)
    costs = [_run(engine, file) for _ in range(_ROUNDS)]
    return _Cost(min(each.cpu_s for each in costs), min(each.wall_s for each in costs))


def _run(engine: str, file: IO[bytes]) -> _Cost:
    file.flush()
    file.seek(0)
    command = (
        sys.executable,
        "-m",
        "wasm_grpc",
        "run",
        "--engine",
        engine,
        "--memory",
        _MEMORY,
        os.fspath(_MODULE),
    )
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall_s, after = time.perf_counter() - begin, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return _Cost(cpu_s, wall_s)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
