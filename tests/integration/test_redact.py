"""The function `redact` as it comes: what it replaces and what it leaves, and that it does so as the text comes."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import random
import re
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.chunked_run import run_in_chunks
from integration.client import Caller, connect
from integration.commands import Ended, run_command
from integration.conftest import StartServer

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

# A line to what becomes of it.
FINDS: Mapping[str, Mapping[str, str]] = {
    "email": {
        "mail from foo.bar+x@example.com, and <a@b.co.uk>.": "mail from [email], and <[email]>.",
        "/find?email=foo%40example.com&page=1": "/find?email=[email]&page=1",
        "jörg@exämple.de": "[email]",
        "用户foo@bar.com登录": "用户[email]登录",
        "«a@b.cc» “c@d.ee”": "«[email]» “[email]”",
        "'o'neill@example.org'": "'[email]'",
        "a@b.com-bounced, x@sub.my-host.museum": "[email]-bounced, [email]",
        "first@last@example.com": "first@[email]",
    },
    "ip": {
        "10.0.0.1:8080 from 192.168.1.0/24, then 10.1.1.1.": "[ip]:8080 from [ip]/24, then [ip].",
        "localhost/127.0.0.1 ...8.8.8.8 1.2.3.4-5.6.7.8": "localhost/[ip] ...[ip] [ip]-[ip]",
        "http://10.0.0.1/x [10.0.0.2] ip=10.0.0.3": "http://[ip]/x [[ip]] ip=[ip]",
        "server 10.0.0.1, dhcp release 10.0.0.2, ip==10.0.0.3 root@10.0.0.4": "server [ip], dhcp release [ip], ip==[ip] root@[ip]",
        "subversion from 10.0.0.1, build-host 10.0.0.2": "subversion from [ip], build-host [ip]",
        "fe80::1%eth0, [::1]:80, 2001:DB8::1.": "[ip]%eth0, [[ip]]:80, [ip].",
        "ip:2001:db8::8a2e:370:7334 fe80::1: down": "ip:[ip] [ip]: down",
        "::ffff:10.0.0.1 1:2:3:4:5:6:7:8 64:ff9b::": "[ip] [ip] [ip]",
    },
    "card": {
        "4111111111111111, 4111 1111 1111 1111; 4111-1111-1111-1111.": "[card], [card]; [card].",
        "378282246310005 3782 822463 10005 30569309025904": "[card] [card] [card]",
        "4222222222222 and 6304000000000000 of 2223003122003222": "[card] and [card] of [card]",
        "4111 1111 1111 1111 123": "[card] 123",
        "6212345678901232001 id-5555555555554444": "[card] id-[card]",
    },
    "token": {
        '{"Authorization": ["Bearer abc.def"], "Cookie": [ "a=b; c=d"]}': '{"Authorization": ["Bearer [token]"], "Cookie": [ "[token]"]}',
        "Cookie: sid=abc; csrf=def\r": "Cookie: [token]\r",
        "curl -H 'Cookie: a=b; c=d' h, Set-Cookie: s=x; Path=/": "curl -H 'Cookie: [token]' h, Set-Cookie: [token]",
        '{"cookie": "sid=abc; x=y", "k": 1}': '{"cookie": "[token]", "k": 1}',
        "AGE-SECRET-KEY-1" + 58 * "Q": "[token]",
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
        "pwd=hunter2 PWD=hunter2 pwd=/aB3x db_pwd=/a/b/c": "pwd=[secret] PWD=[secret] pwd=[secret] db_pwd=[secret]",
        "DB_PASS: x, PASS=y, sig=abc, token=${x}y": "DB_PASS: [secret], PASS=[secret], sig=[secret], token=[secret]}y",
        "ssh://u:p@h https://git@h git@h:x": "ssh://[secret]@h https://[secret]@h git@h:x",
        "password=[secret] 'token':'[secret]'": "password=[secret] 'token':'[secret]'",
    },
    "unseen": {
        "\x1b[36mpassword\x1b[0m=\x1b[35mhunter2\x1b[0m x": "\x1b[36mpassword\x1b[0m=\x1b[35m[secret]\x1b[0m x",
        "pass\x1b[1mword\x1b[0m=hun\x1b[7mter\x1b[0m2 x": "pass\x1b[1mword\x1b[0m=[secret] x",
        "\x1b(B\x1b[mtoken\x1b(B:\x1b[K x\x1b[38;2;1;2;3my\x1b[39m": "\x1b(B\x1b[mtoken\x1b(B:\x1b[K [secret]\x1b[39m",
        '"\x1b[34mapi_key\x1b[0m": "\x1b[32mx\\"y\x1b[0m"': '"\x1b[34mapi_key\x1b[0m": "\x1b[32m[secret]\x1b[0m"',
        "\x1b[33mAuthorization\x1b[0m: \x1b[1mBearer\x1b[0m abc\x1b[4mdef": "\x1b[33mAuthorization\x1b[0m: \x1b[1mBearer\x1b[0m [token]",
        "a\x1b[1m@\x1b[mb.cc 10.0\x1b[m.0.1 4111\x1b[m 1111 1111\x1b[m 1111": "[email] [ip] [card]",
        "\x1b[31mghp_0123456789\x1b[0mabcdefghijABCDEF \x1b[1;32mAKIAIOSFODNN7EXAMPLE": "\x1b[31m[token] \x1b[1;32m[token]",
        "https://u:\x1b[31mpw\x1b[0m@host \x1b7AKIAIOSFODNN7EXAMPLE": "https://[secret]\x1b[0m@host \x1b7[token]",
        "password\x9b1m=\x9b0mx": "password\x9b1m=\x9b0m[secret]",
        "\x1b]8;;https://u:p@h/?token=x\x1b\\pass\x1b]8;;\x07word=y\x1b]8;;\x1b\\ z": (
            "\x1b]8;;https://[secret]@h/?token=[secret]\x1b\\pass\x1b]8;;\x07word=[secret]\x1b]8;;\x1b\\ z"
        ),
        "\x1b]0;a@b.cc\x07c@d.ee": "\x1b]0;[email]\x07[email]",
        "password\x1b]=x \x1b[ \x1bpwd\x1b=y": "password\x1b]=[secret] \x1b[ \x1bpwd\x1b=[secret]",
        "pass\u200bword\u2060=\ufeffhun\u00adter2 to\ufe0fken\u200d:\u202ex": "pass\u200bword\u2060=\ufeff[secret] to\ufe0fken\u200d:\u202e[secret]",
        "password\u00a0=\u3000x token\uff1ax secret\uff1dy": "password\u00a0=\u3000[secret] token\uff1a[secret] secret\uff1d[secret]",
        "p\bpa\bas\bss\bsw\bwo\bor\brd\bd=x\bxy\by _\bt_\bo_\bk_\be_\bn=_\bz": (
            "p\bpa\bas\bss\bsw\bwo\bor\brd\bd=[secret] _\bt_\bo_\bk_\be_\bn=[secret]"
        ),
        "password=hunterX\b \b2 token=a\bbc": "password=[secret] token=[secret]",
        "\x1b(Bp\x1b(Bas\bsword=hunter2X9 \x1b[31mp\x1b[31mas\bsword=y": (
            "\x1b(Bp\x1b(Bas\bsword=[secret] \x1b[31mp\x1b[31mas\bsword=[secret]"
        ),
        "pas\bsword=x pas\bssword=y db_\bpass=z": "pas\bsword=[secret] pas\bssword=[secret] db_\bpass=[secret]",
        "https:/\b/u:p@h ghp_\b0123456789abcdefghijABCDEFGHIJ 4111 1111 1111 11\b11": "https:/\b/[secret]@h [token] [card]",
        "Authorization: B\bBe\bea\bar\bre\ber\br abc": "Authorization: [token] [token]",
        "pas\x1b[1m\bssword=x p\b_a\b_s\b_s\b_=y": "pas\x1b[1m\bssword=[secret] p\b_a\b_s\b_s\b_=[secret]",
        "passX\b \bword=x TOKEM\b\x1b[KN=y pasX\bsword=z": "passX\b \bword=[secret] TOKEM\b\x1b[KN=[secret] pasX\bsword=[secret]",
        "passwrod\b \b\b \b\b \bord=x \b \b": "passwrod\b \b\b \b\b \bord=[secret] \b \b",
        "{'token': 'x'\b} 'y'\b, z": "{'token': '[secret]'\b} 'y'\b, z",
        "password\r=\rx 50%\rtoken: y\r100%": "password\r=\r[secret] 50%\rtoken: [secret]\r100%",
        "pass\0word=a\0b\x01c z=1 to\0ken=y PASSWORD=x\0USER=bob\0TOKEN=y\0": "pass\0word=[secret] z=1 to\0ken=[secret] PASSWORD=[secret]\0USER=bob\0TOKEN=[secret]\0",
        "553=bob\x01password=x\x0135=A": "553=bob\x01password=[secret]\x0135=A",
        "p\0a\0s\0s\0w\0o\0r\0d\0=\0x\0y\0 \0z\0": "p\0a\0s\0s\0w\0o\0r\0d\0=\0[secret]\0 \0z\0",
        "password\u202a=\x1b[0m\u200b\0x": "password\u202a=\x1b[0m\u200b\0[secret]",
    },
    "escaped": {
        r'{"log":"\u001b[36mpassword\u001b[0m=\u001B[35mx\u001b[0m\n"}': (
            r'{"log":"\u001b[36mpassword\u001b[0m=\u001B[35m[secret]\u001b[0m\n"}'
        ),
        r"password\x1b[0m=\x1b[1mx token\033[m:\e[31my secret\u{1b}[m=z": (
            r"password\x1b[0m=\x1b[1m[secret] token\033[m:\e[31m[secret] secret\u{1b}[m=[secret]"
        ),
        "password^[[0m=^[[1mx token#033[0m=#033[35my": "password^[[0m=^[[1m[secret] token#033[0m=#033[35m[secret]",
        r'{"m":"a\npass=x\tAKIAIOSFODNN7EXAMPLE\n10.0.0.1\r\na@b.cc"}': r'{"m":"a\npass=[secret]\t[token]\n[ip]\r\n[email]"}',
        r'{"m":"token:\tx","password":"a\nb\tc\/d\u0022e"}': r'{"m":"token:\t[secret]","password":"[secret]"}',
        r'{"m":"password\u003dx\u0026user\u003dbob"}': r'{"m":"password\u003d[secret]\u0026user\u003dbob"}',
        r'"{\u0022password\u0022:\u0022x\u0022,\u0022k\u0022:1}"': r'"{\u0022password\u0022:\u0022[secret]\u0022,\u0022k\u0022:1}"',
        r'"{\\u0022token\\u0022:\\u0022x y\\u0022,1}"': r'"{\\u0022token\\u0022:\\u0022[secret]\\u0022,1}"',
        r'"{\u0027token\u0027:\u0027x y\u0027}" "\u0070wd":"x"': r'"{\u0027token\u0027:\u0027[secret]\u0027}" "\u0070wd":"[secret]"',
        r'"https:\/\/u:p@h\/x" "pass\u200bword=x"': r'"https:\/\/[secret]@h\/x" "pass\u200bword=[secret]"',
        r'"password":"a\\u0022b" "token":"x\\\u0022y"': r'"password":"[secret]" "token":"[secret]"',
        r'"\u001b]8;;http://u:p@h\u0007pass\u001b]8;;\u001b\\word=x"': r'"\u001b]8;;http://[secret]@h\u0007pass\u001b]8;;\u001b\\word=[secret]"',
    },
    "key": {
        r'"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEF==\n-----END PRIVATE KEY-----\n"': (
            r'"-----BEGIN PRIVATE KEY-----\n[key]\n-----END PRIVATE KEY-----\n"'
        ),
    },
}
# Lines that hold nothing to hide, whatever it looks like.
FALSE_ALARMS: Mapping[str, Sequence[str]] = {
    "email": [
        "root@host, git@10, @app.route('/'), @angular/core@17.0.1",
        "icon@2x.png, Foo@1b2c3d4, pkg@1.2.3, a @ b.com, a@ b.com, @b.com, a@.com",
        "git@github.com:org/repo.git, ssh://git@github.com/org/repo, git@gitlab.example.com",
        "user@1000.service, getty@tty1.service, wg-quick@wg0.service: Succeeded",
        "logo@dark.png, app@main.js, x@2.min.css, pkg@1.0.0-beta.rc, mod@v1.2.3-rc.x",
    ],
    "ip": [
        "1.2.3.4.5, v1.2.3.4, 1.2.3, 256.1.1.1, 1.2.3.4abc, a.1.2.3.4, 1.2.3.4.5.6",
        "Chrome/120.0.0.0 Safari/537.36, 0.0.0.0:80, :::8080",
        "12:34:56 2024-05-01T12:34:56.789Z 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7",
        "aa:bb:cc:dd:ee:ff, AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99",
        "std::vector a::b dead::beef Add::Bad ::Face crate::ip::v4 fe80::12345 :: 1::2::3",
        "version 1.2.3.4, Version=4.0.0.1, Culture=neutral, v1.2.3.4, v 1.2.3.4",
        '"version": "1.2.3.4" FileVersion: 10.0.1.2 <version>1.2.3.4</version> ver. firmware 1.2.3.4',
        "app-version=1.2.3.4 (build 6.1.7601.1) PluginVersion: v2.3.4.5 version-1.2.3.4",
    ],
    "card": [
        "4111111111111112, 1714567890123456, 0000000000000000, 5200-828282828210",
        "0.4111111111111111 4111111111111111.5 x4111111111111111 4111111111111111x",
        "4111-1111 1111-1111, 411 1111 1111 11111, 4111  1111  1111  1111",
        "41111111111111111111111, 550e8400-e29b-41d4-a716-446655440000",
        "20240501123456 2024050112345674 20240501123456789 20991231235959",
    ],
    "token": [
        "Basic authentication failed, bearer token missing, basic Understanding",
        "eyJ eyJhbGciOiJIUzI1NiJ9 xeyJhbGciOiJIUzI1NiJ9.a.b AKIAshort sk-learn-a-very-long-name-here",
        "Authorization: [token]",
        "cookie: chocolate, Cookies: a=b, cookie=1, the cookie: none",
    ],
    "secret": [
        "password='' password=\"\" password:",
        '"password": null, "token":true, "secret": {"a": 1}, secrets=[1], "token": ["a"]',
        r"{\"password\":\"\",\"k\":1}",
        "compass=north bypass=1 tokens=100 token_type=bearer passwords: 3 monkey=x",
        "if (password == null) token::new password != x the password is x",
        "http://host/@x http://host?a@b ://x@y http://@host",
        "PWD=/x OLDPWD=/home/me HOME=/root PWD=C:\\\\Users pwd=/srv/app/x PWD=~",
        "--- PASS: TestName (0.00s), PASS: gdb.base, killed by sig=9, sig: 11",
        "password=${DB_PASSWORD} token: ${env.TOKEN}, password: string, token: str",
        "ssh://git@host/x git+ssh://me@host/x sftp://me@host",
        "PWD=/a/b\\x1b[0m \\x1b[1mbold\\x1b[0m C:\\\\new\\\\table",
    ],
    "key": [
        "a -----BEGIN PRIVATE KEY----- is looked for",
        "-----BEGIN CERTIFICATE----- MIIEvQIBADANBgkqhkiG9w0BAQ",
    ],
    "unseen": [
        "\x1b[32minfo\x1b[0m \x1b]0;title\x07 \x1b[1m\u200bword\ufeff \xa0 \x1b(B \x1b] \x1b",
        "p\bpl\bla\bai\bin \x00\x01\x02\x7f \x9b1m \x9d0;t\x9c \uff1a\uff1d",
        "\x1b[1mtoken\x1b[0m: \x1b[2mnull\x1b[0m, password=\x1b[1m''\x1b[0m",
    ],
    "escaped": [
        r"C:\new\table\user\x86 \u001b[0m \u200b \n\t\/ \uZZZZ \u{} \x \0 ^[ #033",
        r'{"a":"\u001b[31mx\u001b[0m","b":"\\n\\u0022 c"}',
    ],
}
LINES = [(kind, line, becomes) for kind, finds in FINDS.items() for line, becomes in finds.items()]
LINES += [(kind, line, line) for kind, lines in FALSE_ALARMS.items() for line in lines]


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
    lines = [line for _, line, _ in LINES]
    ended = redact(engine, env, "\n".join(lines).encode())
    return dict(zip(lines, ended.stdout.decode().split("\n"), strict=True))


@pytest.mark.parametrize(("kind", "line", "becomes"), LINES)
def test_a_line(redacted: dict[str, str], kind: str, line: str, becomes: str) -> None:
    """Each secret is replaced by its kind's mark; what only looks like one stays."""
    assert redacted[line] == becomes, kind


