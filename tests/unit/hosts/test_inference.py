"""What the host modules for inference say of names that a guest or its model has chosen."""

from __future__ import annotations

from wasm_grpc.hosts.inference import describe_names, describe_tensor
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = []


def test_a_tensor_s_name_is_shown_in_part() -> None:
    """A guest's own model may have a name of megabytes, or one with line breaks."""
    tensor = TensorInfo(name="a\n" * (1 << 20), type=TensorType.U8, shape=(), size_bytes=1)

    assert describe_tensor("input", 3, tensor) == "input 3 '" + "a\\n" * 30 + "'"


def test_some_names_are_shown() -> None:
    """The first eight, each in part."""
    names = [letter * 100 for letter in "abcdefghij"]

    assert describe_names(names) == ", ".join(f"'{letter * 60}'" for letter in "abcdefgh")
