"""The models that one worker holds, shared by the functions that use them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import mmap
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wasm_grpc.core.errors import HostError, ModelError
from wasm_grpc.core.model import Inference, Model
from wasm_grpc.inference.grants import SUPPLIED_LIMIT_BYTES, GrantedContent, ModelGrants
from wasm_grpc.inference.mapped import MappedFile
from wasm_grpc.inference.protocol import Backend, Session

__all__ = ["Models", "open_mapped", "warm"]

_NOBODY = 0
_QUICK_S = 0.01
"""A run that takes longer loses little, in proportion, to the page faults of a forked process."""


@dataclass(frozen=True, slots=True)
class _Supplied:
    session: Session
    size_bytes: int


class Models:
    """
    Sessions by the content of their model, opened on first use.
    """

    def __init__(self, open_backend: Callable[[], Backend]) -> None:
        """
        Start without models.

        Args:
            open_backend: Opens the backend. Called once, for the first model.
        """
        self._open_backend = open_backend
        self._backend: Backend | None = None
        self._granted: dict[tuple[str, int], GrantedContent] = {}
        self._quick: list[Session] = []
        self._supplied: OrderedDict[bytes, _Supplied] = OrderedDict()
        self._supplied_bytes = 0

    @property
    def backend(self) -> Backend:
        """
        The backend, opened on first use.

        Raises:
            InferenceUnavailableError: This interpreter has none.
        """
        if self._backend is None:
            self._backend = self._open_backend()
        return self._backend

    def grant(self, inference: Inference) -> ModelGrants:
        """
        Return the models that a function may run, opened.

        Raises:
            HostError, ModelError, InferenceUnavailableError: See `granted`.
        """
        if not inference.is_granted:
            return ModelGrants()
        # Opened now, so that the first call of a guest that brings its own model does not wait for it.
        _ = self.backend
        granted = {model.name: self.granted(model) for model in inference.models}
        return ModelGrants(
            named={name: content.session for name, content in granted.items()},
            contents=tuple(granted.values()),
            load=self.supplied if inference.may_load else None,
        )

    def granted(self, model: Model) -> GrantedContent:
        """
        Return a model file and its session, after a warm-up run, so that the next run is fast.

        Raises:
            HostError: The file has changed since the server checked it.
            ModelError: The model can't be run.
            InferenceUnavailableError: See `backend`.
        """
        key = (model.sha256, model.threads)
        granted = self._granted.get(key)
        if granted is None:
            # By content and threads, so that functions with the same model share one session.
            granted = self._granted[key] = open_mapped(self.backend, model)
            begun_s = time.perf_counter()
            warm(granted.session)
            if time.perf_counter() - begun_s < _QUICK_S:
                self._quick.append(granted.session)
        return granted

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        Return a warm-up run for each named model that runs so quickly that page faults would double its time.
        """
        return [functools.partial(warm, session) for session in self._quick]

    def supplied(self, content: bytes) -> Session:
        """
        Return the session of a model that a guest supplied, at most `SUPPLIED_LIMIT_BYTES` long.

        Raises:
            ModelError: The model can't be run.
            InferenceUnavailableError: See `backend`.
        """
        key = hashlib.sha256(content).digest()
        known = self._supplied.get(key)
        if known is not None:
            self._supplied.move_to_end(key)
            return known.session
        # One thread: a guest's own model must not take more cores than its run slot.
        session = self.backend.open(content, threads=1)
        self._supplied[key] = _Supplied(session, len(content))
        self._supplied_bytes += len(content)
        while self._supplied_bytes > SUPPLIED_LIMIT_BYTES:
            _, oldest = self._supplied.popitem(last=False)
            self._supplied_bytes -= oldest.size_bytes
        return session


def open_mapped(backend: Backend, model: Model) -> GrantedContent:
    """
    Open a model with its file mapped into memory, so that all workers share its pages.

    If the file is truncated afterwards, a process that touches the mapping dies. Replacing the file by a new
    one, as it should be done, is safe.

    Raises:
        HostError: The file has changed since the server checked it.
        ModelError: The model can't be run.
    """
    where = f"model {model.name!r}"
    try:
        # Non-blocking, since the file may have been replaced by a pipe.
        handle = os.open(model.host, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _check_digest(handle, model, where)
            # Open it through its descriptor, so that it is the file whose digest was checked.
            session = backend.open(f"/dev/fd/{handle}", threads=model.threads)
            return GrantedContent(MappedFile(handle, model.size), session)
        finally:
            os.close(handle)
    except PermissionError as exc:
        # Landlock lets a worker open the file that was there, and none that has taken its place.
        raise _changed(where) from exc
    except OSError as exc:
        raise HostError(
            f"{where}: can't be read: {exc.strerror}; expected the file as it was at the start"
        ) from exc


def _check_digest(handle: int, model: Model, where: str) -> None:
    if os.fstat(handle).st_size != model.size:
        raise _changed(where)
    with mmap.mmap(handle, model.size, access=mmap.ACCESS_READ) as content:
        if hashlib.sha256(content).hexdigest() != model.sha256:
            raise _changed(where)


def _changed(where: str) -> HostError:
    return HostError(f"{where}: changed since the start; expected the file as it was at the start")


def warm(session: Session) -> None:
    """
    Run a model once on zeros, since the first run is the slowest. A failure is ignored.
    """
    with contextlib.suppress(ModelError):
        session.run([bytes(tensor.size_bytes) for tensor in session.inputs], owner=_NOBODY)
