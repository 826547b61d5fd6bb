"""An immutable snapshot of the functions, and of which function serves which method and topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from wasm_grpc.catalogue.function import Function
from wasm_grpc.catalogue.subscriptions import Subscriptions, make_subscriptions
from wasm_grpc.core.errors import ConfigError, InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.manifest.keys import Verb
from wasm_grpc.manifest.methods import MethodPattern, method_fault, parse_method_pattern
from wasm_grpc.manifest.outputs import Then
from wasm_grpc.manifest.triggers import NamedTrigger
from wasm_grpc.manifest.wording import closest, enumerate_names, shown

__all__ = ["Catalogue", "Route", "make_catalogue"]

_NO_VERB = frozenset({"", "NONE"})
"""Values of ``HTTPExtension.Verb`` that mean no verb; they count as POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    The destination of one call.

    Attributes:
        function: Name of the function that serves it.
        call: The export or operation to call; "" for a guest that has only one.
        path_info: The method after the matched prefix, with its leading "/"; "" for an exact match.
        then: Where the result goes besides the reply, in order.
    """

    function: str
    call: str
    path_info: str
    then: tuple[Then, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    pattern: MethodPattern
    function: str
    call: str
    verbs: tuple[str, ...]
    then: tuple[Then, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """
    The functions of this server, and the routes to them.

    Attributes:
        functions: Every function by its name.
        subscriptions: Their subscriptions, by (pubsub, topic).
        named: The routes of triggers that are called by a name, by (kind, name).
    """

    functions: Mapping[str, Function]
    subscriptions: Subscriptions
    named: Mapping[tuple[str, str], Route]
    _exact: Mapping[str, _Entry]
    _prefixes: Mapping[str, _Entry]

    @property
    def methods(self) -> tuple[str, ...]:
        """
        All methods and prefixes that are served, sorted.
        """
        entries = (*self._exact.values(), *self._prefixes.values())
        return tuple(sorted(str(entry.pattern) for entry in entries))

    def route(self, method: str, verb: str) -> Route:
        """
        Find the function for a call: an exact method before a prefix, a longer prefix before a shorter.

        Args:
            method: The method as Dapr forwards it; one leading "/" is dropped.
            verb: The verb's name; "" and "NONE" count as POST.

        Raises:
            InvocationError: ``INVALID_REQUEST`` if the method is malformed, ``UNKNOWN_METHOD`` or
                ``VERB_NOT_ALLOWED``.
        """
        path = method.removeprefix("/")
        fault = method_fault(path)
        if fault is not None:
            raise InvocationError(
                Reason.INVALID_REQUEST, f"method {shown(method)} {fault}; expected a path without a query"
            )
        entry = self._exact.get(path) or self._longest_prefix(path)
        if entry is None:
            raise InvocationError(Reason.UNKNOWN_METHOD, self._unknown_method_message(path))
        given = Verb.POST.value if verb in _NO_VERB else verb
        if entry.verbs and given not in entry.verbs:
            raise InvocationError(
                Reason.VERB_NOT_ALLOWED,
                f"method {shown(path)}: verb {given} is not served; expected {' or '.join(entry.verbs)}",
                function=entry.function,
            )
        rest = path[len(entry.pattern.path) :] if entry.pattern.is_prefix else ""
        # The prefix "*" has an empty path, so that the rest lacks the "/" that CGI requires.
        path_info = rest if rest.startswith("/") or not rest else f"/{rest}"
        return Route(function=entry.function, call=entry.call, path_info=path_info, then=entry.then)

    def _longest_prefix(self, path: str) -> _Entry | None:
        # Try the path cut at each "/", from the right: the longest prefix first, "*" (stored as "") last.
        end = path.rfind("/")
        while end >= 0:
            entry = self._prefixes.get(path[:end])
            if entry is not None:
                return entry
            end = path.rfind("/", 0, end)
        return self._prefixes.get("")

    def _unknown_method_message(self, path: str) -> str:
        near = closest(path, self.methods)
        served = enumerate_names(self.methods) or "nothing: no function is served"
        hint = f"did you mean {near!r}?" if near else f"expected {served}"
        return f"no function serves method {shown(path)}; {hint}"


def make_catalogue(functions: Iterable[Function], routes: Sequence[str] = ()) -> Catalogue:
    """
    Make a catalogue of functions that `read_functions` has checked against each other.

    Args:
        functions: The functions to serve.
        routes: Further routes, each ``METHOD=NAME``, from ``--route``. They accept every verb.

    Raises:
        ConfigError: A route is malformed, names an unknown function, or its method is already served.
    """
    by_name = {function.name: function for function in functions}
    entries = {
        trigger.method: _Entry(
            pattern=trigger.method,
            function=function.name,
            call=function.operation(trigger, trigger.method.path),
            verbs=tuple(verb.value for verb in trigger.verbs or ()),
            then=trigger.then,
        )
        for function in by_name.values()
        for trigger in function.manifest.trigger.invoke
    }
    for route in routes:
        entry = _extra_route(route, by_name)
        taken = entries.get(entry.pattern)
        if taken is not None:
            raise ConfigError(
                f"--route {route}: method '{entry.pattern}' is already served by function"
                f" {taken.function!r}; expected another method"
            )
        entries[entry.pattern] = entry
    exact = {entry.pattern.path: entry for entry in entries.values() if not entry.pattern.is_prefix}
    prefixes = {entry.pattern.path: entry for entry in entries.values() if entry.pattern.is_prefix}
    return Catalogue(
        functions=MappingProxyType(by_name),
        subscriptions=make_subscriptions(by_name.values()),
        named=MappingProxyType(_named_routes(by_name.values())),
        _exact=exact,
        _prefixes=prefixes,
    )


def _named_routes(functions: Iterable[Function]) -> dict[tuple[str, str], Route]:
    return {
        (kind, trigger.name): Route(
            function=function.name,
            call=function.operation(trigger, trigger.name),
            path_info="",
            then=trigger.then,
        )
        for function in functions
        for kind, _, trigger in function.manifest.trigger.each()
        if isinstance(trigger, NamedTrigger)
    }


def _extra_route(route: str, functions: Mapping[str, Function]) -> _Entry:
    # A method may contain "=", a function's name can't: split at the last one.
    method, equals, name = route.rpartition("=")
    if not equals or not method:
        raise ConfigError(f"--route {route}: not a route; expected METHOD=NAME")
    pattern = parse_method_pattern(method)
    if isinstance(pattern, str):
        raise ConfigError(
            f"--route {route}: the method {pattern}; expected 'api/image' or a prefix 'orders/*'"
        )
    if name not in functions:
        near = closest(name, functions)
        hint = f"did you mean {near!r}?" if near else f"expected {enumerate_names(functions)}"
        raise ConfigError(f"--route {route}: no function is named {name!r}; {hint}")
    call = functions[name].operation(None, pattern.path)
    return _Entry(pattern=pattern, function=name, call=call, verbs=())
