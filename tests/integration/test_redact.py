"""The function `redact` as it comes: what it replaces and what it leaves, and that it does so as the text comes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.client import Caller, connect
from integration.commands import Ended, run_command
from integration.conftest import StartServer
from integration.pieces import run_in_pieces

REDACT = Path(__file__).parents[2] / "functions" / "redact"
MODULE = REDACT / "redact.wasm"

# What the manifest grants.
MEMORY_BYTES = 4 << 20
# Longer lines are looked at in parts.
BUFFER_BYTES = 256 << 10
# Where such a part ends, or is near its end.
BORDERS = (BUFFER_BYTES, BUFFER_BYTES - 4096)
KINDS = "email, ip, card, token, secret, key"

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

# A line to what becomes of it, or to None where it is left as it is.
CASES: Mapping[str, Mapping[str, str | None]] = {
    "email": {
        "mail from foo.bar+x@example.com, and <a@b.co.uk>.": "mail from [email], and <[email]>.",
        "/find?email=foo%40example.com&page=1": "/find?email=[email]&page=1",
        "jörg@exämple.de": "[email]",
        "用户foo@bar.com登录": "用户[email]登录",
        "«a@b.cc» “c@d.ee”": "«[email]» “[email]”",
        "'o'neill@example.org'": "'[email]'",
        "a@b.com-bounced, x@sub.my-host.museum": "[email]-bounced, [email]",
        "first@last@example.com": "first@[email]",
        "root@host, git@10, @app.route('/'), @angular/core@17.0.1": None,
        "icon@2x.png, Foo@1b2c3d4, pkg@1.2.3, a @ b.com, a@ b.com, @b.com, a@.com": None,
    },
    "ip": {
        "10.0.0.1:8080 from 192.168.1.0/24, then 10.1.1.1.": "[ip]:8080 from [ip]/24, then [ip].",
        "localhost/127.0.0.1 ...8.8.8.8 1.2.3.4-5.6.7.8": "localhost/[ip] ...[ip] [ip]-[ip]",
        "http://10.0.0.1/x [10.0.0.2] ip=10.0.0.3": "http://[ip]/x [[ip]] ip=[ip]",
        "fe80::1%eth0, [::1]:80, 2001:DB8::1.": "[ip]%eth0, [[ip]]:80, [ip].",
        "ip:2001:db8::8a2e:370:7334 fe80::1: down": "ip:[ip] [ip]: down",
        "::ffff:10.0.0.1 1:2:3:4:5:6:7:8 64:ff9b::": "[ip] [ip] [ip]",
        "1.2.3.4.5, v1.2.3.4, 1.2.3, 256.1.1.1, 1.2.3.4abc, a.1.2.3.4, 1.2.3.4.5.6": None,
        "Chrome/120.0.0.0 Safari/537.36, 0.0.0.0:80, :::8080": None,
        "12:34:56 2024-05-01T12:34:56.789Z 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7": None,
        "aa:bb:cc:dd:ee:ff, AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99": None,
        "std::vector a::b dead::beef Add::Bad ::Face crate::ip::v4 fe80::12345 :: 1::2::3": None,
    },
    "card": {
        "4111111111111111, 4111 1111 1111 1111; 4111-1111-1111-1111.": "[card], [card]; [card].",
        "378282246310005 3782 822463 10005 30569309025904": "[card] [card] [card]",
        "4222222222222 and 6304000000000000 of 2223003122003222": "[card] and [card] of [card]",
        "4111 1111 1111 1111 123": "[card] 123",
        "6212345678901232001 id-5555555555554444": "[card] id-[card]",
        "4111111111111112, 1714567890123456, 0000000000000000, 5200-828282828210": None,
        "0.4111111111111111 4111111111111111.5 x4111111111111111 4111111111111111x": None,
        "4111-1111 1111-1111, 411 1111 1111 11111, 4111  1111  1111  1111": None,
        "41111111111111111111111, 550e8400-e29b-41d4-a716-446655440000": None,
    },
    "token": {
        "Authorization: Bearer abc.def-ghi next": "Authorization: Bearer [token] next",
        "authorization=abc123; Proxy-Authorization: Basic eDp5": "authorization=[token]; Proxy-Authorization: Basic [token]",
        '{"Authorization":"Bearer abc","x":1}': '{"Authorization":"Bearer [token]","x":1}',
        "curl -H 'Authorization: token xyz' h": "curl -H 'Authorization: token [token]' h",
        "got Bearer dXNlcjpwYXNz, then BASIC 1234567890.": "got Bearer [token], then BASIC [token].",
        f"{JWT}. {JWT}!": "[token]. [token]!",
        "AKIAIOSFODNN7EXAMPLE ghp_0123456789abcdefghijABCDEFGHIJ012345": "[token] [token]",
        "(github_pat_11ABCDEFG0123456789abc_x) npm_0123456789abcdefghijABCDEFGHIJ012345": "([token]) [token]",
        "xoxb-1234567890-abcdef sk-proj-abcdefghij0123456789 sk_live_0123456789abcdef": "[token] [token] [token]",
        "AKIAIOSFODNN7EXAMPLEeyJhbGciOiJI.x session-eyJhbGciOiJI.x": "[token][token] session-[token]",
        "glpat-ABCDEFGHIJ0123456789 AIzaSyA0123456789abcdefghijklmnopqrstuv": "[token] [token]",
        "Basic authentication failed, bearer token missing, basic Understanding": None,
        "eyJ eyJhbGciOiJIUzI1NiJ9 xeyJhbGciOiJIUzI1NiJ9.a.b AKIAshort sk-learn-a-very-long-name-here": None,
        "Authorization: [token]": None,
    },
    "secret": {
        "password=hunter2 passwd: x db_password=a&y=z": "password=[secret] passwd: [secret] db_password=[secret]&y=z",
        "PASSWORD = \"a b\" password:'x, y' apiKey=`k`": "PASSWORD = \"[secret]\" password:'[secret]' apiKey=`[secret]`",
        "--password=x x-api-key: y access_token=z;w pass=v": "--password=[secret] x-api-key: [secret] access_token=[secret];w pass=[secret]",
        '{"client_secret":"a\\"b\\\\","k":1}': '{"client_secret":"[secret]","k":1}',
        r'{"log":"{\"password\":\"a\\\"b\",\"k\":\"\"}\n"}': r'{"log":"{\"password\":\"[secret]\",\"k\":\"\"}\n"}',
        r'"{\\\"token\\\" : \\\"x\\\"}"': r'"{\\\"token\\\" : \\\"[secret]\\\"}"',
        "{'password': b'x', 'pin': 1}": "{'password': b'[secret]', 'pin': 1}",
        r'{"log":"password=a\n"} x=1\u0026token=b\u0026y=2': r'{"log":"password=[secret]\n"} x=1\u0026token=[secret]\u0026y=2',
        "/?user[password]=a&user%5Bpassword%5D=b&x=1": "/?user[password]=[secret]&user%5Bpassword%5D=[secret]&x=1",
        ':password=>"x", secret := y; "token": 12345}': ':password=>"[secret]", secret := [secret]; "token": [secret]}',
        "password=null1 token=True! secret=nothing": "password=[secret] token=[secret] secret=[secret]",
        "Password=never closed": "Password=[secret] closed",
        'password="never closed': 'password="[secret]',
        "X-Auth-Token: Bearer abc": "X-Auth-Token: Bearer [secret]",
        "https://user:pass@host/p postgres://u:p%40@x@db:5432/x": "https://[secret]@host/p postgres://[secret]@db:5432/x",
        "https://tok3n@github.com/o/r.git": "https://[secret]@github.com/o/r.git",
        "password=[secret] 'token':'[secret]'": "password=[secret] 'token':'[secret]'",
        "password='' password=\"\" password:": None,
        '"password": null, "token":true, "secret": {"a": 1}, secrets=[1], "token": ["a"]': None,
        r"{\"password\":\"\",\"k\":1}": None,
        "compass=north bypass=1 tokens=100 token_type=bearer passwords: 3 monkey=x": None,
        "if (password == null) token::new password != x the password is x": None,
        "http://host/@x http://host?a@b ://x@y http://@host": None,
    },
    "key": {
        r'"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEF==\n-----END PRIVATE KEY-----\n"': (
            r'"-----BEGIN PRIVATE KEY-----\n[key]-----END PRIVATE KEY-----\n"'
        ),
        "a -----BEGIN PRIVATE KEY----- is looked for": None,
        "-----BEGIN CERTIFICATE----- MIIEvQIBADANBgkqhkiG9w0BAQ": None,
    },
}
LINES = {
    f"{kind}: {line}": (line, becomes) for kind, lines in CASES.items() for line, becomes in lines.items()
}


@pytest.fixture(scope="module")
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return an environment whose log is what a person sees."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


def redact(engine: str, env: Mapping[str, str], text: bytes, **variables: str) -> Ended:
    """Run the function once, with no more memory than it has on a server."""
    flags = [flag for name, value in variables.items() for flag in ("--env", f"{name}={value}")]
    return run_command(
        "run", "--engine", engine, "--memory", f"{MEMORY_BYTES}B", *flags, MODULE, stdin=text, env=env
    )


@pytest.fixture(scope="module")
def redacted(engine: str, env: dict[str, str]) -> dict[str, str]:
    """Return every line of the tables, and what became of it, all in one run."""
    lines = [line for line, _ in LINES.values()]
    ended = redact(engine, env, "\n".join(lines).encode())
    return dict(zip(lines, ended.stdout.decode().split("\n"), strict=True))


@pytest.mark.parametrize("case", LINES)
def test_a_line(redacted: dict[str, str], case: str) -> None:
    """Each secret is replaced by its kind's mark; what only looks like one stays."""
    line, becomes = LINES[case]

    assert redacted[line] == (line if becomes is None else becomes)


