"""Templates filled in."""

from __future__ import annotations

import pytest

from wasm_grpc.manifest.templates import TemplateError, fill

VALUES = {"id": "7", "method": "", "name": "f"}
RESULT = b'{"a": {"b/c": [10, "x", true, 2.5, null]}, "": 1, "~": "tilde"}'


def never() -> bytes:
    """Stand for a result that must not be asked for."""
    raise AssertionError("asked for")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("grey-images", "grey-images"),
        ("{name}-{id}", "f-7"),
        ("{json:/a/b~1c/0}", "10"),
        ("{json:/a/b~1c/1}{json:/a/b~1c/2}{json:/a/b~1c/3}", "xtrue2.5"),
        ("{json:/}", "1"),
        ("{json:/~0}", "tilde"),
    ],
)
def test_filled_in(text: str, filled: str) -> None:
    """Placeholders give way to their values, text stays, and the result is read only for a pointer."""
    assert fill(text, VALUES, lambda: RESULT if "json" in text else never()) == filled


@pytest.mark.parametrize(
    ("text", "result", "fault"),
    [
        ("{subject}", RESULT, "{subject}: has no value here"),
        ("{method}", RESULT, "{method}: has no value here"),
        ("{json:/a}", b"\x89PNG", "{json:/a}: the result is not JSON"),
        ("{json:/a}", b"[" * 100_000, "{json:/a}: the result is not JSON"),
        ("{json:/b}", RESULT, "{json:/b}: the result has nothing there"),
        ("{json:/a/b~1c/9}", RESULT, "{json:/a/b~1c/9}: the result has nothing there"),
        ("{json:/a/b~1c/01}", RESULT, "{json:/a/b~1c/01}: the result has nothing there"),
        ("{json:/a/b~1c/-1}", RESULT, "{json:/a/b~1c/-1}: the result has nothing there"),
        ("{json:/a}", RESULT, "{json:/a}: the value there is not a string, number or boolean"),
        ("{json:/a/b~1c/4}", RESULT, "{json:/a/b~1c/4}: the value there is not a string, number or boolean"),
    ],
)
def test_no_value(text: str, result: bytes, fault: str) -> None:
    """A placeholder without a value is told by name."""
    with pytest.raises(TemplateError) as caught:
        fill(text, VALUES, lambda: result)

    assert str(caught.value) == fault
