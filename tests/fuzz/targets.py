"""What is fuzzed: the table of targets, with what each begins from."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import wasmtime
from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from PIL import Image

from conformance.wasi.cases import CASES, module_text
from wasm_grpc.core.model import GuestKind, Limits, Outcome, Reason, WorkerFunction
from wasm_grpc.core.wire import Invoke, Load, Loaded, Result, encode

__all__ = ["TARGETS", "Target"]

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURES = ("PNG", "JPEG", "GIF", "BMP", "WEBP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    One thing that takes any bytes.

    Attributes:
        seeds: What is changed.
        words: Pieces that are put into it.
        engine: The engine that it needs, in the interpreter that has it; "" for none.
    """

    seeds: Callable[[], Sequence[bytes]]
    words: tuple[bytes, ...] = ()
    engine: str = ""


def _modules() -> list[bytes]:
    texts = [
        module_text(CASES["echo"]) if "echo" in CASES else module_text(next(iter(CASES.values()))),
        (REPOSITORY / "tests/conformance/wapc/guest.wat").read_text(),
        """(module (type (func)) (import "wasi_snapshot_preview1" "fd_write"
          (func $w (param i32 i32 i32 i32) (result i32))) (table 3 funcref) (elem (i32.const 0) $s $t)
          (memory (export "memory") 1 4) (global (mut i32) (i32.const 7)) (data (i32.const 8) "text") (data "p")
          (func $s (loop (br_if 0 (i32.const 0)))) (start $s)
          (func $t (export "_start") (local i64 f32 v128) (block (block (br_table 0 1 (i32.const 1))))
            (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1)) (call_indirect (type 0) (i32.const 0))
            (drop (call $w (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))))""",
    ]
    return [bytes(wasmtime.wat2wasm(text)) for text in texts] + [
        (REPOSITORY / "functions/echo/echo.wasm").read_bytes()
    ]


def _manifests() -> list[bytes]:
    own = [path.read_bytes() for path in (REPOSITORY / "functions").glob("*/function.toml")]
    return [*own, _WHOLE.encode()]


def _frames() -> list[bytes]:
    function = WorkerFunction(
        name="f", guest=GuestKind.WASI_COMMAND, artifact="/a", digest="d", limits=Limits()
    )
    messages = (
        Load(3, function),
        Loaded(3),
        Invoke(3, b"A=1\0", b"body"),
        Result(Outcome(reason=Reason.EXITED, message="exit code 3", stderr=b"log")),
    )
    return [b"".join(encode(message)) for message in messages]


def _events() -> list[bytes]:
    event = pb.TopicEventRequest(
        id="1",
        source="/s",
        type="x.y",
        spec_version="1.0",
        data_content_type="application/json",
        data=b'{"a":1}',
        topic="t",
        pubsub_name="p",
        path="f/0",
    )
    event.extensions.update({"subject": "s", "n": 3, "deep": {"a": [1.5, None, True]}})
    entry = pb.TopicEventBulkRequestEntry(
        entry_id="1", bytes=b"b", content_type="text/plain", metadata={"k": "v"}
    )
    other = pb.TopicEventBulkRequestEntry(entry_id="2", cloud_event=pb.TopicEventCERequest(id="1", data=b"a"))
    bulk = pb.TopicEventBulkRequest(id="1", entries=[entry, other], topic="t", pubsub_name="p", path="f/0")
    return [event.SerializeToString(), bulk.SerializeToString()]


def _pictures() -> list[bytes]:
    found = []
    for format_ in PICTURES:
        file = io.BytesIO()
        Image.radial_gradient("L").resize((6, 5)).convert("RGB").save(file, format_)
        found.append(file.getvalue())
    return found


_WHOLE = """
name = "orders"
module = "orders.wasm"
args = ["-v", ""]
response = "cgi"
[env]
LOG = "info"
DB = { secret = "store/DB", key = "k" }
[limits]
timeout = "1m30s"
memory = "32MiB"
output = "unlimited"
[pool]
min = 2
reuse = "warm"
[[trigger.invoke]]
method = "orders/*"
verbs = ["GET", "POST"]
then = { publish = { pubsub = "p", topic = "{json:/a/0}" } }
[[trigger.topic]]
pubsub = "p"
topic = "t"
match = 'event.type == "x"'
bulk = { max_messages = 5, max_await = "1s" }
[[trigger.job]]
name = "j"
schedule = "TZ=Europe/Paris 0 30 3 * * *"
failure = { retries = "unlimited" }
[capabilities]
files = [{ host = "words", guest = "/words" }]
dapr.state = ["store/*"]
nn.models.m = { path = "m.tflite", threads = 2 }
[outcome]
timeout = "drop"
"""
_TOML = (
    b"\n",
    b'"',
    b"'''",
    b"[",
    b"[[",
    b"]]",
    b"{",
    b"}",
    b"=",
    b"1e999",
    b"nan",
    b"-1",
    b'"\\u0000"',
    b"\xff",
)
_CGI = (
    b"\n\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"Status: ",
    b"999",
    b"grpc-",
    b"-bin",
    b":",
    b" ",
    b"Content-Type: a/b\n",
)
_HEADERS = (
    b"\n",
    b":",
    b"dapr-",
    b"DAPR-caller-app-id: x\n",
    b"proxy: x\n",
    b"_",
    b".",
    b"-bin",
    b"\0",
    b"\xff",
)
_JSON = (
    b"[",
    b"{",
    b"}",
    b"]",
    b'"',
    b":",
    b",",
    b"1e999",
    b"NaN",
    b"null",
    b"\\ud800",
    b"[" * 2000,
    b"{id}",
    b"\0",
)
_WASM = tuple(
    bytes([opcode]) for opcode in (0x00, 0x01, 0x05, 0x0B, 0x10, 0x60, 0x7F, 0x70, 0xFC, 0xFD, 0xFE, 0xFF)
)

TARGETS: dict[str, Target] = {
    "module": Target(seeds=_modules, words=_WASM),
    "manifest": Target(seeds=_manifests, words=_TOML),
    "frames": Target(seeds=_frames, words=_JSON),
    "response": Target(
        seeds=lambda: [
            b"Content-Type: text/csv\nX-Tag: a\nStatus: 404 Not Found\n\nbody",
            b"Location: /a\r\nSet-Cookie: a=b\r\n\r\n",
        ],
        words=_CGI,
    ),
    "headers": Target(
        seeds=lambda: [
            b"GET\ndapr-caller-app-id:caller\nx-forwarded-for:1\nuser-agent:a grpc-go/1\nhost:a:80\ncookie:a\ntext/plain"
        ],
        words=_HEADERS,
    ),
    "event": Target(seeds=_events, words=_JSON),
    "template": Target(
        seeds=lambda: [b'orders-{json:/a/0/b~1c}-{id}\0{"a":[{"b/c":1}]}', b"{name}/{subject}\0null"],
        words=_JSON,
    ),
    "dapr-call": Target(
        seeds=lambda: [
            b'{"storeName":"s","key":"k"}',
            b'{"id":"a","message":{"method":"m","data":{"value":"YQ=="}}}',
            b'{"storeName":"s","operations":[{"operationType":"upsert","request":{"key":"k","value":"YQ=="}}]}',
            b"\n\x05store\x12\x03key",
        ],
        words=_JSON,
    ),
    "compile-wasmtime": Target(seeds=_modules, words=_WASM, engine="wasmtime"),
    "compile-wasmer": Target(seeds=_modules, words=_WASM, engine="wasmer"),
    "picture": Target(seeds=_pictures, engine="wasmtime"),
}
