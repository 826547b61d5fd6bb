"""Where a setting's value comes from, and the line for one that can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_grpc.cli.configuration import read_settings
from wasm_grpc.core.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a file of settings."""
    return tmp_path / "settings.toml"


def test_a_flag_wins(file: Path) -> None:
    """A flag is above the variable, the variable above Dapr's own, that above the file, and that above the default."""
    file.write_text('port = 1\nhost = "one"\nengine = "wasmer"\nworkers = 7\n')
    environ = {
        "WASM_GRPC_CONFIG": str(file),
        "APP_PORT": "2",
        "WASM_GRPC_HOST": "two",
        "WASM_GRPC_ENGINE": "wasmtime",
    }

    settings = read_settings({"engine": "auto"}, environ)

    found = (settings.engine, settings.host, settings.port, settings.workers, settings.drain_s)
    assert found == ("auto", "two", 2, 7, 4.0)


@pytest.mark.parametrize(
    ("environ", "port", "token"),
    [
        ({}, 50051, ""),
        ({"APP_PORT": "1", "APP_API_TOKEN": "dapr"}, 1, "dapr"),
        ({"APP_PORT": "1", "WASM_GRPC_PORT": "2", "WASM_GRPC_APP_API_TOKEN": "own"}, 2, "own"),
        ({"APP_PORT": "", "WASM_GRPC_PORT": "", "APP_API_TOKEN": ""}, 50051, ""),
    ],
    ids=["neither", "Dapr's", "ours above Dapr's", "empty ones are not set"],
)
def test_what_dapr_sets(environ: dict[str, str], port: int, token: str) -> None:
    """APP_PORT and APP_API_TOKEN count, below our own variables."""
    settings = read_settings({}, environ)

    assert (settings.port, settings.app_api_token) == (port, token)


def test_every_type_from_the_environment() -> None:
    """Numbers, seconds, truth and lists are read from text."""
    environ = {
        "WASM_GRPC_WORKERS": "2",
        "WASM_GRPC_DRAIN_S": "1.5s",
        "WASM_GRPC_EVENT_TOKEN": "False",
        "WASM_GRPC_ONLY": "a b",
    }

    settings = read_settings({}, environ)

    assert (settings.workers, settings.drain_s, settings.event_token, settings.only) == (
        2,
        1.5,
        False,
        ("a", "b"),
    )


@pytest.mark.parametrize(
    ("variable", "error"),
    [
        ("WASM_GRPC_PORT", "WASM_GRPC_PORT: got 'x'; expected a whole number"),
        ("APP_PORT", "APP_PORT: got 'x'; expected a whole number"),
        ("WASM_GRPC_DRAIN_S", "WASM_GRPC_DRAIN_S: got 'x'; expected a number of seconds"),
        ("WASM_GRPC_EVENT_TOKEN", "WASM_GRPC_EVENT_TOKEN: got 'x'; expected true or false"),
        ("WASM_GRPC_ENGINE", "engine: got x; expected one of auto, wasmer, wasmtime"),
        ("WASM_GRPC_CONFIG", "WASM_GRPC_CONFIG: x: no such file; expected a TOML file of settings"),
    ],
)
def test_a_variable_that_can_not_be_read(variable: str, error: str) -> None:
    """It is named with its value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        read_settings({}, {variable: "x"})

    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port = 'x'", "{file}: port: got 'x'; expected a whole number"),
        ("port = true", "{file}: port: got True; expected a whole number"),
        ("only = 'a'", "{file}: only: got 'a'; expected a list of strings"),
        ("only = [1]", "{file}: only: got [1]; expected a list of strings"),
        ("drain_s = '4s'", "{file}: drain_s: got '4s'; expected a number of seconds"),
        ("port = 1.0", "{file}: port: got 1.0; expected a whole number"),
    ],
)
def test_a_file_with_a_wrong_value(file: Path, text: str, error: str) -> None:
    """File, key and value are named with what was expected."""
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_settings({}, {"WASM_GRPC_CONFIG": str(file)})

    assert str(caught.value) == error.format(file=file)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"port = ", "end of document: invalid value; expected TOML 1.0"),
        (b"\xff", "line 1: is not UTF-8; expected UTF-8"),
        ("port = 1".encode("utf-16"), "is UTF-16; expected UTF-8"),
        (b"colour = 1", "colour: unknown setting; expected one of "),
    ],
    ids=["syntax", "no text", "UTF-16", "unknown key"],
)
def test_a_file_that_is_none(file: Path, content: bytes, error: str) -> None:
    """A file that is no TOML, or has a key that is no setting, is named in one line."""
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_settings({}, {"WASM_GRPC_CONFIG": str(file)})

    assert str(caught.value).startswith(f"{file}: {error}")
    assert "\n" not in str(caught.value)


def test_values_of_a_file(file: Path) -> None:
    """A whole number is a number of seconds too, and lists are read."""
    file.write_text("drain_s = 2\nroutes = ['a=b']\n")

    settings = read_settings({}, {"WASM_GRPC_CONFIG": str(file)})

    assert (settings.drain_s, settings.routes) == (2.0, ("a=b",))


def test_a_file_with_a_byte_order_mark(file: Path) -> None:
    """Some editors write one before the text."""
    file.write_bytes(b"\xef\xbb\xbfport = 1\r\n")

    assert read_settings({}, {"WASM_GRPC_CONFIG": str(file)}).port == 1


def test_variables_that_mean_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelled variable is named, with the one that was probably meant."""
    environ = {"WASM_GRPC_WORKER": "4", "WASM_GRPC_COLOUR": "1", "WASM_GRPC_LOG": "info", "OTHER": "1"}

    read_settings({}, environ)

    assert [record.getMessage() for record in caplog.records] == [
        "WASM_GRPC_COLOUR: unknown variable, ignored; docs/settings.md lists all",
        "WASM_GRPC_WORKER: unknown variable, ignored; did you mean WASM_GRPC_WORKERS?",
    ]


def test_variables_of_a_kubernetes_service(caplog: pytest.LogCaptureFixture) -> None:
    """A Service named wasm-grpc sets variables in every pod, one with our port's name: none is ours."""
    environ = {
        "WASM_GRPC_SERVICE_HOST": "10.0.0.1",
        "WASM_GRPC_SERVICE_PORT": "50051",
        "WASM_GRPC_SERVICE_PORT_GRPC": "50051",
        "WASM_GRPC_PORT": "tcp://10.0.0.1:50051",
        "WASM_GRPC_PORT_50051_TCP": "tcp://10.0.0.1:50051",
        "WASM_GRPC_PORT_50051_TCP_ADDR": "10.0.0.1",
    }

    assert read_settings({}, environ).port == 50051
    assert caplog.records == []
