"""One manifest: what is read from a good one, and every line about a bad one."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from wasm_grpc.core.model import (
    KIB,
    MIB,
    EngineName,
    GuestKind,
    Limits,
    PoolPolicy,
    ResponseKind,
    ReuseKind,
    TensorTypes,
)
from wasm_grpc.manifest.document import DocumentReader
from wasm_grpc.manifest.keys import Verb
from wasm_grpc.manifest.outputs import StateConcurrency
from wasm_grpc.manifest.tables import Retry
from wasm_grpc.manifest.triggers import Fanout

PIN = "ab" * 32

WHOLE = f"""
name = "grayscale"
module = "build/grayscale.wasm"
sha256 = "{PIN}"
guest = "wapc"
engine = "wasmtime"
args = ["-v", ""]
response = "cgi"
content_type = "image/png"

[env]
LOG = "info"
DB_URL = {{ secret = "local-store/DB_URL", key = "url" }}

[limits]
timeout = "unlimited"
cpu = "2s"
queue_wait = "0s"
idle_timeout = "1m30s"
memory = 131072
output = "unlimited"
body = "1MiB"
stderr = "8KiB"
scratch = 0
host_calls = 7
dapr_timeout = "250ms"

[pool]
min = 2
max = 3
queue = 5
reuse = "warm"
max_invocations = 9

[[trigger.invoke]]
method = "/orders/*"
verbs = ["GET", "PUT"]
call = "infer"

[[trigger.invoke.then]]
state = {{ store = "statestore", key = "orders-{{json:/id}}", ttl = "36h" }}

[[trigger.invoke.then]]
state.store = "s"
state.key = "k"
state.concurrency = "first-write"
state.etag = "{{json:/etag}}"

[[trigger.topic]]
pubsub = "pubsub"
topic = "images"
match = 'event.type == "image.uploaded"'
dead_letter = "images-failed"
bulk = {{ max_messages = 10, max_await = "50ms" }}
metadata = {{ rawPayload = "true" }}
then = {{ publish = {{ pubsub = "pubsub", topic = "grey-{{subject}}" }} }}

[[trigger.binding]]
name = "cron"
to = ["files", "mail"]
concurrency = "parallel"
then = {{ binding = {{ name = "mail", operation = "create", metadata = {{ to = "{{name}}", cc = ["{{id}}"], sql = "'{{}}'" }} }} }}

[[trigger.job]]
name = "nightly"
schedule = "@daily"
due_time = "10s"
data = "{{}}"
failure = {{ retries = "unlimited", interval = "2s" }}

[capabilities]
files = [{{ host = "model", guest = "/model" }}]
dapr.state = ["statestore/orders-*"]
dapr.publish = ["pubsub/grey-images"]
dapr.invoke = ["events-service/create_event"]
dapr.secrets = ["local-store/DB_URL"]
dapr.bindings = ["mail/create"]
dapr.configuration = ["configstore/*"]

[capabilities.nn]
load = true
models.default = {{ path = "model/model.tflite", threads = 2, sha256 = "{PIN}" }}
tensor_types = "old"

