"""waPC's host functions, called as an engine would: calls to Dapr, the guest's answer, hostile pointers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_grpc.core.model import KIB, PAGE_BYTES, Limits, Reason
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.protocol import HostContext, HostStates
from wasm_grpc.hosts.registry import WAPC_FUNCTIONS
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = []

FUNCTIONS = {name: function for (module, name), function in WAPC_FUNCTIONS.items() if module == "wapc"}
NAMES = sorted(FUNCTIONS)
OK = DaprAnswer(DaprStatus.OK, response=b"response")
LIMITS = Limits(output_bytes=8 * KIB, stderr_bytes=KIB)
OUT_AT = 60_000


class RecordingDapr:
    """Gives one answer, and keeps what it was asked."""

    def __init__(self, answer: DaprAnswer) -> None:
        self.answer = answer
        self.calls: list[tuple[str, bytes, bool]] = []

    def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
        """See `Dapr.call`."""
        self.calls.append((method, request, is_json))
        return self.answer


class Call:
    """An invocation; it was granted calls to Dapr if there is a way."""

    def __init__(self, dapr: RecordingDapr | None, limits: Limits) -> None:
        self.dapr = dapr
        self.limits = limits
        self.states: HostStates = {WapcState: WapcState}
        self.lines: list[str] = []
        self.denials: list[str] = []

    def log(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)

    def deny(self, line: str) -> None:
        """Keep the line."""
        self.denials.append(line)


class Guest(HostContext):
    """A guest that is one page of memory."""

    __slots__ = ("content", "host_call")

    def __init__(self, dapr: RecordingDapr | None = None, *, limits: Limits = LIMITS) -> None:
        super().__init__()
        self.content = bytearray(PAGE_BYTES)
        self.memory = lambda: memoryview(self.content)
        self.host_call = Call(dapr, limits)
        self.begin(self.host_call)

    @property
    def state(self) -> WapcState:
        """What it and the host have handed to each other."""
        return self.state_of(WapcState)

    def call(self, name: str, *args: int) -> object:
        """Call a function."""
        return FUNCTIONS[name].call(self, *args)

    def ask(self, *texts: bytes) -> tuple[object, bytes, bytes]:
        """Call the host with binding, namespace, operation and payload; return what the guest learns."""
        args: list[int] = []
        at = 8
        for text in texts:
            self.content[at : at + len(text)] = text
            args += [at, len(text)]
            at += len(text)
        result = self.call("__host_call", *args)
        return result, self._fetch("__host_response"), self._fetch("__host_error")

    def _fetch(self, name: str) -> bytes:
        length = self.call(f"{name}_len")
        assert isinstance(length, int)
        self.call(name, OUT_AT)
        return bytes(self.content[OUT_AT : OUT_AT + length])


@pytest.mark.parametrize(
    ("namespace", "payload", "is_json"),
    [
        (b"json", b'{"storeName":"s"}', True),
        (b"json", b"", True),
        (b"protobuf", b"{", False),
        (b"protobuf", b"\n\x01s", False),
        (b"", b'{"storeName":"s"}', True),
        (b"", b"\n\x01s", False),
        (b"", b"", False),
    ],
)
def test_a_call_to_dapr(namespace: bytes, payload: bytes, *, is_json: bool) -> None:
    """The namespace tells the form of the request; without one, its first byte does."""
    dapr = RecordingDapr(OK)

    answer = Guest(dapr).ask(b"dapr", namespace, b"GetState", payload)

    assert answer == (1, b"response", b"")
    assert dapr.calls == [("GetState", payload, is_json)]


@pytest.mark.parametrize(
    ("status", "message", "denials"),
    [
        (DaprStatus.DENIED, "state 's/k' is not granted", ["state 's/k' is not granted"]),
        (DaprStatus.INVALID, "request is no JSON", []),
        (DaprStatus.UNAVAILABLE, "UNAVAILABLE: there is no sidecar", []),
        (DaprStatus.FAILED, "NOT_FOUND: no store", []),
    ],
)
def test_a_call_that_fails(status: DaprStatus, message: str, denials: list[str]) -> None:
    """The guest gets the message as the host's error, and a denial is recorded."""
    guest = Guest(RecordingDapr(DaprAnswer(status, message)))

    answer = guest.ask(b"dapr", b"json", b"GetState", b"{}")

    assert answer == (0, b"", message.encode())
    assert guest.host_call.denials == denials


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        ((b"kv", b"", b"Get", b""), "binding 'kv' is unknown; expected one that the function was granted"),
        ((b"", b"", b"", b""), "binding '' is unknown; expected one that the function was granted"),
        ((b"dapr", b"state", b"Get", b""), "namespace 'state' is unknown; expected 'json' or 'protobuf'"),
        ((b"dapr", b"", b"G" * 257, b""), "operation of 257 bytes; expected at most 256"),
        ((b"dapr", b"", b"G", b"p" * 8193), "payload of 8193 bytes; expected at most 8192"),
    ],
    ids=["binding", "no binding", "namespace", "operation", "payload"],
)
def test_a_call_of_nothing_that_there_is(texts: Sequence[bytes], error: str) -> None:
    """It does not reach Dapr. The guest and its log are told why."""
    dapr = RecordingDapr(OK)
    guest = Guest(dapr)

    answer = guest.ask(*texts)

    assert answer == (0, b"", error.encode())
    assert guest.host_call.lines == [f"wapc: __host_call: {error}"]
    assert (dapr.calls, guest.host_call.denials) == ([], [])