BLOCKS = {
    "PEM": (
        b"-----BEGIN RSA PRIVATE KEY-----\r\nMIIEabc\r\nabc+/=\r\n-----END RSA PRIVATE KEY-----\r\nnext\r\n",
        b"-----BEGIN RSA PRIVATE KEY-----\r\n[key]\r\n-----END RSA PRIVATE KEY-----\r\nnext\r\n",
    ),
    "encrypted, indented": (
        b" -----BEGIN EC PRIVATE KEY-----\n Proc-Type: 4,ENCRYPTED\n DEK-Info: A,0\n\n MIIE\n abc\n -----END",
        b" -----BEGIN EC PRIVATE KEY-----\n Proc-Type: 4,ENCRYPTED\n DEK-Info: A,0\n\n [key]\n -----END",
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

    ran = run_in_chunks(MODULE, [text[at : at + size] for at in range(0, len(text), size)])

    assert ran.stdout == becomes


def pem(name: str, *, seed: int = 1, width: int = 64, size: int = 700) -> list[str]:
    """Return the lines of a key that nobody has."""
    body = base64.b64encode(random.Random(seed).randbytes(size)).decode()
    lines = [body[at : at + width] for at in range(0, len(body), width)]
    return [f"-----BEGIN {name}-----", *lines, f"-----END {name}-----"]


def interleaved(*logs: list[str]) -> list[str]:
    """Return the lines of several logs, one of each in turn."""
    return [line for lines in itertools.zip_longest(*logs) for line in lines if line is not None]


def stamped(lines: list[str]) -> list[str]:
    """Return lines with the time before each, as ``docker logs --timestamps`` has it, its fraction of any length."""
    return [f"2026-11-27T12:00:{n:02}.{'123456789'[: 9 - n % 5]}Z {line}" for n, line in enumerate(lines)]


KEY = pem("RSA PRIVATE KEY")
OTHER_KEY = pem("PRIVATE KEY", seed=2, size=1190)
OPENSSH = pem("OPENSSH PRIVATE KEY", width=70, size=390)
PGP = [
    *pem("PGP PRIVATE KEY BLOCK")[:1],
    "Version: GnuPG v2",
    "",
    *pem("PGP PRIVATE KEY BLOCK")[1:-1],
    "=aBc1",
]
PGP.append("-----END PGP PRIVATE KEY BLOCK-----")
ENCRYPTED = [KEY[0], "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC,0A1B", "", *KEY[1:]]
PUTTY = ["Private-Lines: 4", *pem("x", size=192)[1:-1], "Private-MAC: 0a1b2c3d4e5f"]
WEB = "web-1  | "
READY = [f"db-1   | ready {n}" for n in range(20)]

# How a log may hold a key: its lines, and the key's.
COLLECTED: Mapping[str, tuple[list[str], list[str]]] = {
    "as it is": (KEY, KEY),
    "OpenSSH": (OPENSSH, OPENSSH),
    "PGP": (PGP, PGP),
    "PGP, prefixed": ([WEB + line for line in PGP], PGP),
    "PuTTY": (PUTTY, PUTTY),
    "SSH2": (["---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----", *KEY[1:-1], "---- END SSH2 ENCRYPTED PRIVATE KEY ----"], KEY),
    "encrypted, prefixed": ([WEB + line for line in ENCRYPTED], KEY),
    "prefixed": ([WEB + line for line in KEY], KEY),
    "coloured": ([f"\x1b[36mweb-1  |\x1b[0m \x1b[2m{line}\x1b[0m" for line in KEY], KEY),
    "coloured within": ([f"{WEB}{line[:9]}\x1b[1m{line[9:]}\x1b[0m" for line in KEY], KEY),
    "with times": (stamped(KEY), KEY),
    "prefixed, with times": ([WEB + line for line in stamped(OPENSSH)], OPENSSH),
    "kubectl": ([f"[pod/web-5d9-{n % 1}/app] {line}" for n, line in enumerate(KEY)], KEY),
    "syslog": ([f"Nov 27 12:00:{n:02} host app[123]: {line}" for n, line in enumerate(KEY)], KEY),
    "cut in two by a logger": ([*KEY[:9], "12:00:01 INFO ready", *KEY[9:-2], "12:00:02 INFO go on", *KEY[-2:]], KEY),
    "another's between": (interleaved([WEB + line for line in KEY], READY), KEY),
    "two between each other": (
        interleaved([WEB + line for line in KEY], ["db-1   | " + line for line in OTHER_KEY], READY),
        KEY + OTHER_KEY,
    ),
    "in the manner of .env": ([f'PRIVATE_KEY="{KEY[0]}', *KEY[1:-1], f'{KEY[-1]}"'], KEY),
    ".env, prefixed": ([f'{WEB}KEY="{KEY[0]}', *(WEB + line for line in KEY[1:-1]), f'{WEB}{KEY[-1]}"'], KEY),
    "without quotes": ([f"secret={KEY[0]}", *KEY[1:]], KEY),
    "YAML": (["  key: |", *("    " + line for line in KEY)], KEY),
    "mail": (["> " + line for line in KEY], KEY),
    "line ends of Windows": ([line + "\r" for line in KEY], KEY),
    "source code": ([f'  "{line}\\n" +' for line in KEY], KEY),
    "a list": ([f'  "{line}",' for line in KEY], KEY),
    "JSON": ([json.dumps({"private_key": "\n".join(KEY), "k": 1})], KEY),
    "JSON, other name": ([json.dumps({"pem": "\r\n".join(KEY) + "\n", "k": 1})], KEY),
    "JSON in JSON": ([json.dumps({"log": json.dumps({"pem": "\n".join(KEY)})})], KEY),
    "docker's JSON": ([json.dumps({"log": line + "\n", "stream": "stdout", "time": f"12:00:0{n % 7}"}) for n, line in enumerate(KEY)], KEY),
    "JSON lines": ([json.dumps({"time": n, "msg": line, "level": "info"}) for n, line in enumerate(KEY)], KEY),
    "long JSON lines": (
        [json.dumps({"n": n, "msg": line, "x": "ab c" * (n + 1), "y": "- " * 1400}) for n, line in enumerate(KEY)],
        KEY,
    ),
    "in one line": ([" ".join(KEY)], KEY),
    "in one line, escaped twice": (["key=" + "\\\\n".join(KEY)], KEY),
    "without end": (KEY[:-1], KEY[:-1]),
}  # fmt: skip


@pytest.mark.parametrize("case", COLLECTED)
@pytest.mark.parametrize("size", [7, 1 << 20], ids=["in pieces", "at once"])
def test_a_collected_private_key(case: str, size: int) -> None:
    """However a log writes a key's lines and whatever comes between them, none is left, and all else is."""
    lines, key = COLLECTED[case]
    others = ["12:00:03 INFO before", "12:00:04 INFO behind", *(line for line in READY if line in lines)]
    text = "\n".join([others[0], *lines, others[1], ""]).encode()

    ran = run_in_chunks(MODULE, [text[at : at + size] for at in range(0, len(text), size)])

    written = ran.stdout.decode()
    assert [
        line for line in key if "-----" not in line and " " not in line and len(line) > 4 and line in written
    ] == []
    assert [line for line in others if line not in written.split("\n")] == []
    assert "[key]" in written


def test_keys_are_counted(engine: str, env: dict[str, str]) -> None:
    """A key counts once, however many of its lines are replaced."""
    lines = interleaved([WEB + line for line in KEY], ["db-1   | " + line for line in OTHER_KEY])

    ended = redact(engine, env, "\n".join(lines).encode())

    assert ended.stderr == "redacted 2 key\n"


NOT_IN_A_KEY = {
    "public": pem("PUBLIC KEY"),
    "certificate, prefixed": [WEB + line for line in pem("CERTIFICATE")],
    "behind a key's end": [*KEY, *KEY[1:-1]],
    "long after a key that never ends": [*KEY[:-1], *["12:00 INFO words"] * 200, *KEY[1:-1]],
    "words in a key": [*KEY[:3], "ready", "12:00 INFO go/on and on", "word", "ready now", *KEY[3:]],
    "another's words": interleaved([WEB + line for line in KEY], [f"db-1   | {word}" for word in ("ready", "abcd", "x=1")]),
}  # fmt: skip
STAYS = {
    "public": pem("PUBLIC KEY"),
    "certificate, prefixed": [WEB + line for line in pem("CERTIFICATE")],
    "behind a key's end": [KEY[0], KEY[-1], *KEY[1:-1]],
    "long after a key that never ends": [KEY[0], *["12:00 INFO words"] * 200, *KEY[1:-1]],
    "words in a key": [KEY[0], "12:00 INFO go/on and on", "word", "ready now", KEY[-1]],
    "another's words": [WEB + KEY[0], "db-1   | ready", "db-1   | abcd", "db-1   | x=1", WEB + KEY[-1]],
}


@pytest.mark.parametrize("case", NOT_IN_A_KEY)
def test_what_is_no_private_key_stays(case: str) -> None:
    """Lines that are none of a private key's stay, also while one is open."""
    ran = run_in_chunks(MODULE, ["\n".join(NOT_IN_A_KEY[case]).encode()])

    assert [line for line in ran.stdout.decode().split("\n") if "[key]" not in line] == STAYS[case]


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"a\r\nb\n\n\r\r\nc", bytes(range(256)) * 3, b"\n" * 70_000, b"x\0\xff" * 200_000],
    ids=["empty", "line end", "line ends", "all bytes", "many lines", "long line"],
)
def test_what_is_no_secret_stays(text: bytes) -> None:
    """A text without secrets comes out byte for byte, and nothing is said."""
    ran = run_in_chunks(MODULE, [text])

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
    assert run_in_chunks(MODULE, [LINE], variables).stdout == becomes


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"QUERY_STRING": "only=email,phone"},
            f"only: 'phone' is not a kind of secret; expected one or more of {KINDS}, with commas between them",
        ),
        (
            {"QUERY_STRING": "only"},
            f"only: '' is not a kind of secret; expected one or more of {KINDS}, with commas between them",
        ),
        (
            {"ONLY": "Email"},
            f"ONLY: 'Email' is not a kind of secret; expected one or more of {KINDS}, with commas between them",
        ),
        (
            {"QUERY_STRING": "mask="},
            "mask: '' can't replace a secret; expected 1 to 64 bytes without control characters",
        ),
        (
            {"MASK": "a\nb"},
            r"MASK: 'a\nb' can't replace a secret; expected 1 to 64 bytes without control characters",
        ),
        (
            {"QUERY_STRING": "mask=" + 33 * "%C3%A4"},
            f"mask: '{33 * 'ä'}' can't replace a secret; expected 1 to 64 bytes without control characters",
        ),
        ({"QUERY_STRING": "only=ip&keep=4"}, "'keep' is not an option; expected only or mask"),
    ],
    ids=["kind", "no kind", "environment's kind", "no mask", "line end", "long mask", "option"],
)
def test_wrong_options(variables: dict[str, str], sentence: str) -> None:
    """A wrong option is refused, before anything is written, with one sentence that says what is expected."""
    ran = run_in_chunks(MODULE, [LINE], variables)

    assert (ran.code, ran.stdout, ran.stderr) == (65, b"", f"{sentence}\n")