BLOCKS = {
    "PEM": (
        b"-----BEGIN RSA PRIVATE KEY-----\r\nMIIEabc\r\nabc+/=\r\n-----END RSA PRIVATE KEY-----\r\nnext\r\n",
        b"-----BEGIN RSA PRIVATE KEY-----\r\n[key]\r\n-----END RSA PRIVATE KEY-----\r\nnext\r\n",
    ),
    "encrypted, indented": (
        b" -----BEGIN EC PRIVATE KEY-----\n Proc-Type: 4,ENCRYPTED\n DEK-Info: A,0\n\n MIIE\n abc\n -----END",
        b" -----BEGIN EC PRIVATE KEY-----\n Proc-Type: 4,ENCRYPTED\n DEK-Info: A,0\n\n[key]\n -----END",
    ),
    "PGP": (
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBF\n=aBcD\n-----END PGP PRIVATE KEY BLOCK-----\n",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n[key]\n-----END PGP PRIVATE KEY BLOCK-----\n",
    ),
    "cut off": (
        b"-----BEGIN PRIVATE KEY-----\nMIIEabc\nabc\n12:00 a log goes on\nwords\n",
        b"-----BEGIN PRIVATE KEY-----\n[key]\n12:00 a log goes on\nwords\n",
    ),
    "ends with the input": (
        b"-----BEGIN PRIVATE KEY-----\nMIIEabc\nabc",
        b"-----BEGIN PRIVATE KEY-----\n[key]\n",
    ),
    "certificate": (
        b"-----BEGIN CERTIFICATE-----\nMIIEabc\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIEabc\n-----END CERTIFICATE-----\n",
    ),
}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("size", [1, 10_000], ids=["byte by byte", "at once"])
def test_a_private_key(block: str, size: int) -> None:
    """A private key's lines become one; what stands around them stays, and so does what is no private key."""
    text, becomes = BLOCKS[block]

    ran = run_in_pieces(MODULE, [text[at : at + size] for at in range(0, len(text), size)])

    assert ran.stdout == becomes


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"a\r\nb\n\n\r\r\nc", bytes(range(256)) * 3, b"\n" * 70_000, b"x\0\xff" * 200_000],
    ids=["empty", "line end", "line ends", "all bytes", "many lines", "long line"],
)
def test_what_is_no_secret_stays(text: bytes) -> None:
    """A text without secrets comes out byte for byte, and nothing is said."""
    ran = run_in_pieces(MODULE, [text])

    assert (ran.stdout, ran.stderr, ran.code) == (text, "", 0)