def test_without_a_grant_dapr_is_as_unknown_as_anything() -> None:
    """The guest can't tell that there is Dapr: of two bindings only the name differs."""
    errors = [Guest().ask(name, b"any", b"GetState", b"")[2] for name in (b"dapr", b"nope")]

    assert errors[0].replace(b"dapr", b"nope") == errors[1]


def test_the_last_call_counts() -> None:
    """A response is gone after a call that fails, and an error after one that succeeds."""
    dapr = RecordingDapr(OK)
    guest = Guest(dapr)
    guest.ask(b"dapr", b"", b"A", b"")
    dapr.answer = DaprAnswer(DaprStatus.FAILED, "ABORTED: no")

    assert guest.ask(b"dapr", b"", b"B", b"") == (0, b"", b"ABORTED: no")
    dapr.answer = OK
    assert guest.ask(b"dapr", b"", b"C", b"") == (1, b"response", b"")


def test_before_any_call_there_is_nothing_to_fetch() -> None:
    """No response and no error have 0 bytes, and fetching them changes nothing."""
    guest = Guest()

    lengths = [guest.call("__host_response_len"), guest.call("__host_error_len")]
    for name in ("__host_response", "__host_error"):
        guest.call(name, 0)
    guest.call("__guest_request", -1, -1)

    assert lengths == [0, 0]
    assert guest.content == bytes(PAGE_BYTES)


def test_a_request_and_its_answer() -> None:
    """The guest gets its request where it wants; of several responses and errors the last one counts."""
    guest = Guest()
    guest.state.request(b"op", b"payload")

    guest.call("__guest_request", 100, 200)
    for at, length in ((100, 2), (200, 7)):
        guest.call("__guest_response", at, length)
        guest.call("__guest_error", at, length)

    assert bytes(guest.content[100:102] + guest.content[200:207]) == b"oppayload"
    assert (guest.state.response, guest.state.error) == (b"payload", b"payload")


def test_the_log() -> None:
    """A line is text, whatever its bytes, and no longer than what the log keeps."""
    guest = Guest()
    guest.content[:3] = b"a\xffb"

    guest.call("__console_log", 0, 3)
    guest.call("__console_log", 0, PAGE_BYTES)

    assert guest.host_call.lines == ["a\ufffdb", "\0" * KIB]


def test_a_log_that_keeps_nothing() -> None:
    """No limit is not the same as a limit of 0."""
    guest = Guest(limits=Limits(stderr_bytes=0))

    guest.call("__console_log", 0, 3)

    assert guest.host_call.lines == [""]


