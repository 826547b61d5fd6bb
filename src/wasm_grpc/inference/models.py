"""The models that one worker holds: each once, whoever names it."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from wasm_grpc.core.errors import HostError, ModelError
from wasm_grpc.core.model import MIB, Model
from wasm_grpc.inference.protocol import Backend, Session

__all__ = ["SUPPLIED_LIMIT_BYTES", "Models", "open_mapped", "warm"]

SUPPLIED_LIMIT_BYTES = 64 * MIB
"""Of all models that guests brought and a worker keeps: the longest unused go first."""

_NOBODY = 0


@dataclass(frozen=True, slots=True)
class _Supplied:
    session: Session
    size_bytes: int


class Models:
    """
    Sessions by what their model is, opened when they are first asked for.
    """

    def __init__(self, open_backend: Callable[[], Backend]) -> None:
        """
        Hold none.

        Args:
            open_backend: Called once, for the first model.
        """
        self._open_backend = open_backend
        self._backend: Backend | None = None
        self._named: dict[tuple[str, int], Session] = {}
        self._supplied: OrderedDict[bytes, _Supplied] = OrderedDict()
        self._supplied_bytes = 0

    @property
    def backend(self) -> Backend:
        """
        The backend, opened now if it wasn't.

        Raises:
            InferenceUnavailableError: This interpreter has none.
        """
        if self._backend is None:
            self._backend = self._open_backend()
        return self._backend

    def named(self, model: Model) -> Session:
        """
        Return the session of a file, run once so that the next run is as fast as any.

        Raises:
            HostError: The file isn't what the server checked.
            ModelError: It can't be run.
            InferenceUnavailableError: See `backend`.
        """
        key = (model.sha256, model.threads)
        session = self._named.get(key)
        if session is None:
            session = self._named[key] = open_mapped(self.backend, model)
            warm(session)
        return session

    def supplied(self, content: bytes) -> Session:
        """
        Return the session of a guest's own model, at most `SUPPLIED_LIMIT_BYTES` long.

        Raises:
            ModelError: It can't be run.
            InferenceUnavailableError: See `backend`.
        """
        key = hashlib.sha256(content).digest()
        known = self._supplied.get(key)
        if known is not None:
            self._supplied.move_to_end(key)
            return known.session
        session = self.backend.open(content, threads=1)
        self._supplied[key] = _Supplied(session, len(content))
        self._supplied_bytes += len(content)
        while self._supplied_bytes > SUPPLIED_LIMIT_BYTES:
            _, oldest = self._supplied.popitem(last=False)
            self._supplied_bytes -= oldest.size_bytes
        return session


def open_mapped(backend: Backend, model: Model) -> Session:
    """
    Open a model whose file is mapped: its pages are shared by all workers, and none is copied here.

    A file that is cut afterwards kills the process that touches the mapping; one that is replaced,
    as it should be, does nothing to it.

    Raises:
        HostError: The file isn't what the server checked.
        ModelError: It can't be run.
    """
    where = f"model {model.name!r}"
    try:
        # Not blocking: it may have become a pipe since.
        handle = os.open(model.host, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_digest(handle, model, where)
            # By its descriptor, so that what is opened is what was checked.
            return backend.open(f"/dev/fd/{handle}", threads=model.threads)
        finally:
            os.close(handle)
    except OSError as exc:
        raise HostError(
            f"{where}: can't be read: {exc.strerror}; expected the file as it was at the start"
        ) from exc


def _check_digest(handle: int, model: Model, where: str) -> None:
    changed = HostError(f"{where}: changed since the start; expected the file as it was at the start")
    if os.fstat(handle).st_size != model.size:
        raise changed
    with mmap.mmap(handle, model.size, access=mmap.ACCESS_READ) as content:
        if hashlib.sha256(content).hexdigest() != model.sha256:
            raise changed


def warm(session: Session) -> None:
    """
    Run a model once on zeros: the first run is the slowest. One that refuses zeros stays cold.
    """
    with contextlib.suppress(ModelError):
        session.run([bytes(tensor.size_bytes) for tensor in session.inputs], owner=_NOBODY)
