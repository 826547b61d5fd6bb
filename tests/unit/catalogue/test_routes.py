"""Routes: which function serves which method."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.routes import Catalogue, Route, make_catalogue
from wasm_grpc.core.errors import ConfigError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.manifest.tables import FunctionManifest


def _function(name: str, *triggers: dict[str, object]) -> Function:
    document = {"name": name, "module": "m.wasm", "guest": "wapc", "trigger": {"invoke": triggers}}
    return Function(folder=Path(name), manifest=TypeAdapter(FunctionManifest).validate_python(document))


@pytest.fixture
def catalogue() -> Catalogue:
    """Return a catalogue with exact methods, nested prefixes and verbs."""
    return make_catalogue(
        [
            _function(
                "grayscale", {"method": "grayscale", "verbs": ["POST", "PUT"]}, {"method": "api/image"}
            ),
            _function("orders", {"method": "orders/*"}, {"method": "orders/new", "call": "create"}),
            _function("archive", {"method": "orders/old/*"}, {"method": "get", "verbs": ["GET"]}),
        ]
    )


@pytest.mark.parametrize(
    ("method", "verb", "route"),
    [
        ("grayscale", "POST", ("grayscale", "grayscale", "")),
        ("/grayscale", "PUT", ("grayscale", "grayscale", "")),
        ("grayscale", "", ("grayscale", "grayscale", "")),
        ("grayscale", "NONE", ("grayscale", "grayscale", "")),
        ("api/image", "DELETE", ("grayscale", "api/image", "")),
        ("orders/5", "GET", ("orders", "orders", "/5")),
        ("orders/5/lines", "GET", ("orders", "orders", "/5/lines")),
        ("orders/", "GET", ("orders", "orders", "/")),
        ("orders/new", "GET", ("orders", "create", "")),
        ("orders/new/5", "GET", ("orders", "orders", "/new/5")),
        ("orders/old", "GET", ("orders", "orders", "/old")),
        ("orders/old/7", "GET", ("archive", "orders/old", "/7")),
    ],
)
def test_route(catalogue: Catalogue, method: str, verb: str, route: tuple[str, str, str]) -> None:
    """An exact method beats a prefix, the longest prefix wins, and its rest is the path info."""
    function, call, path_info = route

    found = catalogue.route(method, verb)

    assert found == Route(function=function, call=call, path_info=path_info)


@pytest.mark.parametrize(
    ("method", "verb", "error"),
    [
        (
            "graysale",
            "POST",
            (Reason.UNKNOWN_METHOD, "", "no function serves method 'graysale'; did you mean 'grayscale'?"),
        ),
        (
            "xyz",
            "POST",
            (
                Reason.UNKNOWN_METHOD,
                "",
                (
                    "no function serves method 'xyz'; expected 'api/image', 'get', 'grayscale', 'orders/*',"
                    " 'orders/new' or 'orders/old/*'"
                ),
            ),
        ),
        (
            "orders",
            "POST",
            (Reason.UNKNOWN_METHOD, "", "no function serves method 'orders'; did you mean 'orders/*'?"),
        ),
        (
            "//grayscale",
            "POST",
            (Reason.UNKNOWN_METHOD, "", "no function serves method '/grayscale'; did you mean 'grayscale'?"),
        ),
        (
            "x" * 1000,
            "POST",
            (
                Reason.UNKNOWN_METHOD,
                "",
                (
                    f"no function serves method '{'x' * 60}…'; expected 'api/image', 'get', 'grayscale',"
                    " 'orders/*', 'orders/new' or 'orders/old/*'"
                ),
            ),
        ),
        (
            "grayscale",
            "GET",
            (
                Reason.VERB_NOT_ALLOWED,
                "grayscale",
                "method 'grayscale': verb GET is not served; expected POST or PUT",
            ),
        ),
        (
            "get",
            "",
            (Reason.VERB_NOT_ALLOWED, "archive", "method 'get': verb POST is not served; expected GET"),
        ),
        (
            "orders/a?b",
            "POST",
            (
                Reason.INVALID_REQUEST,
                "",
                "method 'orders/a?b' has the reserved character '?'; expected a path without a query",
            ),
        ),
        (
            "orders/a#b",
            "POST",
            (
                Reason.INVALID_REQUEST,
                "",
                "method 'orders/a#b' has the reserved character '#'; expected a path without a query",
            ),
        ),
        (
            "orders/../x",
            "POST",
            (
                Reason.INVALID_REQUEST,
                "",
                "method 'orders/../x' has a segment '..'; expected a path without a query",
            ),
        ),
        (
            "a\nb",
            "POST",
            (
                Reason.INVALID_REQUEST,
                "",
                r"method 'a\nb' has the reserved character '\n'; expected a path without a query",
            ),
        ),
        (
            "/" * 5000,
            "POST",
            (
                Reason.INVALID_REQUEST,
                "",
                f"method '{'/' * 60}…' is longer than 2048 characters; expected a path without a query",
            ),
        ),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_no_route(catalogue: Catalogue, method: str, verb: str, error: tuple[Reason, str, str]) -> None:
    """What can't be served says why, with the nearest method or the verbs that are taken."""
    with pytest.raises(InvocationError) as caught:
        catalogue.route(method, verb)

    assert (caught.value.reason, caught.value.function, str(caught.value)) == error


