"""Fuzz all targets for a while: ``make fuzz``, with ``ARGS="--seconds 600 --only module,picture --seed 7"``."""

from __future__ import annotations

import argparse
import random
import sys

from fuzz.fuzzing import fuzz, interpreter
from fuzz.targets import TARGETS

__all__: list[str] = []


def main() -> int:
    """Return 1 if an input failed."""
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Feed changed inputs to all that reads them."
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long in all (60)")
    parser.add_argument("--only", help=f"targets, separated by commas, of: {', '.join(TARGETS)}")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="begin from this seed")
    parser.add_argument("--input", type=int, help="try the input of this number alone")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"--only: {unknown[0]!r} is unknown; expected some of {', '.join(TARGETS)}")
    has_failed = False
    for name in names:
        if interpreter(TARGETS[name].engine) is None:
            print(f"{name}: left out; make setup makes .venv-wasmer where there is a CPython 3.10")
            continue
        one = {"first": arguments.input, "count": 1} if arguments.input is not None else {}
        found = fuzz(name, seed=arguments.seed, seconds=arguments.seconds / len(names), **one)
        print(f"{name}: {found}", flush=True)
        has_failed = has_failed or bool(found.problem)
    print(f"seed {arguments.seed}")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