[outcome]
rejected = "retry"
failed = "retry"
timeout = "drop"
overloaded = "drop"
denied = "retry"
crash = "drop"
then_failed = "drop"
"""

MINIMAL = 'name = "f"\nmodule = "f.wasm"\n{more}\n[[trigger.invoke]]\nmethod = "f"\n'


def _problems(folder: Path, text: str | bytes) -> tuple[str, ...]:
    (folder / "function.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return DocumentReader().read(folder).problems


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key of the manifest reaches its attribute, durations in seconds and sizes in bytes."""
    (tmp_path / "function.toml").write_text(WHOLE)

    document = DocumentReader().read(tmp_path)

    assert document.problems == ()
    assert document.manifest is not None
    assert asdict(document.manifest) == {
        "name": "grayscale",
        "module": "build/grayscale.wasm",
        "sha256": PIN,
        "guest": GuestKind.WAPC,
        "engine": EngineName.WASMTIME,
        "args": ("-v", ""),
        "response": ResponseKind.CGI,
        "content_type": "image/png",
        "env": {"LOG": "info", "DB_URL": {"secret": "local-store/DB_URL", "key": "url"}},
        "limits": {
            "timeout_s": None,
            "cpu_s": 2.0,
            "queue_wait_s": 0.0,
            "idle_timeout_s": 90.0,
            "memory_bytes": 128 * KIB,
            "output_bytes": None,
            "body_bytes": MIB,
            "stderr_bytes": 8 * KIB,
            "scratch_bytes": 0,
            "host_calls": 7,
            "dapr_timeout_s": 0.25,
        },
        "pool": {"min": 2, "max": 3, "queue": 5, "reuse": ReuseKind.WARM, "max_invocations": 9},
        "trigger": {
            "invoke": (
                {
                    "method": {"path": "orders", "is_prefix": True},
                    "verbs": (Verb.GET, Verb.PUT),
                    "call": "infer",
                    "then": (
                        {
                            "publish": None,
                            "state": {
                                "store": "statestore",
                                "key": "orders-{json:/id}",
                                "concurrency": StateConcurrency.LAST_WRITE,
                                "etag": None,
                                "ttl": 36 * 3600,
                            },
                            "binding": None,
                        },
                        {
                            "publish": None,
                            "state": {
                                "store": "s",
                                "key": "k",
                                "concurrency": StateConcurrency.FIRST_WRITE,
                                "etag": "{json:/etag}",
                                "ttl": None,
                            },
                            "binding": None,
                        },
                    ),
                },
            ),
            "topic": (
                {
                    "pubsub": "pubsub",
                    "topic": "images",
                    "match": 'event.type == "image.uploaded"',
                    "dead_letter": "images-failed",
                    "bulk": {"max_messages": 10, "max_await": 0.05},
                    "metadata": {"rawPayload": "true"},
                    "call": None,
                    "then": (
                        {
                            "publish": {"pubsub": "pubsub", "topic": "grey-{subject}"},
                            "state": None,
                            "binding": None,
                        },
                    ),
                },
            ),
            "binding": (
                {
                    "name": "cron",
                    "to": ("files", "mail"),
                    "concurrency": Fanout.PARALLEL,
                    "call": None,
                    "then": (
                        {
                            "publish": None,
                            "state": None,
                            "binding": {
                                "name": "mail",
                                "operation": "create",
                                "metadata": {"to": "{name}", "cc": ("{id}",), "sql": "'{}'"},
                            },
                        },
                    ),
                },
            ),
            "job": (
                {
                    "name": "nightly",
                    "schedule": "@daily",
                    "due_time": "10s",
                    "data": "{}",
                    "failure": {"retries": None, "interval": 2.0, "drop": False},
                    "call": None,
                    "then": (),
                },
            ),
        },
        "capabilities": {
            "files": ({"host": "model", "guest": "/model"},),
            "dapr": {
                "state": ("statestore/orders-*",),
                "publish": ("pubsub/grey-images",),
                "invoke": ("events-service/create_event",),
                "secrets": ("local-store/DB_URL",),
                "bindings": ("mail/create",),
                "configuration": ("configstore/*",),
            },
            "nn": {
                "load": True,
                "models": {"default": {"path": "model/model.tflite", "threads": 2, "sha256": PIN}},
                "tensor_types": TensorTypes.OLD,
            },
        },
        "outcome": {
            "rejected": Retry.RETRY,
            "failed": Retry.RETRY,
            "timeout": Retry.DROP,
            "overloaded": Retry.DROP,
            "denied": Retry.RETRY,
            "crash": Retry.DROP,
            "then_failed": Retry.DROP,
        },
    }


