"""Dapr service invocation: route a request, run the function, log a failure."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from wasm_grpc.catalogue.routes import Route
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import ResponseKind
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.environment import Metadata, origin_of, request_environment, trace_of
from wasm_grpc.invocation.output_requests import Cause, Output
from wasm_grpc.invocation.response import Response
from wasm_grpc.invocation.runner import Call, Runner
from wasm_grpc.manifest.tables import FunctionManifest

__all__ = ["Invoker", "Request", "environment_of", "log_failure"]

_log = logging.getLogger("wasm_grpc.invocation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    A service invocation as received, or the event of something with a name.

    Attributes:
        method: The method; "" for an event.
        verb: The HTTP verb; "" counts as POST.
        query: The raw query string.
        content_type: Media type of the body.
        body: The body.
        metadata: The call's metadata.
        name: Name of the binding or the job; "" for a method.
        variables: Environment variables besides those of CGI. The function's manifest may override them.
    """

    method: str
    verb: str
    query: str
    content_type: str
    body: bytes
    metadata: Metadata
    name: str = ""
    variables: tuple[tuple[str, str], ...] = ()


class Invoker:
    """
    Answers service invocations.
    """

    def __init__(self, deployment: Deployment, runner: Runner) -> None:
        self._deployment = deployment
        self._runner = runner

    def next_id(self) -> str:
        """
        Return the id of the next invocation.
        """
        return self._runner.next_id()

    async def invoke(self, request: Request, invocation_id: str) -> Response:
        """
        Run the function that serves this request.

        Raises:
            InvocationError: The invocation failed. The failure has been logged.
        """
        try:
            with self._runner.telling_refusal:
                route, function = self._deployment.find_method(request.method, request.verb)
            return await self.run(request, route, function, invocation_id)
        except (InvocationError, asyncio.CancelledError) as exc:
            log_failure(exc, request, invocation_id)
            raise

    async def run(
        self, request: Request, route: Route, function: FunctionManifest, invocation_id: str
    ) -> Response:
        """
        Run a function on a request, and send its result where the route says.

        Args:
            request: The request.
            route: How it got to the function.
            function: The function.
            invocation_id: See `next_id`.

        Raises:
            InvocationError: The invocation failed. The caller logs it.
        """
        with self._runner.telling_refusal:
            env = environment_of(request, route, function, content_length=len(request.body))
        call = Call(
            body=request.body,
            env=env,
            invocation_id=invocation_id,
            operation=route.call,
            output=_output(route, request, invocation_id),
            origin=origin_of(request.metadata, with_trace=function.capabilities.dapr.is_granted),
        )
        return await self._runner.run(function, call)


def environment_of(
    request: Request, route: Route, function: FunctionManifest, *, content_length: int | None
) -> tuple[tuple[str, str], ...]:
    """
    Return the environment variables of a request, from `request_environment`, and its own.

    Raises:
        InvocationError: INVALID_REQUEST.
    """
    env = request_environment(
        verb=request.verb,
        query=request.query,
        content_type=request.content_type,
        content_length=content_length,
        path_info=route.path_info,
        metadata=request.metadata,
        withheld=function.env.keys(),
        is_cgi=function.response is ResponseKind.CGI,
        script_name=f"/{request.method.strip('/').removesuffix(route.path_info)}",
    )
    return (*env, *(each for each in request.variables if each[0] not in function.env))


def log_failure(
    error: InvocationError | asyncio.CancelledError, request: Request, invocation_id: str
) -> None:
    """
    Log why a request failed: the error, or that its caller disconnected.
    """
    if isinstance(error, InvocationError):
        _log.warning("invocation %s: %s: %s", invocation_id, error.reason.value, error)
    else:
        _log.warning(
            "invocation %s: CANCELLED: method '%s': the caller is gone", invocation_id, request.method
        )


def _output(route: Route, request: Request, invocation_id: str) -> Output | None:
    if not route.then:
        return None
    cause = Cause(
        id=invocation_id,
        method=request.method.removeprefix("/"),
        name=request.name,
        function=route.function,
        trace=trace_of(request.metadata),
    )
    return Output(route.then, cause)
