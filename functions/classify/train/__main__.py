"""Trains the digits model and writes it beside its labels; prints what it reads of what it never saw."""

from __future__ import annotations

from pathlib import Path

from examples import held_back, to_learn
from model import accuracy, quantised, trained

MODEL = Path(__file__).parents[1] / "model" / "digits.tflite"


def main() -> None:
    """Make the examples, train, convert, measure."""
    # Before the network: its threads and the processes that make the examples don't go together.
    examples = to_learn()
    unseen = {source: held_back(source) for source in ("written", "drawn")}
    print(f"{len(examples.values)} examples")
    model = quantised(trained(examples), examples)
    MODEL.write_bytes(model)
    print(f"{MODEL.name}: {len(model)} bytes")
    for source, kept in unseen.items():
        print(f"{source}: {accuracy(model, kept):.2%} of {len(kept.values)} held back")


if __name__ == "__main__":
    main()