def test_limits_and_pool_default_to_the_models_own(tmp_path: Path) -> None:
    """A manifest without [limits] and [pool] has the defaults of `Limits` and `PoolPolicy`."""
    (tmp_path / "function.toml").write_text(MINIMAL.format(more=""))

    manifest = DocumentReader().read(tmp_path).manifest

    assert manifest is not None
    assert asdict(manifest.limits) == asdict(Limits())
    assert asdict(manifest.pool) == asdict(PoolPolicy())


ENGINES = "expected 'auto', 'wasmer' or 'wasmtime'"
METHOD = "expected a method such as 'grayscale' or 'api/image', or a prefix such as 'orders/*'"
SIZE = "expected a number of bytes, or a size such as '64MiB' or '16KiB'"
DURATION = "expected a duration such as '5s', '50ms' or '1m30s'"
BELOW = "expected a path below the function's folder, such as 'model/model.tflite'"
HEX = "expected 64 lower-case hexadecimal digits"
GUEST_PATH = "expected an absolute path without '.' and '..', such as '/model'"
METHOD_PATH = (
    "expected '<app>/<method>', the method without a '/' first, a '?', '#', '\\', control character or a"
    " segment '.' or '..'"
)
ONE_OUTPUT = "expected exactly one of publish, state or binding"

