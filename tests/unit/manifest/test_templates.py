"""Templates filled in."""

from __future__ import annotations

import json

import pytest

from wasm_grpc.manifest.templates import Result, TemplateError, fill, fill_array

VALUES = {"id": "7", "method": "", "name": "f"}
RESULT = b'{"a": {"b/c": [10, "x", true, 2.5, null]}, "": 1, "~": "tilde"}'
NO_TEXT = b"\x89PNG"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("grey-images", "grey-images"),
        ("{name}-{id}", "f-7"),
        ("{json:/a/b~1c/0}", "10"),
        ("{json:/a/b~1c/1}{json:/a/b~1c/2}{json:/a/b~1c/3}", "xtrue2.5"),
        ("{json:/}", "1"),
        ("{json:/~0}", "tilde"),
        ("is {result}", f"is {RESULT.decode()}"),
    ],
)
def test_filled_in(text: str, filled: str) -> None:
    """Placeholders give way to their values, text stays, and the result has to be text only if it is asked for."""
    assert fill(text, VALUES, Result(RESULT if "json" in text or "result" in text else NO_TEXT)) == filled


@pytest.mark.parametrize(
    ("text", "result", "fault"),
    [
        ("{subject}", RESULT, "{subject}: has no value here"),
        ("{method}", RESULT, "{method}: has no value here"),
        ("{result}", NO_TEXT, "{result}: the result is not text in UTF-8"),
        ("{json:/a}", NO_TEXT, "{json:/a}: the result is not JSON"),
        ("{json:/a}", b'{"a": NaN}', "{json:/a}: the result is not JSON"),
        ("{json:/a}", b'{"a": 1e400}', "{json:/a}: the value there is out of range"),
        ("{json:/a}", b'{"a": "\\ud800"}', "{json:/a}: the value there is not valid Unicode"),
        ("{json:/a}", b"[" * 10_000, "{json:/a}: the result is not JSON"),
        (
            "{json:/a}",
            b'{"a": 1, "b": [%s]}' % b",".join([b"{}"] * 20_000),
            "{json:/a}: the result has too many values; expected at most 20000 here",
        ),
        (
            "{json:/a}",
            b'{"a": 1, "b": "%s"}' % bytes(1 << 20),
            "{json:/a}: the result has 1048593 bytes; expected at most 1048576 here",
        ),
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
        fill(text, VALUES, Result(result))

    assert str(caught.value) == fault


HOSTILE = ['"', "\\", '", "x', '"], ["', "'); DROP TABLE orders; --", "{id}", "$1", "\n\0\u2028", "𝄞"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("text", ["{json:/a}", "<{json:/a}>", "{json:/a}{json:/a}", "{result}"])
def test_an_array_of_any_text(text: str, value: str) -> None:
    """Whatever a text is, it is one element of the array, unchanged; what it holds is no placeholder."""
    result = json.dumps({"a": value}).encode()

    elements = json.loads(fill_array(["before", text, "after"], VALUES, Result(result)))

    filled = text.replace("{json:/a}", value) if "json" in text else result.decode()
    assert elements == ["before", filled, "after"]


@pytest.mark.parametrize(
    ("text", "value", "element"),
    [
        ("{json:/a}", "7", "7"),
        ("{json:/a}", "9007199254740993", "9007199254740993"),
        ("{json:/a}", "2.50", "2.5"),
        ("{json:/a}", "true", True),
        ("{json:/a}", "null", None),
        ("{json:/a}", '{"b": [1, "\\u00e4"]}', '{"b": [1, "ä"]}'),
        ("{json:/a}", "[]", "[]"),
        ("{id}", "0", "7"),
        ("{name}-{json:/a}", "7", "f-7"),
        ("{name}-{json:/a}", "true", "f-true"),
    ],
)
def test_an_array_of_any_value(text: str, value: str, element: object) -> None:
    """A number keeps its digits as a string, an object is JSON, and null and booleans are what they are."""
    result = Result(f'{{"a": {value}}}'.encode())

    assert json.loads(fill_array([text], VALUES, result)) == [element]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{json:/b}", "{json:/b}: the result has nothing there"),
        ("{json:/a/0}", "{json:/a/0}: the value there is out of range"),
        ("{json:/a/1}", "{json:/a/1}: the value there is not valid Unicode"),
        ("{json:/a/2}", "{json:/a/2}: the value there is not valid Unicode"),
        ("<{json:/a/3}>", "{json:/a/3}: the value there is not a string, number or boolean"),
        ("{subject}", "{subject}: has no value here"),
    ],
)
def test_no_element(text: str, fault: str) -> None:
    """A placeholder without a value that an array can hold is told by name."""
    result = Result(b'{"a": [1e400, "\\ud800", {"b": "\\ud800"}, null]}')

    with pytest.raises(TemplateError) as caught:
        fill_array([text], VALUES, result)

    assert str(caught.value) == fault
