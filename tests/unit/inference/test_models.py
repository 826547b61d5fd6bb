"""What one worker holds of models: each once, the mapped and the guests' own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wasm_grpc.core.errors import HostError, ModelError
from wasm_grpc.core.model import MIB, Model
from wasm_grpc.inference import models as room
from wasm_grpc.inference.grants import SUPPLIED_LIMIT_BYTES
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = []


@dataclass
class FakeSession:
    """A session of nothing, that counts its runs."""

    content: bytes
    refuses_zeros: bool = False
    runs: list[Sequence[bytes]] = field(default_factory=list)
    inputs: tuple[TensorInfo, ...] = (TensorInfo(name="x", type=TensorType.U8, shape=(3,), size_bytes=3),)
    outputs: tuple[TensorInfo, ...] = ()

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """Do nothing."""
        self.runs.append(inputs)
        if self.refuses_zeros:
            raise ModelError("can't be run (zero)")
        return ()


@dataclass
class FakeBackend:
    """A backend that opens anything, and reads what a file has at that moment."""

    name: str = "fake"
    version: str = "1"
    refuses_zeros: bool = False
    opened: list[tuple[bytes, int]] = field(default_factory=list)

    def open(self, model: bytes | str, *, threads: int) -> FakeSession:
        """Keep what was opened."""
        content = Path(model).read_bytes() if isinstance(model, str) else model
        self.opened.append((content, threads))
        return FakeSession(content, self.refuses_zeros)


@pytest.fixture
def fake() -> FakeBackend:
    """Return a backend that remembers."""
    return FakeBackend()


def model(file: Path, content: bytes = b"model", *, name: str = "m", threads: int = 1) -> Model:
    """Write a file, and give it as the server would name it."""
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Model(name=name, host=str(file), size=len(content), sha256=digest, threads=threads)


def test_a_named_model_is_opened_once_and_warmed(fake: FakeBackend, tmp_path: Path) -> None:
    """Whoever names the same contents, under whatever name and path, shares one session that has run once."""
    models = Models(lambda: fake)

    one = models.granted(model(tmp_path / "one")).session
    other = models.granted(model(tmp_path / "two", name="other")).session
    with_threads = models.granted(model(tmp_path / "one", threads=4)).session

    assert one is other
    assert one is not with_threads
    assert fake.opened == [(b"model", 1), (b"model", 4)]
    assert isinstance(one, FakeSession)
    assert one.runs == [[bytes(3)]]


def test_a_model_that_refuses_zeros_stays_cold(tmp_path: Path) -> None:
    """Warming is no test of a model."""
    models = Models(lambda: FakeBackend(refuses_zeros=True))

    assert isinstance(models.granted(model(tmp_path / "m")).session, FakeSession)


@pytest.mark.parametrize(("limit_s", "runs"), [(60.0, 2), (0.0, 1)], ids=["quick", "slow"])
def test_quick_models_are_warmed_again_after_a_fork(
    fake: FakeBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float, runs: int
) -> None:
    """A model whose run is slow is not run again: it would keep its process from what it is for."""
    monkeypatch.setattr(room, "_QUICK_S", limit_s)
    models = Models(lambda: fake)
    session = models.granted(model(tmp_path / "m")).session

    for warm_up in models.warm_ups():
        warm_up()

    assert isinstance(session, FakeSession)
    assert session.runs == [[bytes(3)]] * runs


@pytest.mark.parametrize("content", [b"medal", b"models", b""], ids=["as long", "longer", "empty"])
def test_a_file_that_changed_is_not_opened(fake: FakeBackend, tmp_path: Path, content: bytes) -> None:
    """Its size and digest must be what the server saw."""
    seen = model(tmp_path / "m")
    (tmp_path / "m").write_bytes(content)

    with pytest.raises(HostError) as caught:
        Models(lambda: fake).granted(seen)

    assert str(caught.value) == (
        "model 'm': changed since the start; expected the file as it was at the start"
    )
    assert fake.opened == []


def test_a_file_that_is_gone(fake: FakeBackend, tmp_path: Path) -> None:
    """It is named by the model's name; the path is not told."""
    seen = model(tmp_path / "m")
    (tmp_path / "m").unlink()

    with pytest.raises(HostError) as caught:
        Models(lambda: fake).granted(seen)

    assert str(caught.value) == (
        "model 'm': can't be read: No such file or directory; expected the file as it was at the start"
    )


def test_supplied_models_are_kept_by_content_within_a_bound(
    fake: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes are opened once; above the bound the longest unused go."""
    monkeypatch.setattr(room, "SUPPLIED_LIMIT_BYTES", 30)
    models = Models(lambda: fake)
    a, b, c = (letter * 10 for letter in (b"a", b"b", b"c"))
    first = models.supplied(a)
    models.supplied(b)
    models.supplied(c)

    assert models.supplied(bytes(a)) is first
    models.supplied(b"d" * 20)  # b and c go

    assert models.supplied(a) is first
    models.supplied(b)
    assert [content[:1] for content, _ in fake.opened] == [b"a", b"b", b"c", b"d", b"b"]


def test_the_backend_is_opened_when_first_asked_for(fake: FakeBackend) -> None:
    """Once, and not before: most workers run no model."""
    opens: list[None] = []

    def open_it() -> FakeBackend:
        opens.append(None)
        return fake

    models = Models(open_it)
    assert opens == []

    models.supplied(b"a")
    models.supplied(b"b")
    assert models.backend is fake
    assert len(opens) == 1


def test_the_bound_of_supplied_models() -> None:
    """What docs/manifest.md promises."""
    assert SUPPLIED_LIMIT_BYTES == 64 * MIB