WRONG_VALUES = [
    ("enigne = 'wasmer'", "enigne: unknown key; did you mean 'engine'?"),
    ("limits.timout = '5s'", "limits.timout: unknown key; did you mean 'limits.timeout'?"),
    ("limits.timeout_s = 5", "limits.timeout_s: unknown key; did you mean 'limits.timeout'?"),
    ("timeout = '5s'", "timeout: unknown key; did you mean 'limits.timeout'?"),
    ("limits.guest = 'wapc'", "limits.guest: unknown key; did you mean 'guest'?"),
    ("pool.xyz = 1", "pool.xyz: unknown key; expected 'max', 'max_invocations', 'min', 'queue' or 'reuse'"),
    (
        '"a\\nb" = 1',
        (
            '"a\\nb": unknown key;'
            " expected 'args', 'capabilities', 'content_type', 'engine', 'env', 'guest',"
            " 'limits', 'module', 'name', 'outcome', 'pool', 'response' and 2 more"
        ),
    ),
    (
        "guest = 'wasi'",
        "guest: 'wasi' is not known here; expected 'wasi-command', 'wapc' or 'wasmedge-bindgen'",
    ),
    ("engine = 'fake'", f"engine: 'fake' is not an engine; {ENGINES}"),
    ("engine = 1", f"engine: 1 is an integer; {ENGINES}"),
    ("response = true", "response: true is a boolean; expected 'raw' or 'cgi'"),
    ("sha256 = 'AB'", f"sha256: 'AB' is not allowed; {HEX}"),
    (
        "args = 'x'",
        "args: 'x' is a string; expected an array, or 'query' for the parts of each request's query",
    ),
    ("args = 1", "args: 1 is an integer; expected an array"),
    ("args = ['x', 1979-05-27]", "args[1]: 1979-05-27 is a date or time; expected a string"),
    ('args = ["a\\u0000"]', r"args[0]: 'a\x00' has a NUL character; expected text without it"),
    (
        "content_type = 'png'",
        "content_type: 'png' is not allowed; expected a media type such as 'image/png'",
    ),
    ("env = 'x'", "env: 'x' is a string; expected a table"),
    ("env.A = 5", "env.A: 5 is an integer; expected a string"),
    (
        "env.'a b' = 'x'",
        "env.\"a b\": 'a b' is not allowed; expected letters, digits and '_', no digit first",
    ),
    (
        "env.A = { secret = 'x' }",
        "env.A.secret: 'x' is not allowed; expected '<store>/<key>', such as 'local-store/DB_URL'",
    ),
    ("limits = 5", "limits: 5 is an integer; expected a table"),
    ("limits.timeout = 5", f"limits.timeout: 5 is an integer; {DURATION}, or 'unlimited'"),
    ("limits.timeout = '5'", f"limits.timeout: '5' is not a duration; {DURATION}, or 'unlimited'"),
    ("limits.timeout = ''", f"limits.timeout: is empty; {DURATION}, or 'unlimited'"),
    ("limits.timeout = '0s'", "limits.timeout: '0s' is out of range; expected 1ms to 24h"),
    ("limits.timeout = '25h'", "limits.timeout: '25h' is out of range; expected 1ms to 24h"),
    ("limits.cpu = 'unlimited'", f"limits.cpu: 'unlimited' is not a duration; {DURATION}"),
    ("limits.memory = '64MB'", f"limits.memory: '64MB' is not a size; {SIZE}"),
    (
        "limits.memory = 100000",
        "limits.memory: 100000 is not a whole number of pages; expected a multiple of 64KiB, such as 64KiB or 128KiB",
    ),
    ("limits.memory = '0B'", "limits.memory: '0B' is out of range; expected 64KiB to 4194240KiB"),
    ("limits.memory = '4GiB'", "limits.memory: '4GiB' is out of range; expected 64KiB to 4194240KiB"),
    ("limits.output = true", f"limits.output: true is a boolean; {SIZE}, or 'unlimited'"),
    ("limits.body = 'unlimited'", f"limits.body: 'unlimited' is not a size; {SIZE}"),
    ("limits.body = '2GiB'", "limits.body: '2GiB' is out of range; expected 0B to 2046MiB"),
    ("limits.stderr = -1", "limits.stderr: -1 is out of range; expected 0B to 1MiB"),
    (
        f"limits.scratch = 0x1{'0' * 4000}",
        "limits.scratch: a number too large for TOML is out of range; expected 0B to 4GiB",
    ),
    ("limits.host_calls = true", "limits.host_calls: true is a boolean; expected a whole number"),
    ("limits.host_calls = 1.0", "limits.host_calls: 1.0 is a float; expected a whole number"),
    ("limits.host_calls = -1", "limits.host_calls: -1 is too small; expected at least 0"),
    ("pool.max = 0", "pool.max: 0 is too small; expected at least 1"),
    ("pool.queue = 2000000000", "pool.queue: 2000000000 is too large; expected at most 1000000000"),
    ("pool = { min = 3, max = 2 }", "pool.min: 3 is more than pool.max; expected at most 2"),
    (
        "pool.reuse = 'warm'",
        "pool.reuse: 'warm' needs a guest that survives a call; expected 'fresh' for wasi-command",
    ),
    ("outcome.crash = 'x'", "outcome.crash: 'x' is not known here; expected 'retry' or 'drop'"),
    ("outcome.crash = []", "outcome.crash: it is an array; expected 'retry' or 'drop'"),
    (
        "trigger.topic = { pubsub = 'p', topic = 't' }",
        "trigger.topic: it is a table; expected an array of tables, each under [[trigger.topic]]",
    ),
    (
        "[[trigger.topic]]\npubsub = 'p'",
        "trigger.topic[0].topic: missing; expected the topic, such as 'images'",
    ),
    (
        "[[trigger.topic]]\npubsub = 'p'\ntopic = 't'\nmatch = 5",
        "trigger.topic[0].match: 5 is an integer; expected a string",
    ),
    (
        "[[trigger.topic]]\npubsub = 'p'\ntopic = 't'\nbulk = { max_messages = 0 }",
        "trigger.topic[0].bulk.max_messages: 0 is too small; expected at least 1",
    ),
    (
        "[[trigger.topic]]\npubsub = 'p'\ntopic = ''",
        "trigger.topic[0].topic: is empty; expected text without control characters",
    ),
    (
        "[[trigger.topic]]\npubsub = 'p'\ntopic = 't'\nmetadata.rawPayload = true",
        "trigger.topic[0].metadata.rawPayload: true is a boolean; expected a string",
    ),
    (
        "[[trigger.job]]\nname = 'j'\ndata = 'x'",
        "trigger.job[0].data: has no schedule; expected schedule or due_time beside it",
    ),
    (
        "[[trigger.job]]\nname = 'j'\nfailure = {}",
        "trigger.job[0].failure: has no schedule; expected schedule or due_time beside it",
    ),
    (
        "[[trigger.job]]\nname = 'a/b'",
        (
            "trigger.job[0].name: 'a/b' is not allowed; expected a name without '/', '\\', '#', '?' and"
            " control characters"
        ),
    ),
    *(
        (
            f"[[trigger.job]]\nname = 'j'\nschedule = '{schedule}'",
            (
                f"trigger.job[0].schedule: '{schedule}' is not allowed; expected a period such as '@daily' or"
                " '@every 1h30m', or six fields from seconds to days of the week, such as '0 30 3 * * *'"
            ),
        )
        for schedule in ("@dayly", "@every 1d", "30 3 * * *", "* * * * * * *")
    ),
    (
        "[[trigger.job]]\nname = 'j'\ndue_time = 'tomorrow'",
        (
            "trigger.job[0].due_time: 'tomorrow' is not allowed; expected a time such as"
            " '2030-01-31T12:00:00Z', or a duration such as '10m' or 'PT10M'"
        ),
    ),
    (
        "[[trigger.job]]\nname = 'j'\nschedule = '@daily'\nfailure.retries = -1",
        (
            "trigger.job[0].failure.retries: -1 is not a number of retries; expected 0 to 1000000000,"
            " or 'unlimited'"
        ),
    ),
    (
        "[[trigger.job]]\nname = 'j'\nschedule = '@daily'\nfailure = { drop = true, retries = 1 }",
        "trigger.job[0].failure.drop: stands beside retries or interval; expected either drop or the other two",
    ),
    ("[[trigger.binding]]\nname = 'b'\nthen = {}", f"trigger.binding[0].then: is empty; {ONE_OUTPUT}"),
    (
        "[[trigger.binding]]\nname = 'b'\nthen = []",
        "trigger.binding[0].then: is empty; expected at least one destination",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen = [{ publish = { pubsub = 'p', topic = 't' } }, {}]",
        f"trigger.binding[0].then[1]: is empty; {ONE_OUTPUT}",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen = 'publish'",
        "trigger.binding[0].then: 'publish' is a string; expected a table",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.states = { store = 's', key = 'k' }",
        "trigger.binding[0].then.states: unknown key; did you mean 'trigger.binding[0].then.state'?",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen = [{ state = { store = 's', key = 'k', kee = 'k' } }]",
        "trigger.binding[0].then[0].state.kee: unknown key; "
        "did you mean 'trigger.binding[0].then[0].state.key'?",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.state = { store = 's', key = 'k', etag = '{json:/etag}' }",
        "trigger.binding[0].then.state.etag: has no effect on a last-write; "
        "expected concurrency = 'first-write' beside it",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.state = { store = 's', key = 'k', concurrency = 'first' }",
        "trigger.binding[0].then.state.concurrency: 'first' is not known here; "
        "expected 'first-write' or 'last-write'",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.state = { store = 's', key = 'k', ttl = '10ms' }",
        "trigger.binding[0].then.state.ttl: '10ms' is out of range; expected 1s to 87600h",
    ),
    *(
        (
            f"[[trigger.binding]]\nname = 'b'\nthen.binding = {{ name = 'b', operation = 'exec', metadata = {metadata} }}",
            f"trigger.binding[0].then.binding.metadata.{fault}",
        )
        for metadata, fault in (
            (
                "{ sql = 'insert into {json:/table} values (1)' }",
                "sql: has the placeholder '{json:/table}'; expected a parameter such as $1 in its place, and the"
                " placeholder in the list 'params' beside it",
            ),
            ("{ sql = '' }", "sql: is empty; expected a statement of SQL"),
            ("{ sql = ['x'] }", "sql: it is an array; expected a string"),
            ("{ sql = 5 }", "sql: 5 is an integer; expected a string"),
            (
                """{ sql = 'x', params = '["{id}"]' }""",
                """params: '["{id}"]' is a string; expected an array with a string for each parameter, such as"""
                " ['{id}', '{json:/total}']",
            ),
            ("{ params = [1] }", "params[0]: 1 is an integer; expected a string"),
            (
                "{ params = ['{}'] }",
                "params[0]: '{}' is not a placeholder; expected {id}, {subject}, {method}, {name}, {result} or"
                " {json:/pointer}",
            ),
            (
                "{ 'a.b' = '{x}' }",
                "\"a.b\": '{x}' is not a placeholder; expected {id}, {subject}, {method}, {name}, {result} or"
                " {json:/pointer}",
            ),
        )
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.binding = { name = 'b' }",
        "trigger.binding[0].then.binding.operation: missing; "
        "expected the operation of the binding, such as 'create'",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nto = 'mail'",
        "trigger.binding[0].to: 'mail' is a string; expected an array",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nconcurrency = 'both'",
        "trigger.binding[0].concurrency: 'both' is not known here; expected 'sequential' or 'parallel'",
    ),
    (
        (
            "[[trigger.binding]]\nname = 'b'\n[trigger.binding.then]\n"
            "publish = { pubsub = 'p', topic = 't' }\nstate = { store = 's', key = 'k' }"
        ),
        f"trigger.binding[0].then: has publish and state; {ONE_OUTPUT}",
    ),
    (
        "[[trigger.binding]]\nname = 'b'\nthen.state = { store = 's', key = '{ID}' }",
        (
            "trigger.binding[0].then.state.key: '{ID}' is not a placeholder; expected"
            " {id}, {subject}, {method}, {name}, {result} or {json:/pointer}"
        ),
    ),
    (
        "capabilities.files = [{ host = '../x', guest = '/x' }]",
        f"capabilities.files[0].host: '../x' has a '..'; {BELOW}",
    ),
    (
        "capabilities.files = [{ host = 'x', guest = 'x' }]",
        f"capabilities.files[0].guest: 'x' is not a guest path; {GUEST_PATH}",
    ),
    (
        "capabilities.files = [{ host = 'x', guest = '/a/../b' }]",
        f"capabilities.files[0].guest: '/a/../b' is not a guest path; {GUEST_PATH}",
    ),
    (
        "capabilities.files = [{ host = 'x', guest = '/tmp/x' }]",
        (
            "capabilities.files[0].guest: '/tmp/x' is in the guest's scratch folder;"
            " expected a path outside '/tmp'"
        ),
    ),
    (
        "capabilities.dapr.state = ['*']",
        (
            "capabilities.dapr.state[0]: '*' is not a grant; expected '<component>/<name>', such as"
            " 'statestore/orders-*'"
        ),
    ),
    (
        "capabilities.dapr.publish = ['p/a*b']",
        "capabilities.dapr.publish[0]: 'p/a*b' has a '*' before its end; expected '*' only at the end",
    ),
    *(
        (
            f"capabilities.dapr.invoke = ['{grant}']",
            f"capabilities.dapr.invoke[0]: '{grant}' names a method that can't be called; {METHOD_PATH}",
        )
        for grant in ("shop//quote", "shop/quote?x=1", "shop/quote#a", "shop/a/../b", "shop/.", "shop/..;a/*")
    ),
    ("capabilities.nn.load = 1", "capabilities.nn.load: 1 is an integer; expected true or false"),
    (
        "capabilities.nn.models.m = { path = '/etc/passwd' }",
        f"capabilities.nn.models.m.path: '/etc/passwd' is an absolute path; {BELOW}",
    ),
    (
        "capabilities.nn.models.m = { path = 'm', threads = 0 }",
        "capabilities.nn.models.m.threads: 0 is too small; expected at least 1",
    ),
    (
        "capabilities.nn.tensor_types = 'newest'",
        "capabilities.nn.tensor_types: 'newest' is not known here; expected 'auto', 'old' or 'new'",
    ),
    ("capabilities.nn.models.m = 'm'", "capabilities.nn.models.m: 'm' is a string; expected a table"),
]


