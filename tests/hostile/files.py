"""Guests that abuse descriptors, paths and the files below /tmp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.wasi.steps import RESULT, Step
from hostile.row import Row, command, steps
from wasm_grpc.hosts.wasi import abi

__all__ = ["FILES"]

TMP, FIRST = 3, 4
READ_WRITE = abi.RIGHT_FD_READ | abi.RIGHT_FD_WRITE | abi.RIGHT_FD_SEEK
FOLLOW = abi.LOOKUP_SYMLINK_FOLLOW
MOST = (1 << 63) - 1
MAX_64 = (1 << 64) - 1


def opening(errno: int, path: str | bytes, *, flags: int = 0) -> Step:
    """Return a try to open a path below /tmp."""
    return (errno, "path_open", TMP, FOLLOW, path, flags, READ_WRITE, 0, 0, RESULT)


OUTSIDE: dict[str | bytes, int] = {
    "..": abi.EPERM,
    "../": abi.EPERM,
    "../..": abi.EPERM,
    "/": abi.EPERM,
    "/etc/passwd": abi.EPERM,
    "//etc/passwd": abi.EPERM,
    "../etc/passwd": abi.EPERM,
    "./../../proc/self/environ": abi.EPERM,
    "d/../../etc/passwd": abi.EPERM,
    "d/d/../../../etc/passwd": abi.EPERM,
    "no/../../etc/passwd": abi.ENOENT,
    "": abi.ENOENT,
    b"etc\0passwd": abi.EINVAL,
    b"\xff\xfe": abi.EILSEQ,
    b"\xc0\xae\xc0\xae/etc/passwd": abi.EILSEQ,
    "n" * 256: abi.ENAMETOOLONG,
    "a/" * 2048 + "a": abi.ENAMETOOLONG,
}


def _outside() -> Iterator[Step]:
    yield (0, "path_create_directory", TMP, "d")
    yield (0, "path_create_directory", TMP, "d/d")
    for path, errno in OUTSIDE.items():
        yield opening(errno, path)
        yield (None, "path_filestat_get", TMP, FOLLOW, path, 64)
        yield (None, "path_rename", TMP, "d/d", TMP, path)
        yield (None, "path_link", TMP, FOLLOW, path, TMP, "new")
        yield opening(abi.ENOENT, "new")


LINKS: tuple[Step, ...] = (
    (0, "path_symlink", "itself", TMP, "itself"),
    opening(abi.ELOOP, "itself"),
    (0, "path_symlink", "b", TMP, "a"),
    (0, "path_symlink", "a", TMP, "b"),
    opening(abi.ELOOP, "a/x"),
    (0, "path_symlink", "../../etc", TMP, "out"),
    opening(abi.EPERM, "out/passwd"),
    (abi.EPERM, "path_symlink", "/etc/passwd", TMP, "absolute"),
    (None, "path_link", TMP, FOLLOW, "out/passwd", TMP, "hard"),
    opening(abi.ENOENT, "hard"),
    (None, "path_rename", TMP, "out", TMP, "../out"),
    (None, "path_readlink", TMP, "../../proc/self/exe", 4096, 100, RESULT),
)

SIZES: tuple[Step, ...] = (
    opening(0, "file", flags=abi.OFLAG_CREAT),
    (abi.ENOSPC, "fd_filestat_set_size", FIRST, 1 << 63),
    (abi.ENOSPC, "fd_filestat_set_size", FIRST, MOST),
    (abi.ENOSPC, "fd_allocate", FIRST, 0, MOST),
    (abi.EINVAL, "fd_allocate", FIRST, MAX_64, MAX_64),
    (abi.ENOSPC, "fd_pwrite", FIRST, 8, 1, MOST, RESULT),
    (0, "fd_pread", FIRST, 8, 1, MAX_64, RESULT),
    (0, "fd_seek", FIRST, MOST, abi.WHENCE_SET, RESULT),
    (abi.ENOSPC, "fd_write", FIRST, 8, 1, RESULT),
    (abi.EINVAL, "fd_seek", FIRST, MOST, abi.WHENCE_CUR, RESULT),
    (0, "fd_readdir", TMP, 4096, 65536, MAX_64, RESULT),
    (abi.EINVAL, "fd_advise", FIRST, MAX_64, MAX_64, 255),
)
ONE_BYTE = '(data (i32.const 8) "\\00\\00\\00\\00\\01\\00\\00\\00")'

EACH_DESCRIPTOR = """
  (local $fd i32)
  (local.set $fd (i32.const 4))
  (loop $next
    (call $check (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 8))
    (call $check (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 8))
    (call $check (call $fd_prestat_get (local.get $fd) (i32.const 64)) (i32.const 8))
    (call $check (call $fd_close (local.get $fd)) (i32.const 8))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $fd) (i32.const 20000))))
  (local.set $fd (i32.const -1))
  (loop $back
    (call $check (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 8))
    (local.set $fd (i32.shl (local.get $fd) (i32.const 1)))
    (br_if $back (local.get $fd)))
  (call $held)"""

CLOSES = """
  (local $fd i32)
  (loop $next
    (call $check (call $fd_close (local.get $fd)) (i32.const 0))
    (call $check (call $fd_close (local.get $fd)) (i32.const 8))
    (call $check (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 8))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $fd) (i32.const 4))))"""

# Puts a file in the place of each of its streams, and writes to what was standard output.
RENUMBERS: tuple[Step, ...] = (
    opening(0, "file", flags=abi.OFLAG_CREAT),
    (0, "fd_renumber", FIRST, 1),
    (0, "fd_write", 1, 8, 1, RESULT),
    (abi.EBADF, "fd_renumber", 9, 2),
    (abi.EBADF, "fd_renumber", 2, (1 << 32) - 1),
    (0, "fd_renumber", 1, 0),
    (abi.EBADF, "fd_write", 1, 8, 1, RESULT),
    (0, "fd_renumber", 0, 2),
    (0, "fd_write", 2, 8, 1, RESULT),
    (0, "fd_renumber", 2, TMP),
    (abi.EBADF, "fd_write", 2, 8, 1, RESULT),
)

# Names "aaaa", "aaab" and so on, of 16 bits, at 4096, does `call` with each until it fails, and says with which
# errno: it has to be this one, after at most so many calls.
UNTIL = """
  (local $n i32) (local $errno i32) (local $fd i32)
  (local.set $fd (i32.const 3))
  (loop $more
    (i32.store (i32.const 4096) (i32.add (i32.const 0x61616161)
      (i32.or (i32.and (local.get $n) (i32.const 15))
        (i32.or (i32.shl (i32.and (local.get $n) (i32.const 0xf0)) (i32.const 4))
          (i32.or (i32.shl (i32.and (local.get $n) (i32.const 0xf00)) (i32.const 8))
            (i32.shl (i32.and (local.get $n) (i32.const 0xf000)) (i32.const 12)))))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (local.set $errno {call})
    (br_if $more (i32.eqz (local.get $errno))))
  (call $check (local.get $errno) (i32.const {errno}))
  (call $true (i32.lt_u (local.get $n) (i32.const {most})))
  (call $held)"""
OPEN = """(call $path_open (i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 4) (i32.const 1)
  (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 64))"""
MAKE = f"""(if (result i32) (local.tee $errno {OPEN})
  (then (local.get $errno)) (else (call $fd_close (i32.load (i32.const 64)))))"""
MAKE_FOLDER = "(call $path_create_directory (i32.const 3) (i32.const 4096) (i32.const 4))"
MAKE_LINK = """(call $path_symlink (i32.const 65536) (i32.const 4000) (i32.const 3) (i32.const 4096)
  (i32.const 4))"""
# Makes a folder in the last one, opens it and closes the last one.
NEST = """(if (result i32)
  (local.tee $errno (call $path_create_directory (local.get $fd) (i32.const 4096) (i32.const 4)))
  (then (local.get $errno))
  (else
    (local.set $errno (call $path_open (local.get $fd) (i32.const 0) (i32.const 4096) (i32.const 4)
      (i32.const 2) (i64.const 0x2200) (i64.const 0x2200) (i32.const 0) (i32.const 64)))
    (drop (call $fd_close (local.get $fd)))
    (local.set $fd (i32.load (i32.const 64)))
    (local.get $errno)))"""
WRITE = "(call $fd_write (i32.const 4) (i32.const 16) (i32.const 1) (i32.const 64))"


def until(
    tries: str, call: str, *, errno: int = abi.ENOSPC, most: int = 65_536, first: str = "", also: str = ""
) -> Row:
    """Return a guest that does one thing until it is refused."""
    loop = UNTIL.format(call=call, errno=errno, most=most).replace("(loop $more", f"{first} (loop $more", 1)
    return Row(tries=tries, module=command(loop, also=also), answers=(b"held",) * 2)


FILES: Mapping[str, Row] = {
    "each-descriptor": Row(
        tries="reads, writes and closes every descriptor", module=command(EACH_DESCRIPTOR)
    ),
    "paths": Row(tries="opens what lies outside /tmp by every kind of path", module=steps(*_outside())),
    "long-path": Row(
        tries="names a path of 64 KiB",
        module=command("""
          (memory.fill (i32.const 4096) (i32.const 97) (i32.const 65536))
          (call $check (call $path_open (i32.const 3) (i32.const 1) (i32.const 4096) (i32.const 65536)
            (i32.const 1) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64)) (i32.const 37))
          (call $held)"""),
    ),
    "links": Row(tries="leaves /tmp by links, and follows links in circles", module=steps(*LINKS)),
    "closes-streams": Row(
        tries="closes its own streams, then uses them", module=command(CLOSES), answers=(b"",) * 2
    ),
    "renumbers-streams": Row(
        tries="puts files in the place of its streams",
        module=steps(*RENUMBERS, also=ONE_BYTE, then=""),
        answers=(b"",) * 2,
    ),
    "huge-files": Row(
        tries="makes files of 2^63 bytes, and seeks beyond them", module=steps(*SIZES, also=ONE_BYTE)
    ),
    "open-files": until("opens files without end", OPEN, errno=abi.EMFILE, most=1100),
    "many-files": until("makes files without end", MAKE, most=20_000),
    "many-folders": until("makes folders without end", MAKE_FOLDER, most=20_000),
    "deep-folders": until("makes a folder in each folder", NEST, most=20_000),
    "many-links": until(
        "makes links of 4,000 bytes without end",
        MAKE_LINK,
        most=300,
        first="(memory.fill (i32.const 65536) (i32.const 97) (i32.const 4000))",
    ),
    "long-file": until(
        "writes a file without end",
        WRITE,
        most=18,
        first=f"(i32.store (i32.const 4096) (i32.const 0x61616161)) (drop {OPEN})",
        also='(data (i32.const 16) "\\00\\00\\00\\00\\00\\00\\01\\00")',
    ),
}
