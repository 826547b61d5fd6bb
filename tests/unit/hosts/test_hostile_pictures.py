"""A guest gets 0 or 1 from every function of wasmedge_image, for any arguments, and however little memory there is."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixels.decoders import installed_decoder
from pixels.files import jpeg, noise, png, ramp
from wasm_grpc.core.model import PAGE_BYTES, Limits
from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.hosts.image.functions import FUNCTIONS
from wasm_grpc.hosts.image.state import PictureState
from wasm_grpc.hosts.protocol import HostContext, HostStates
from wasm_grpc.pictures.protocol import Decoder

__all__ = ["Guest"]

NAMES = sorted(name for _, name in FUNCTIONS)
PICTURE = 1000
SOUND = png(noise(5, 4))


class Call:
    """An invocation that may decode pictures."""

    dapr = None

    def __init__(self, decoder: Decoder, limits: Limits) -> None:
        self.limits = limits
        self.states: HostStates = {PictureState: functools.partial(PictureState, decoder)}
        self.lines: list[str] = []

    def log(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)

    def deny(self, line: str) -> None:
        """Keep the line."""
        self.lines.append(line)


class Guest(HostContext):
    """A guest with some pages of memory, in which a picture lies."""

    __slots__ = ("content", "lines")

    def __init__(self, decoder: Decoder, picture: bytes, *, pages: int = 1) -> None:
        super().__init__()
        self.content = bytearray(pages * PAGE_BYTES)
        self.content[PICTURE : PICTURE + len(picture)] = picture
        self.memory = lambda: memoryview(self.content)
        call = Call(decoder, Limits())
        self.lines = call.lines
        self.begin(call)

    def call(self, name: str, *args: int) -> object:
        """Call a function, and return its result."""
        return FUNCTIONS[PICTURES_IMPORT, name].call(self, *args)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    """Open the decoder that this interpreter has."""
    return installed_decoder()


ARGUMENTS = st.one_of(
    st.sampled_from([PICTURE, len(SOUND), 0, 1, 2, 3, 12, 48]),
    st.integers(0, 400),
    st.integers(-(1 << 31), (1 << 32) - 1),
    st.sampled_from([65_535, 65_536, 21_846, 1 << 31, (1 << 32) - 1, -1]),
)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(NAMES), st.lists(ARGUMENTS, min_size=7, max_size=7))
def test_any_call_returns_0_or_1(decoder: Decoder, name: str, args: list[int]) -> None:
    """No function raises. Each 1 comes with one line in the log, and each 0 with none."""
    guest = Guest(decoder, SOUND)
    count = len(FUNCTIONS[PICTURES_IMPORT, name].type.params)

    result = guest.call(name, *args[:count])

    assert result in {0, 1}
    assert len(guest.lines) == result
    assert all(line.startswith(f"wasmedge_image: {name}: ") and "\n" not in line for line in guest.lines)


def test_a_module_without_memory(decoder: Decoder) -> None:
    """Nothing is in bounds of it."""
    guest = Guest(decoder, b"")
    guest.memory = lambda: memoryview(bytearray())

    assert guest.call("load_png", 0, 1, 1, 1, 0, 0, 3) == 1
    assert guest.lines == [
        "wasmedge_image: load_png: the picture is out of bounds; expected 1 bytes at 0 within 0"
    ]


SCRIPT = """
import json, os, resource, sys

sys.path[:0] = json.loads(sys.argv[1])
from unit.hosts.test_hostile_pictures import PICTURE, Guest
from wasm_grpc.pictures.registry import open_decoder

picture = sys.stdin.buffer.read()
side = int(sys.argv[2])
guest = Guest(open_decoder(), picture, pages=256)
args = (PICTURE, len(picture), side, side, 3, 1 << 22, 12 * side * side)
found = {}
for mib in range(0, 120, 4):
    child = os.fork()
    if not child:
        status = dict(line.split(":", 1) for line in open("/proc/self/status"))
        limit = int(status["VmData"].split()[0]) * 1024 + (mib << 20)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        os._exit(10 + guest.call("load_image", *args))
    found[mib] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(found))
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["a PNG", "a progressive JPEG of CMYK"])
def test_too_little_memory_fails_the_call_and_not_the_process(decoder: Decoder, kind: str) -> None:
    """With each limit on memory, the call returns 0 or 1: 1 with the smallest, 0 with the largest."""
    rows = [[*row, *row, *row, *row] for row in ramp(250, 250)] * 4
    picture = png(rows) if kind == "a PNG" else jpeg(rows, mode="CMYK", progressive=True)
    command = [sys.executable, "-c", SCRIPT, json.dumps(sys.path), "600"]

    ended = subprocess.run(command, input=picture, capture_output=True, check=True, timeout=50)

    results = list(json.loads(ended.stdout).values())
    assert set(results) == {10, 11}
    assert results == sorted(results, reverse=True)