@pytest.mark.parametrize(("more", "problem"), WRONG_VALUES, ids=[problem for _, problem in WRONG_VALUES])
def test_wrong_value(tmp_path: Path, more: str, problem: str) -> None:
    """Each wrong key or value gives its one line, which names the key and what was expected."""
    assert _problems(tmp_path, MINIMAL.format(more=more)) == (problem,)


@pytest.mark.parametrize("grant", ["shop/*", "shop/a/b", "shop/.well-known/*", "shop/..a", "shop/a%2Fb"])
def test_methods_that_can_be_granted(tmp_path: Path, grant: str) -> None:
    """Dots and escapes that lead nowhere else are part of a method's name."""
    assert _problems(tmp_path, MINIMAL.format(more=f"capabilities.dapr.invoke = ['{grant}']")) == ()


NAME = "expected up to 63 lower-case letters, digits and '-', a letter or digit first and last"
NOTHING_CALLS = "expected what calls the function: a line [[trigger.invoke]] and below it method = '<name>'"
TRIGGER = "[[trigger.invoke]]\nmethod = 'f'\n"

WRONG_FILES: list[tuple[str, str | bytes, tuple[str, ...]]] = [
    (
        "empty",
        "",
        (
            "name: missing; expected the function's name, such as 'grayscale'",
            (
                "module: missing; expected the WebAssembly module, a file below the function's folder,"
                " such as 'grayscale.wasm'"
            ),
            f"trigger: missing; {NOTHING_CALLS}",
        ),
    ),
    (
        "two faults",
        f"name = 'F'\nmodule = 'http://x/f.wasm'\n{TRIGGER}",
        (
            f"name: 'F' is not allowed; {NAME}",
            (
                "module: 'http://x/f.wasm' is not a module; expected a file below the function's folder,"
                " 'https://…' or 'oci://…'"
            ),
        ),
    ),
    ("name ends with -", f"name = 'f-'\nmodule = 'f'\n{TRIGGER}", (f"name: 'f-' is not allowed; {NAME}",)),
    (
        "name too long",
        f"name = '{'f' * 64}'\nmodule = 'f'\n{TRIGGER}",
        (f"name: '{'f' * 60}…' is not allowed; {NAME}",),
    ),
    (
        "module absolute",
        f"name = 'f'\nmodule = '/f.wasm'\n{TRIGGER}",
        (f"module: '/f.wasm' is an absolute path; {BELOW}",),
    ),
    (
        "module above",
        f"name = 'f'\nmodule = 'a/../../f.wasm'\n{TRIGGER}",
        (f"module: 'a/../../f.wasm' has a '..'; {BELOW}",),
    ),
    (
        "module is the folder",
        f"name = 'f'\nmodule = '.'\n{TRIGGER}",
        (f"module: '.' is not a path; {BELOW}",),
    ),
    (
        "no trigger in the table",
        "name = 'f'\nmodule = 'f'\n[trigger]\n",
        (
            (
                "trigger: is empty, so nothing calls the function; expected a line [[trigger.invoke]]"
                " and below it method = '<name>'; or a topic, binding or job"
            ),
        ),
    ),
    (
        "verb in small letters",
        f"name = 'f'\nmodule = 'f'\n{TRIGGER}verbs = ['get']\n",
        (
            (
                "trigger.invoke[0].verbs[0]: 'get' is not known here; expected 'GET', 'HEAD', 'POST', 'PUT',"
                " 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE' or 'PATCH'"
            ),
        ),
    ),
    (
        "no verbs",
        f"name = 'f'\nmodule = 'f'\n{TRIGGER}verbs = []\n",
        ("trigger.invoke[0].verbs: is empty; expected at least one verb",),
    ),
    (
        "misspelt method",
        "name = 'f'\nmodule = 'f'\n[[trigger.invoke]]\nmethd = 'f'\n",
        (
            (
                "trigger.invoke[0].method: missing;"
                " expected the method, or a prefix whose rest is the guest's"
                " PATH_INFO, such as 'grayscale'"
            ),
            "trigger.invoke[0].methd: unknown key; did you mean 'trigger.invoke[0].method'?",
        ),
    ),
    *(
        (
            f"method {method!r}",
            f"name = 'f'\nmodule = 'f'\n[[trigger.invoke]]\nmethod = '{method}'\n",
            (f"trigger.invoke[0].method: {method!r} {fault}; {METHOD}",),
        )
        for method, fault in [
            ("", "has an empty segment"),
            ("a//b", "has an empty segment"),
            ("a/", "has an empty segment"),
            ("a?b", "has the reserved character '?'"),
            ("a#b", "has the reserved character '#'"),
            ("a/../b", "has a segment '..'"),
            ("a*", "has a '*' that isn't its last segment"),
            ("*/a", "has a '*' that isn't its last segment"),
        ]
    ),
    (
        "syntax",
        "name = 'f'\nmodule 'f'\n",
        ("line 2, column 8: expected '=' after a key in a key/value pair; expected TOML 1.0",),
    ),
    ("syntax at the end", "args = [", ("end of document: invalid value; expected TOML 1.0",)),
    ("UTF-16", "name = 'f'".encode("utf-16"), ("is UTF-16; expected UTF-8",)),
    ("not UTF-8", b"name = 'f'\nmodule = '\xff'\n", ("line 2: is not UTF-8; expected UTF-8",)),
    ("nested too deeply", "args = " + "[" * 100_000, ("nested too deeply; expected tables of plain values",)),
    ("too long", "#" * (MIB + 1), ("is too long; expected at most 1 MiB",)),
]


