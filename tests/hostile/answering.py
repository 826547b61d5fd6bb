"""Guests that flood their streams, end oddly, leave half an answer, and look for what isn't theirs."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from hostile.row import BRIEF, LIMITS, Answer, Row, bad_response, command, ended, exited, late, trapped

__all__ = ["ANSWERING", "OUTPUT", "SECRET"]

CODES = grpc.StatusCode
OUTPUT = ended(
    CODES.RESOURCE_EXHAUSTED, "OUTPUT_LIMIT", "guest wrote over 1 MiB to standard output", "output"
)
CGI = f'response = "cgi"\n{LIMITS}'
BRIEF_CGI = f'response = "cgi"\n{BRIEF}'
SECRET = b"8e7Kq2Zw"
"""Eight bytes that a neighbour has in its environment, and that an earlier caller sent."""


def forever(do: str) -> str:
    """Return what does something without end."""
    return f"(loop $ever {do} (br $ever))"


def writes(content: bytes, *, times: int = 1, then: str = "") -> str:
    """Return a command that writes some bytes so many times, and then does something."""
    data = "".join(f"\\{byte:02x}" for byte in content)
    return command(
        f"""
        (local $n i32)
        (loop $more
          (call $write (i32.const 1) (i32.const 2048) (i32.const {len(content)}))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $n) (i32.const {times}))))
        {then}""",
        also=f'(data (i32.const 2048) "{data}")',
    )


def cgi(
    tries: str, content: bytes, answer: Answer, *, times: int = 1, then: str = "", sections: str = CGI
) -> Row:
    """Return a guest that writes this in place of a response."""
    return Row(
        tries=tries, module=writes(content, times=times, then=then), answers=(answer,) * 2, sections=sections
    )


# 65,536 vectors at 128 KiB, each of so many bytes at 0.
VECTORS = """
  (local $n i32)
  (drop (memory.grow (i32.const 16)))
  (loop $more
    (i32.store (i32.add (i32.const 131072) (local.get $n)) (i32.const 0))
    (i32.store (i32.add (i32.const 131076) (local.get $n)) (i32.const {size}))
    (local.set $n (i32.add (local.get $n) (i32.const 8)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 524288))))
  (call $check (call $fd_write (i32.const 1) (i32.const 131072) (i32.const 65536) (i32.const 32))
    (i32.const 28))"""

STREAMS = {
    "stdout-flood": Row(
        tries="writes to standard output for ever",
        module=command(forever("(call $write (i32.const 1) (i32.const 0) (i32.const 65536))")),
        answers=(OUTPUT,) * 2,
    ),
    "stdout-drip": Row(
        tries="writes one byte after the other for ever",
        module=command(forever("(call $write (i32.const 1) (i32.const 0) (i32.const 1))")),
        sections=LIMITS.replace("1MiB", "64KiB", 1),
        answers=(ended(OUTPUT.code, OUTPUT.reason, OUTPUT.said.replace("1 MiB", "64 KiB"), "output"),) * 2,
    ),
    "stdout-at-once": Row(
        tries="writes nearly 4 GiB in one call, by 65,536 vectors",
        module=command(VECTORS.format(size=65_535)),
        answers=(OUTPUT,) * 2,
    ),
    "stdout-beyond": Row(
        tries="writes 8 GiB in one call", module=command(VECTORS.format(size=131_072)), answers=(b"",) * 2
    ),
    "stdout-without-end": Row(
        tries="writes nothing at all for ever",
        module=command(forever("(call $write (i32.const 1) (i32.const 0) (i32.const 0))")),
        sections=BRIEF,
        answers=(late(),),
    ),
    "stderr-flood": Row(
        tries="writes to standard error for ever",
        module=command(forever("(call $write (i32.const 2) (i32.const 0) (i32.const 65536))")),
        sections=BRIEF,
        answers=(late(),),
    ),
    "stderr-forgery": Row(
        tries="forges lines of the log, and writes terminal escapes and bytes that are no text",
        module=command(
            """
            (call $write (i32.const 2) (i32.const 2048) (i32.const 36))
            (call $proc_exit (i32.const 3))""",
            also='(data (i32.const 2048) "one\\0d\\0a\\1b[2Jtwo\\00\\ff\\e2\\80\\a8three\\0a2030 ERROR x")',
        ),
        answers=(exited("exit code 3; it said: one | [2Jtwo\ufffd | three | 2030 ERROR x"),) * 2,
    ),
    "stdin-beyond": Row(
        tries="reads its input after its end, for ever",
        module=command(forever("(drop (call $read (i32.const 4096) (i32.const 65536)))")),
        sections=BRIEF,
        answers=(late(),),
        bodies=(b"body",),
    ),
}

CODES_OF_EXIT = (0, 1, 64, 65, 66, 126, 127, 128, 255, 256, 65_535, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
REJECTED = ended(
    CODES.INVALID_ARGUMENT, "REJECTED", "rejected the input: guest rejected its input (exit code 65)"
)

ENDINGS = {
    "exit-codes": Row(
        tries="exits with odd codes",
        module=command("""
          (drop (call $read (i32.const 4096) (i32.const 4)))
          (call $proc_exit (i32.load (i32.const 4096)))"""),
        bodies=tuple(code.to_bytes(4, "little") for code in CODES_OF_EXIT),
        answers=tuple(
            b"" if code == 0 else REJECTED if code == 65 else exited(f"exit code {code}")
            for code in CODES_OF_EXIT
        ),
    ),
    "signals": Row(
        tries="sends itself every signal",
        module=command("""
          (local $n i32)
          (loop $more
            (call $check (call $proc_raise (local.get $n)) (i32.const 52))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 300))))
          (call $held)"""),
    ),
    "half-an-answer": Row(
        tries="traps in the middle of its answer",
        module=writes(b"half of it", then="(unreachable)"),
        answers=(trapped("unreachable"),) * 2,
    ),
    "answer-then-hang": Row(
        tries="hangs after its answer",
        module=writes(b"all", then=forever("")),
        sections=BRIEF,
        answers=(late(),),
    ),
}

NO_EMPTY_LINE = "no empty line in the first 4096 bytes; expected one after the headers"
RESPONSES = {
    "header-flood": cgi("writes headers for ever", b"X-A: b\n", bad_response(NO_EMPTY_LINE), times=100_000),
    "header-line": cgi(
        "writes a header line of 1 MiB", b"X-A:" + b" " * 4092, bad_response(NO_EMPTY_LINE), times=255
    ),
    "header-hang": cgi(
        "hangs in the middle of its headers",
        b"Content-Type: a/b\n",
        late(),
        then=forever(""),
        sections=BRIEF_CGI,
    ),
    "header-half": cgi(
        "ends in the middle of its headers",
        b"Content-Type: a/b\nX-Half",
        bad_response("no empty line; expected one after the headers"),
    ),
    "header-none": cgi(
        "answers nothing",
        b"",
        bad_response("standard output is empty; expected header lines such as 'Content-Type: text/plain'"),
    ),
    "header-grpc": cgi(
        "sets the status of gRPC itself",
        b"Content-Type: a/b\ngrpc-status: 0\n\n",
        bad_response("header 'grpc-status' is reserved; expected another name"),
    ),
    "header-caller": cgi(
        "claims to be Dapr",
        b"Content-Type: a/b\nDapr-Caller-App-Id: admin\n\n",
        bad_response("header 'dapr-caller-app-id' is reserved; expected another name"),
    ),
    "header-split": cgi(
        "splits the response by a bare CR",
        b"Content-Type: a/b\nX-A: b\rX-Injected: c\n\n",
        bad_response("header 'X-A: b\\rX-Injected: c' has an invalid value; expected printable ASCII"),
    ),
    "header-nul": cgi(
        "writes NUL into a header",
        b"Content-Type: a/b\nX-A: \0\n\n",
        bad_response("header 'X-A: \\x00' has an invalid value; expected printable ASCII"),
    ),
    "header-status": cgi(
        "answers with a status that there is not",
        b"Status: 999\n\n",
        bad_response("Status is '999'; expected 200 to 599, such as '404 Not Found'"),
    ),
}

# Answers what it was called with if that isn't empty; else looks for the secret in all of its memory, also in what
# it grows by and in its own environment. It holds the secret only as two halves in code, each with all bits flipped.
FLIPPED = int.from_bytes(SECRET, "little") ^ ((1 << 64) - 1)
SEARCH = f"""
  (local $at i32) (local $n i32)
  (local.set $n (call $read (i32.const 65536) (i32.const 4096)))
  (if (local.get $n) (then
    (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.copy (i32.const 4194304) (i32.const 65536) (i32.const 4096))
    (memory.copy (i32.const 8384512) (i32.const 65536) (i32.const 4096))
    (call $write (i32.const 1) (i32.const 65536) (local.get $n))
    (return)))
  (drop (call $environ_get (i32.const 70000) (i32.const 80000)))
  (drop (call $args_get (i32.const 71000) (i32.const 90000)))
  (drop (call $fd_readdir (i32.const 3) (i32.const 100000) (i32.const 4096) (i64.const 0) (i32.const 64)))
  (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
  (local.set $n (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))
  (loop $next
    (if (i64.eq (i64.load (local.get $at)) (i64.xor (i64.const {FLIPPED}) (i64.const -1)))
      (then (unreachable)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $next (i32.le_u (local.get $at) (local.get $n))))
  (call $held)"""

LEAKS = {
    "search": Row(
        tries="looks for a neighbour's secret and for an earlier body in all of its memory",
        module=command(SEARCH),
        bodies=(b"", SECRET, b"", SECRET * 512, b"", b""),
        answers=(b"held", SECRET, b"held", SECRET * 512, b"held", b"held"),
    ),
}

ANSWERING: Mapping[str, Row] = STREAMS | ENDINGS | RESPONSES | LEAKS