def test_what_was_replaced_is_counted(engine: str, env: dict[str, str]) -> None:
    """At the end one line of the log says how many of each kind there were."""
    ended = redact(engine, env, b"a@b.cc 10.0.0.1 c@d.ee\npassword=x ::1\nf@g.hh\n")

    assert (ended.stderr, ended.code) == ("redacted 3 email, 2 ip, 1 secret\n", 0)


LINE = b"a@b.cc 10.0.0.1 password=x 4111111111111111\n"


@pytest.mark.parametrize(
    ("variables", "becomes"),
    [
        ({"QUERY_STRING": "only=email,ip"}, b"[email] [ip] password=x 4111111111111111\n"),
        (
            {"QUERY_STRING": "mask=%2A%2a%C3%a4+x&only=email"},
            "**ä x 10.0.0.1 password=x 4111111111111111\n".encode(),
        ),
        ({"QUERY_STRING": "&only=card%2C+ip&"}, b"a@b.cc [ip] password=x [card]\n"),
        ({"ONLY": "secret", "MASK": "-"}, b"a@b.cc 10.0.0.1 password=- 4111111111111111\n"),
        (
            {"ONLY": "secret", "MASK": "-", "QUERY_STRING": "only=ip"},
            b"a@b.cc - password=x 4111111111111111\n",
        ),
        ({"ONLY": "token"}, LINE),
    ],
    ids=["only", "both", "encoded", "environment", "the query goes before", "other"],
)
def test_options(variables: dict[str, str], becomes: bytes) -> None:
    """The query, and behind it the environment, say which kinds are replaced and by what."""
    assert run_in_pieces(MODULE, [LINE], variables).stdout == becomes


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"QUERY_STRING": "only=email,phone"},
            f"only: 'phone' is no kind; expected some of {KINDS}, with commas between them",
        ),
        (
            {"QUERY_STRING": "only"},
            f"only: '' is no kind; expected some of {KINDS}, with commas between them",
        ),
        ({"ONLY": "Email"}, f"ONLY: 'Email' is no kind; expected some of {KINDS}, with commas between them"),
        (
            {"QUERY_STRING": "mask="},
            "mask: '' is no text for a secret's place; expected 1 to 64 bytes without control characters",
        ),
        (
            {"MASK": "a\nb"},
            r"MASK: 'a\nb' is no text for a secret's place; expected 1 to 64 bytes without control characters",
        ),
        (
            {"QUERY_STRING": "mask=" + 33 * "%C3%A4"},
            f"mask: '{33 * 'ä'}' is no text for a secret's place; expected 1 to 64 bytes without control characters",
        ),
        ({"QUERY_STRING": "only=ip&keep=4"}, "'keep' is no option; expected only or mask"),
    ],
    ids=["kind", "no kind", "environment's kind", "no mask", "line end", "long mask", "option"],
)
def test_wrong_options(variables: dict[str, str], sentence: str) -> None:
    """A wrong option is refused, before anything is written, with one sentence that says what is expected."""
    ran = run_in_pieces(MODULE, [LINE], variables)

    assert (ran.code, ran.stdout, ran.stderr) == (65, b"", f"{sentence}\n")