@pytest.mark.parametrize(
    ("text", "problems"),
    [(text, problems) for _, text, problems in WRONG_FILES],
    ids=[name for name, _, _ in WRONG_FILES],
)
def test_wrong_file(tmp_path: Path, text: str | bytes, problems: tuple[str, ...]) -> None:
    """A manifest that can't be read gives all its lines, in the order of the manifest's keys."""
    assert _problems(tmp_path, text) == problems


@pytest.mark.parametrize("text", ["{id}", "a-{subject}-{method}.{name}", "{json:/a/0/~0~1}", "no braces"])
def test_right_template(tmp_path: Path, text: str) -> None:
    """Placeholders and text without braces are taken as they are."""
    more = f"[[trigger.binding]]\nname = 'b'\nthen.state = {{ store = 's', key = '{text}' }}"

    assert _problems(tmp_path, MINIMAL.format(more=more)) == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "{"),
        ("}", "}"),
        ("{}", "{}"),
        ("{id", "{id"),
        ("{{id}}", "{"),
        ("{json:}", "{json:}"),
        ("{json:a}", "{json:a}"),
        ("{json:/~2}", "{json:/~2}"),
        ("{id}{body}", "{body}"),
    ],
)
def test_wrong_template(tmp_path: Path, text: str, fault: str) -> None:
    """Anything else in braces is an error that shows it."""
    more = f"[[trigger.binding]]\nname = 'b'\nthen.state = {{ store = 's', key = '{text}' }}"

    assert _problems(tmp_path, MINIMAL.format(more=more)) == (
        (
            f"trigger.binding[0].then.state.key: {fault!r} is not a placeholder; expected"
            " {id}, {subject}, {method}, {name}, {result} or {json:/pointer}"
        ),
    )


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors write one before the text, which TOML does not know."""
    text = "name = 'f'\r\nmodule = 'f.wasm'\r\n[[trigger.invoke]]\r\nmethod = 'f'\r\n"

    assert _problems(tmp_path, b"\xef\xbb\xbf" + text.encode()) == ()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "is not a regular file; expected a TOML file"),
        (os.mkdir, "can't be read: Is a directory; expected a readable file"),
    ],
    ids=["a named pipe", "a folder"],
)
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
    """Neither is read, and a pipe into which nobody writes holds nobody up."""
    make(tmp_path / "function.toml")

    assert DocumentReader().read(tmp_path).problems == (problem,)