def test_a_catch_all_takes_what_nobody_else_does() -> None:
    """The prefix "*" comes last, calls its function by name and hands on the whole path."""
    catalogue = make_catalogue([_function("a", {"method": "x"}), _function("rest", {"method": "*"})])

    routes = [catalogue.route(method, "GET") for method in ("x", "x/y")]

    assert routes == [
        Route(function="a", call="x", path_info=""),
        Route(function="rest", call="rest", path_info="/x/y"),
    ]


def test_triggers_that_are_called_by_a_name() -> None:
    """A binding and a job of one name each have their route."""
    job = {"name": "cron", "call": "x", "then": {"publish": {"pubsub": "p", "topic": "t"}}}
    document = {
        "name": "f",
        "module": "m.wasm",
        "guest": "wapc",
        "trigger": {"binding": [{"name": "cron"}], "job": [job]},
    }
    manifest = TypeAdapter(FunctionManifest).validate_python(document)

    catalogue = make_catalogue([Function(folder=Path("f"), manifest=manifest)])

    assert catalogue.named == {
        ("binding", "cron"): Route(function="f", call="cron", path_info=""),
        ("job", "cron"): Route(function="f", call="x", path_info="", then=manifest.trigger.job[0].then),
    }


def test_extra_routes_take_every_verb() -> None:
    """`--route` gives a function further methods, exact or prefixes, beside those of its manifest."""
    functions = [_function("echo", {"method": "echo", "verbs": ["POST"]})]

    catalogue = make_catalogue(functions, ["a=b=echo", "/all/*=echo"])

    assert catalogue.methods == ("a=b", "all/*", "echo")
    assert catalogue.route("a=b", "GET") == Route(function="echo", call="a=b", path_info="")
    assert catalogue.route("all/x", "GET") == Route(function="echo", call="all", path_info="/x")


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("echo", "not a route; expected METHOD=NAME"),
        ("=echo", "not a route; expected METHOD=NAME"),
        ("a=ecko", "no function is named 'ecko'; did you mean 'echo'?"),
        ("a=", "no function is named ''; expected 'echo'"),
        ("a?=echo", "the method has the reserved character '?'; expected 'api/image' or a prefix 'orders/*'"),
        ("echo=echo", "method 'echo' is already served by function 'echo'; expected another method"),
        ("/echo=echo", "method 'echo' is already served by function 'echo'; expected another method"),
    ],
)
def test_wrong_extra_route(route: str, message: str) -> None:
    """A wrong `--route` is one line that repeats it."""
    with pytest.raises(ConfigError, match=f"^{re.escape(f'--route {route}: {message}')}$"):
        make_catalogue([_function("echo", {"method": "echo"})], [route])


@pytest.mark.parametrize(("guest", "call"), [("wapc", "f"), ("wasi-command", "")])
def test_a_catch_all_calls_the_operation_of_the_functions_name(guest: str, call: str) -> None:
    """No part of its method is fixed; a command has no operations at all."""
    document = {"name": "f", "module": "m.wasm", "guest": guest, "trigger": {"invoke": [{"method": "*"}]}}
    manifest = TypeAdapter(FunctionManifest).validate_python(document)
    catalogue = make_catalogue([Function(folder=Path("f"), manifest=manifest)], ["extra=f"])

    assert catalogue.route("any/thing", "") == Route(function="f", call=call, path_info="/any/thing")
    assert catalogue.route("extra", "").call == ("extra" if call else "")