def test_the_command_s_end(engine: str, env: dict[str, str]) -> None:
    """Run as a command, it ends with 65 where an option is wrong."""
    ended = redact(engine, env, LINE, ONLY="phone")

    sentence = (
        f"ONLY: 'phone' is not a kind of secret; expected one or more of {KINDS}, with commas between them\n"
    )
    assert (ended.code, ended.stdout, ended.stderr) == (65, b"", sentence)


def test_lines_are_written_before_the_next_read() -> None:
    """Each read's complete lines are out before the next, those that end and those that are whole alike."""
    pieces = [b"one a@b.cc\ntw", b"o a@b", b".cc", b"\n", b"three\nfour\nfi", b"ve 10.0.0.1"]

    ran = run_in_chunks(MODULE, pieces)

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

    ran = run_in_chunks(MODULE, pieces)

    assert ran.stderr == "redacted 400002 email, 400000 ip, 400000 secret\n"
    assert ran.memory_bytes <= MEMORY_BYTES


HIDDEN = {
    "colours": b"\x1b[31m",
    "links": b"\x1b]8;;http://x\x1b\\",
    "zero width": b"\xe2\x80\x8b",
    "backspaces": b"\x08",
    "escaped": b"\\u001b[0m",
    "escape": b"\x1b",
    "UTF-8": b"\xc2\x9bm",
    "overstruck": b"s\x08",
    "deleted": b"X\x08 \x08",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_no_secret_hides_behind_much_that_is_invisible(case: str) -> None:
    """However much that doesn't show stands in a secret, it is found, and memory stays flat."""
    hidden = HIDDEN[case] * (2 * MEMORY_BYTES // len(HIDDEN[case]))
    pieces = [
        b"a pass" + hidden + b"word" + hidden + b"=" + hidden + b"hun" + hidden + b"ter" + hidden + b" b\n",
        b"c",
    ]

    ran = run_in_chunks(MODULE, pieces)

    assert b"hun" not in ran.stdout
    assert b"ter" not in ran.stdout
    assert ran.stdout.endswith(b" b\nc")
    assert (ran.stderr, ran.memory_bytes <= MEMORY_BYTES) == ("redacted 1 secret\n", True)


ENDLESS = {
    "parameters": (b"\x1b[", b"1;"),
    "string": (b"\x1b]0;", b"x"),
    "escaped string": (b"\\u001b]", b"x"),
    "UTF-8 string": (b"\xc2\x9d", b"x"),
    "backslashes": (b"", b"\\"),
    "controls": (b"", b"x\0"),
    "key": (b"-----BEGIN PRIVATE KEY-----\n", b"-"),
    "keys": (b"", b"-----BEGIN PRIVATE KEY-----"),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_what_never_ends_stays(case: str) -> None:
    """A sequence or key that begins and never ends hides nothing of what follows, and memory stays flat."""
    begin, more = ENDLESS[case]
    text = begin + more * (2 * MEMORY_BYTES // len(more)) + b" password=x\n"

    ran = run_in_chunks(MODULE, [text])

    assert ran.stdout == text.replace(b"=x", b"=[secret]")
    assert ran.memory_bytes <= MEMORY_BYTES


def test_a_long_mark() -> None:
    """The longest mark for the shortest secrets takes no more memory."""
    text = b"::1 " * (BUFFER_BYTES // 2)

    ran = run_in_chunks(MODULE, [text], {"MASK": 64 * "*"})

    assert ran.stdout == (64 * b"*" + b" ") * (BUFFER_BYTES // 2)
    assert ran.memory_bytes <= MEMORY_BYTES


INVISIBLE = st.sampled_from([
    *("\x1b[31m", "\x1b[0m", "\x1b[K", "\x1b(B", "\x1b7", "\x1b]8;;http://x\x1b\\", "\x1b]0;t\x07", "\x9b1m", "\x9d0;t\x9c"),
    *("\u200b", "\u2060", "\ufeff", "\u00ad", "\u202e", "\ufe0f", "\x0f", "\x7f", "\b"),
    *("\\u001b[0m", "\\x1b[1;32m", "\\u200b", "\\033[m", "^[[0m", "#033[0m"),
])  # fmt: skip
VISIBLE = st.sampled_from(
    [
        *(
            "password=hunter2X9",
            '"api_key": "hunter2X9"',
            "{'token': 'hunter2X9'}",
            "Authorization: Bearer hunter2X9",
        ),
        *(
            "https://bob:hunter2X9@host",
            "AKIAhunter2X9",
            "x-auth-token = hunter2X9",
            '\\"secret\\":\\"hunter2X9\\"',
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), visible=VISIBLE)
def test_nothing_invisible_hides_a_secret(data: st.DataObject, visible: str) -> None:
    """Wherever between the letters of a name and its value something invisible stands, the value is replaced."""
    text = visible.replace("AKIAhunter2X9", "AKIAHUNTER2X9HUNTER2")
    places = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)), reverse=True)
    for place in places:
        # A backslash and what it escapes are one.
        if text[place - 1 : place] != "\\":
            text = text[:place] + data.draw(INVISIBLE) + text[place:]

    written = run_in_chunks(MODULE, [f"before {text} behind\n".encode()]).stdout.decode()

    assert "[" in written
    assert not re.search("hun|ter2|2X9|HUN|TER2", written)
    assert written.startswith("before ")
    assert written.endswith(" behind\n")


# Ways to have a terminal or a pager show one letter.
PRINTED = st.sampled_from([
    *("{0}", "{0}\b{0}", "{0}\b{0}\b{0}", "_\b{0}", "{0}\b_", "{0}\x1b[1m\b{0}"),
    *("x\b{0}", "{0}x\b \b", "x\b\x1b[K{0}"),
])  # fmt: skip


def printed(text: str) -> str:
    """Return the text as a terminal or a pager shows it."""
    text = re.sub(r".\x08( \x08|\x1b\[K)", "", text).replace("\x1b[1m", "")
    while "\b" in text:
        text = re.sub(r"(.)\x08(.)", lambda pair: pair[1 if pair[2] == "_" else 2], text, count=1)
    return text


@settings(max_examples=300, deadline=None)
@given(data=st.data(), visible=VISIBLE)
def test_no_secret_hides_behind_what_a_terminal_prints_over(data: st.DataObject, visible: str) -> None:
    """However a terminal comes to show a name and its value, the value is replaced."""
    text = visible.replace("AKIAhunter2X9", "AKIAHUNTER2X9HUNTER2")
    typed = re.sub("[A-Za-z0-9]", lambda letter: data.draw(PRINTED).format(letter[0]), text)

    written = run_in_chunks(MODULE, [f"before {typed} behind\n".encode()]).stdout.decode()

    assert "[" in written
    assert not re.search("hun|ter2|2X9|HUN|TER2", printed(written))
    assert written.startswith("before ")
    assert written.endswith(" behind\n")


SECRETS = [line for lines in FINDS.values() for line in lines]
PARTS = st.sampled_from([
    *(line.encode() for line in SECRETS),
    *(b"a@b", b"%40", b".cc", b"10.0", b".0.1", b"fe80", b"::", b":", b"1", b"4111 1111 ", b"11111111", b"."),
    *(b"password", b"=", b'":"', b'\\"', b"\\", b'"', b" ", b"-", b"_", b"eyJhbGciOiJ", b"\xc3\xa4", b"\xff", b"word"),
    *(b"https://u:", b"p@h", b"Authorization: ", b"Bearer ", b"null", b"[", b"Basic", b"\r", b"\\n"),
    *(b"\x1b[0m", b"\x1b[", b"\x1b]8;;", b"\x07", b"\x1b\\", b"\x1b", b"\x08", b"\0", b"\xe2\x80\x8b", b"\xc2\x9b", b"\xef\xbc\x9a"),
    *(b"\\u001b[1m", b"\\u0022", b"\\u", b"\\x1b", b"^[[m", b"#033[m", b"_\x08", b"a\x08a", b"s\x08s", b"X\x08 \x08", b"\x08\x1b[K", b"\\t", b"\\/", b"\x01x="),
    *(b"web-1 | ", b"-----END PRIVATE KEY-----", b"Private-Lines: 2", b"QUJD" * 16, b"Cookie: a=", b"version ", b"git"),
    *(b"-----BEGIN PRIVATE KEY-----", b"MIIEvQIBADANBgkqhkiG9w0BAQ", b"-----END PRIVATE KEY-----"),
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(st.one_of(PARTS, st.just(b"\n")), max_size=40), data=st.data())
def test_it_does_not_matter_how_the_input_comes(parts: list[bytes], data: st.DataObject) -> None:
    """However the input is cut into reads, the output is the same, and so are the counts."""
    text = b"".join(parts)
    places = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=60)))
    cut = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    whole, in_pieces = run_in_chunks(MODULE, [text]), run_in_chunks(MODULE, cut)

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

    elsewhere, there = run_in_chunks(MODULE, [b"zz" + text]), run_in_chunks(MODULE, [before + text])

    assert (there.stdout, there.stderr) == (before + elsewhere.stdout[2:], elsewhere.stderr)


@pytest.mark.parametrize(
    ("secrets", "before_border"),
    [
        (b" TOKEN=y\0TOKEN=y ", 14),
        (b" 553=bob\1password=x\x0135=A'o'neill@example.org' ", 32),
        (b" PASSWORD=x\0USER=bob\0TOKEN=y ", 26),
    ],
)
def test_a_separator_at_a_border_is_one(secrets: bytes, before_border: int) -> None:
    """A control character between two settings separates them also where the first is gone from the buffer."""
    before = b"z" * (BUFFER_BYTES - 4096 - before_border)
    text = secrets + b"z" * BUFFER_BYTES

    elsewhere, there = run_in_chunks(MODULE, [b"zz" + text]), run_in_chunks(MODULE, [before + text])

    assert there.stdout == before + elsewhere.stdout[2:]


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
        f"only: 'all' is not a kind of secret; expected one or more of {KINDS}, with commas between them"
    )
