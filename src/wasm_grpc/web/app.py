"""The page's web server: its files, ``POST /api/hello`` and ``GET /api/events``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import MIB
from wasm_grpc.web.errors import ApiError
from wasm_grpc.web.sample import sample_png
from wasm_grpc.web.services import NAMES, Services, service_of

__all__ = ["BODY_LIMIT_BYTES", "make_app", "open_page", "read_files"]

_log = logging.getLogger("wasm_grpc.web")

BODY_LIMIT_BYTES = 16 * MIB
"""Limit on a picture, the same as ``limits.body`` of the demo's functions."""
_DRAINED_BYTES = 4 * BODY_LIMIT_BYTES
"""How much of a larger picture is read and discarded: browsers read a response only after the upload."""
_UPLOAD_S = 30.0
_AT_ONCE = 64
"""Limit on concurrent uploads, which are held in memory. Further ones are refused."""
_BACKLOG = 256
_STATIC = Path(__file__).with_name("static")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


_EVENTS = "/api/events"


class _Api:
    """
    ``POST /api/hello``: the body is the picture, the header ``api`` names the function.

    ``GET /api/events``: what the functions have reported.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running = 0

    async def hello(self, request: web.Request) -> web.Response:
        """
        Answer with the function's result.

        Raises:
            ApiError: The call failed.
        """
        if self._running >= _AT_ONCE:
            raise ApiError(503, "Too many pictures at once; try again in a moment.")
        self._running += 1
        try:
            service = service_of(request.headers.get("api"))
            picture = await _read_picture(request)
            answer = await self._services.call(service, picture, _content_type(request))
        finally:
            self._running -= 1
        headers = {
            "Content-Type": answer.content_type,
            # Shown on the page.
            "Dapr-App-Id": answer.app_id,
            "Dapr-Sidecar": self._services.sidecar,
        }
        return web.Response(body=answer.body, headers=headers)

    async def events(self, _: web.Request) -> web.Response:
        """
        Answer with the last events.

        Raises:
            ApiError: The call failed.
        """
        return web.Response(body=await self._services.events(), content_type="application/json")


def _content_type(request: web.Request) -> str:
    # curl sends this type for any body unless told another one.
    is_form = request.content_type == "application/x-www-form-urlencoded"
    return "application/octet-stream" if is_form else request.content_type


async def _read_picture(request: web.Request) -> bytes:
    """
    Read the body, which must be a picture.

    Raises:
        ApiError: It is not a picture, is too large, or doesn't arrive in time.
    """
    if request.content_type.startswith(("multipart/", "text/", "application/json")):
        raise ApiError(
            400, "That is not a picture; expected the bytes of a JPEG, PNG, GIF, BMP or WebP as the body."
        )
    try:
        picture = await asyncio.wait_for(_read(request), _UPLOAD_S)
    except asyncio.TimeoutError:
        raise ApiError(408, f"The picture did not arrive within {_UPLOAD_S:g} seconds.") from None
    if not picture:
        raise ApiError(400, "There is no picture in the request.")
    return picture


async def _read(request: web.Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_any():
        size += len(piece)
        if size <= BODY_LIMIT_BYTES:
            pieces.append(piece)
            continue
        pieces.clear()
        if size > _DRAINED_BYTES:
            # Far too large: close the connection, even if the browser then shows no sentence.
            break
    if size > BODY_LIMIT_BYTES:
        raise ApiError(413, f"The picture is too large; expected at most {BODY_LIMIT_BYTES // MIB} MiB.")
    return b"".join(pieces)


@web.middleware
async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """
    Return API errors as JSON, and add security headers to every response.
    """
    is_api = request.path.startswith("/api/")
    try:
        response = await handler(request)
    except ApiError as exc:
        response = _error(exc.status, str(exc), exc.reason)
    except web.HTTPException as exc:
        if not is_api:
            exc.headers.update(_HEADERS)
            raise
        sentence = exc.reason
        if exc.status == web.HTTPMethodNotAllowed.status_code:
            is_events = request.path == _EVENTS
            sentence = "Events are read with GET." if is_events else "Pictures are sent with POST."
        response = _error(exc.status, sentence)
        if "Allow" in exc.headers:
            response.headers["Allow"] = exc.headers["Allow"]
    except Exception:  # noqa: BLE001 - the edge
        # A bug of ours: log the traceback, and tell the client nothing about it.
        _log.exception("%s %s: internal error", request.method, request.path)
        response = _error(500, "Something went wrong here; see the log.")
    response.headers.update(_HEADERS)
    response.headers["Cache-Control"] = "no-store" if is_api else "no-cache"
    return response


def _error(status: int, sentence: str, reason: str = "") -> web.Response:
    content = {"error": sentence, "reason": reason} if reason else {"error": sentence}
    response = web.json_response(content, status=status)
    # The rest of the body is still on the way, so the connection can't be reused.
    if status in {408, 413}:
        response.force_close()
    return response


async def _send_sample(_: web.Request) -> web.Response:
    """
    Send a sample picture, to try the functions from a shell.
    """
    return web.Response(body=sample_png(), content_type="image/png")


def make_app(services: Services, files: Mapping[str, bytes]) -> web.Application:
    """
    Return the application.

    Args:
        services: The functions.
        files: The page's files by name; see `read_files`.
    """

    def file(name: str) -> _Handler:
        content_type = _TYPES[Path(name).suffix]

        async def send(_: web.Request) -> web.Response:
            return web.Response(body=files[name], content_type=content_type, charset="utf-8")

        return send

    app = web.Application(middlewares=[_answer])
    api = _Api(services)
    for name in ("hello", *NAMES):
        # Later versions of the original demo's page have the name in the path.
        app.router.add_post(f"/api/{name}", api.hello)
    app.router.add_get(_EVENTS, api.events)
    app.router.add_get("/", file("index.html"))
    app.router.add_get("/sample.png", _send_sample)
    for name in files:
        app.router.add_get(f"/static/{name}", file(name))
    return app


def read_files() -> dict[str, bytes]:
    """
    Return the page's files by name. They are few and small, so they are held in memory.
    """
    return {path.name: path.read_bytes() for path in _STATIC.iterdir() if path.suffix in _TYPES}


@contextlib.asynccontextmanager
async def open_page(services: Services, host: str, port: int) -> AsyncIterator[str]:
    """
    Serve the page while the context is open, and yield its address.

    Raises:
        HostError: Listening on the address failed.
    """
    files = await asyncio.to_thread(read_files)
    runner = web.AppRunner(make_app(services, files), access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        await runner.cleanup()
        raise HostError(
            f"{host}:{port}: {exc.strerror}; expected an address and port that this user may use"
        ) from exc
    try:
        await web.SockSite(runner, sock, backlog=_BACKLOG).start()
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{sock.getsockname()[1]}"
    finally:
        await runner.cleanup()