def test_the_command_s_end(engine: str, env: dict[str, str]) -> None:
    """Run as a command, it ends with 65 where an option is wrong."""
    ended = redact(engine, env, LINE, ONLY="phone")

    sentence = f"ONLY: 'phone' is no kind; expected some of {KINDS}, with commas between them\n"
    assert (ended.code, ended.stdout, ended.stderr) == (65, b"", sentence)


def test_lines_are_written_before_the_next_read() -> None:
    """Each read's complete lines are out before the next, those that end and those that are whole alike."""
    pieces = [b"one a@b.cc\ntw", b"o a@b", b".cc", b"\n", b"three\nfour\nfi", b"ve 10.0.0.1"]

    ran = run_in_pieces(MODULE, pieces)

    assert ran.written == [
        b"",
        b"one [email]\n",
        b"",
        b"",
        b"two [email]\n",
        b"three\nfour\n",
        b"",
        b"five [ip]",
    ]


@pytest.mark.asyncio
async def test_a_log_is_followed(engine: str, env: dict[str, str]) -> None:
    """As behind ``tail -f``, a line is seen before there is a next, and the log's end ends the function."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "wasm_grpc", "run", "--engine", engine, os.fspath(MODULE)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for line, becomes in ((b"from a@b.cc\n", b"from [email]\n"), (b"password=x\n", b"password=[secret]\n")):
        process.stdin.write(line)
        await process.stdin.drain()
        assert await asyncio.wait_for(process.stdout.readline(), 10) == becomes

    process.stdin.close()

    rest, errors = await asyncio.wait_for(process.communicate(), 10)
    assert (rest, errors, process.returncode) == (b"", b"redacted 1 email, 1 secret\n", 0)


LONG = {
    "value": ("password=", "x", " y", "[secret]"),
    "quoted": ('"password":"', r"x\"y\\ ", '","k":1', "[secret]"),
    "JWT": ("", "eyJhbGciOiJIUzI1NiJ9.x", ". y", "[token]"),
    "bearer": ("got Bearer ", "a1b2", ", y", "[token]"),
}


def test_secrets_of_any_length(engine: str, env: dict[str, str]) -> None:
    """A secret that is larger than the function's memory is replaced as a whole, and what follows it stays."""
    lines = [
        f"a {before}{secret + secret[-1:] * MEMORY_BYTES}{after}\nnext\n"
        for before, secret, after, _ in LONG.values()
    ]
    becomes = [f"a {before}{mark}{after}\nnext\n" for before, _, after, mark in LONG.values()]

    ended = redact(engine, env, "".join(lines).encode())

    assert (ended.stdout.decode(), ended.code) == ("".join(becomes), 0)