def test_a_response_over_the_limit() -> None:
    """It stops the guest before anything is copied."""
    guest = Guest()

    with pytest.raises(GuestStop, match="response of 8193 bytes; expected at most 8192") as caught:
        guest.call("__guest_response", 0, 8 * KIB + 1)

    assert (caught.value.reason, caught.value.limit) == (Reason.OUTPUT_LIMIT, "limits.output")


def test_an_error_is_cut() -> None:
    """No caller is told that much."""
    guest = Guest()

    guest.call("__guest_error", 0, PAGE_BYTES)

    assert guest.state.error == bytes(2 * KIB)


OUTSIDE = [(PAGE_BYTES, 1), (-1, 2), (1, -1), (-1, -1), (PAGE_BYTES - 1, 2)]


@pytest.mark.parametrize(("at", "length"), OUTSIDE)
@pytest.mark.parametrize("name", ["__guest_response", "__guest_error", "__console_log"])
def test_a_region_outside_memory_ends_the_guest(name: str, at: int, length: int) -> None:
    """The function has no result to say so, and an instruction with that address would end it too."""
    guest = Guest()

    with pytest.raises(GuestStop, match=f"^out of bounds memory access in wapc.{name}: ") as caught:
        guest.call(name, at, length)

    assert caught.value.reason is Reason.TRAPPED


@pytest.mark.parametrize("name", ["__host_response", "__host_error", "__guest_request"])
def test_no_place_for_what_the_guest_fetches_ends_it(name: str) -> None:
    """Nothing is written at all."""
    guest = Guest()
    guest.state.request(b"operation", b"")
    guest.state.host_response = guest.state.host_error = b"answer"

    with pytest.raises(GuestStop, match=f"^out of bounds memory access in wapc.{name}: "):
        guest.call(name, *[PAGE_BYTES - 1, 0][: len(FUNCTIONS[name].type.params)])

    assert guest.content == bytes(PAGE_BYTES)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize(("at", "length"), OUTSIDE)
def test_a_host_call_with_a_region_outside_memory_fails(position: int, at: int, length: int) -> None:
    """It has a result, so the guest is told and goes on."""
    dapr = RecordingDapr(OK)
    guest = Guest(dapr)
    guest.content[:4] = b"dapr"
    args = [0, 4, 0, 0, 0, 4, 0, 0]
    args[2 * position : 2 * position + 2] = [at, length]

    assert guest.call("__host_call", *args) == 0
    assert guest.state.host_error.endswith(b"expected them within 65536")
    assert dapr.calls == []


@pytest.mark.parametrize("at", [0, 1, PAGE_BYTES, -1])
def test_no_bytes_may_be_anywhere(at: int) -> None:
    """The SDKs pass dangling pointers to empty text."""
    guest = Guest(RecordingDapr(OK))
    guest.content[:4] = b"dapr"

    for name in ("__guest_response", "__guest_error", "__console_log"):
        guest.call(name, at, 0)

    assert guest.call("__host_call", 0, 4, at, 0, 0, 4, at, 0) == 1
    assert (guest.state.response, guest.state.error, guest.host_call.lines) == (b"", b"", [""])


ARGUMENTS = st.one_of(
    st.integers(0, 64),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.sampled_from([PAGE_BYTES - 1, PAGE_BYTES, PAGE_BYTES + 1]),
)
CALLS = st.tuples(st.sampled_from(NAMES), st.lists(ARGUMENTS, min_size=8, max_size=8))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=64), st.lists(CALLS, min_size=1, max_size=20))
def test_any_call_returns_or_stops_the_guest(memory: bytes, calls: list[tuple[str, list[int]]]) -> None:
    """No function raises anything else, for any arguments, after any other calls."""
    guest = Guest(RecordingDapr(OK))
    guest.content[: len(memory)] = memory
    guest.state.request(b"operation", b"payload")

    for name, args in calls:
        kind = FUNCTIONS[name].type
        with contextlib.suppress(GuestStop):
            assert isinstance(guest.call(name, *args[: len(kind.params)]), int) == bool(kind.results)
        assert len(guest.content) == PAGE_BYTES