def test_memory_stays_flat() -> None:
    """Short lines, lines larger than memory and many secrets take no more than the manifest grants."""
    line = b"x" * (3 * BUFFER_BYTES) + b" a@b.cc " + b"y" * (2 * MEMORY_BYTES) + b"\n"
    pieces = [line, *[b"a@b.cc ::1 token=x\n" * 2000] * 200, line]

    ran = run_in_pieces(MODULE, pieces)

    assert ran.stderr == "redacted 400002 email, 400000 ip, 400000 secret\n"
    assert ran.memory_bytes <= MEMORY_BYTES


SECRETS = [line for lines in CASES.values() for line, becomes in lines.items() if becomes is not None]
PARTS = st.sampled_from([
    *(line.encode() for line in SECRETS),
    *(b"a@b", b"%40", b".cc", b"10.0", b".0.1", b"fe80", b"::", b":", b"1", b"4111 1111 ", b"11111111", b"."),
    *(b"password", b"=", b'":"', b'\\"', b"\\", b'"', b" ", b"-", b"_", b"eyJhbGciOiJ", b"\xc3\xa4", b"\xff", b"word"),
    *(b"https://u:", b"p@h", b"Authorization: ", b"Bearer ", b"null", b"[", b"Basic", b"\r", b"\\n"),
    *(b"-----BEGIN PRIVATE KEY-----", b"MIIEvQIBADANBgkqhkiG9w0BAQ", b"-----END PRIVATE KEY-----"),
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.one_of(PARTS, st.just(b"\n")), max_size=40), data=st.data())
def test_it_does_not_matter_how_the_input_comes(parts: list[bytes], data: st.DataObject) -> None:
    """However the input is cut into reads, the output is the same, and so are the counts."""
    text = b"".join(parts)
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=60)))
    cut = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    whole, in_pieces = run_in_pieces(MODULE, [text]), run_in_pieces(MODULE, cut)

    assert (in_pieces.stdout, in_pieces.stderr) == (whole.stdout, whole.stderr)


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(PARTS, min_size=1, max_size=8), border=st.sampled_from(BORDERS), data=st.data())
def test_it_does_not_matter_where_in_a_line_a_secret_is(
    parts: list[bytes], border: int, data: st.DataObject
) -> None:
    """In a line that is looked at in parts, what is at their border is replaced as it is elsewhere."""
    secrets = b" " + b"".join(parts) + b" "
    before = b"z" * (border - data.draw(st.integers(0, len(secrets))))
    text = secrets + b"z" * BUFFER_BYTES

    elsewhere, there = run_in_pieces(MODULE, [b"zz" + text]), run_in_pieces(MODULE, [before + text])

    assert (there.stdout, there.stderr) == (before + elsewhere.stdout[2:], elsewhere.stderr)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def caller(start_server: StartServer) -> AsyncIterator[Caller]:
    """Call the function of the repository."""
    async with start_server(REDACT, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


@pytest.mark.asyncio(loop_scope="module")
async def test_it_is_called(caller: Caller) -> None:
    """Called with a text, it answers the text without its secrets, as the query wants it."""
    reply = await caller.invoke("redact", LINE, query="only=email,card")

    assert (reply.body, reply.content_type) == (b"[email] 10.0.0.1 password=x [card]\n", "text/plain")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_caller_s_mistake(caller: Caller) -> None:
    """A wrong option in the query is the caller's mistake."""
    failure = await caller.fail("redact", LINE, query="only=all")

    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REJECTED")
    assert failure.message == (
        "function 'redact': rejected the input: "
        f"only: 'all' is no kind; expected some of {KINDS}, with commas between them"
    )
