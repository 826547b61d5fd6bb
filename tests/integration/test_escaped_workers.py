"""What code can do that has escaped from an engine into its worker: each wall, attacked from inside."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from integration.client import Caller, connect
from integration.commands import run_command
from integration.guests import write_function
from integration.processes import process_pids, worker_pids
from rig import Server, serve
from rig.server import installed_command

__all__ = []

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(sys.platform != "linux", reason="it is the Linux kernel that confines"),
]

StartEscaped = Callable[..., AbstractAsyncContextManager[tuple[Server, Caller]]]
NUMBERS = {
    # Of x86-64; the others have the same number everywhere.
    "bpf": 321,
    "clone": 56,
    "ioctl": 16,
    "keyctl": 250,
    "mount": 165,
    "open_by_handle_at": 304,
    "perf_event_open": 298,
    "personality": 135,
    "prlimit64": 302,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "ptrace": 101,
    "rt_tgsigqueueinfo": 297,
    "sched_setaffinity": 203,
    "setns": 308,
    "shmget": 29,
    "tgkill": 234,
    "tkill": 200,
    "unshare": 272,
    "userfaultfd": 323,
    "clone3": 435,
    "io_uring_setup": 425,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "process_madvise": 440,
    "memfd_secret": 447,
}
NONE = "ENOSYS"


@pytest.fixture
def without() -> str:
    """Return the names of walls that the kernel shall lack; a test's parameters may give others."""
    return ""


@pytest.fixture
def worker_python(engine: str, without: str, tmp_path: Path) -> Path:
    """Return an interpreter for ``--worker-python`` whose workers do as `escaped_worker` says."""
    python = Path(sys.executable)
    if engine == "wasmer" and sys.version_info >= (3, 11):
        python = Path(sys.prefix).parent / ".venv-wasmer" / "bin" / "python"
    program = Path(__file__).parent / "escaped_worker.py"
    launcher = tmp_path / "python"
    launcher.write_text(f'#!/bin/sh\nexec "{python}" -I "{program}" "--without={without}" "$@"\n')
    launcher.chmod(0o755)
    return launcher


@pytest.fixture
def start_escaped(
    engine: str, cache_environment: dict[str, str], worker_python: Path, tmp_path: Path
) -> StartEscaped:
    """Serve on one worker that runs the code which it is sent, with root's privileges or without."""

    @asynccontextmanager
    async def start(
        *, env: dict[str, str] | None = None, is_privileged: bool = True
    ) -> AsyncIterator[tuple[Server, Caller]]:
        functions = tmp_path / "functions"
        if not functions.exists():
            write_function(functions, "echo")
        flags = ("--engine", engine, "--worker-python", str(worker_python), "--workers", "1")
        command = [*(() if is_privileged else unprivileged()), installed_command()]
        environment = {**cache_environment, **(env or {})}
        async with (
            serve(functions, *flags, env=environment, command=command) as server,
            connect(server.address) as caller,
        ):
            yield server, caller

    return start


def unprivileged() -> tuple[str, ...]:
    """Return what begins a command that has no more privileges than any user's."""
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


async def escape(caller: Caller, code: str, function: str = "echo") -> object:
    """Return what code calls `answer`, run in the worker of a function."""
    body = (await caller.invoke(function, f"#escape\n{textwrap.dedent(code)}".encode())).body.decode()
    try:
        return ast.literal_eval(body)
    except (SyntaxError, ValueError):
        return body


def attempts(*lines: str) -> str:
    """Return code that makes attempts, each an expression, and answers how each of them ended."""
    table = ", ".join(f"{line!r}: attempt(lambda: {line})" for line in lines)
    return f"NUMBERS = {NUMBERS}\nanswer = {{{table}}}"


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def test_no_process_and_no_program(start_escaped: StartEscaped) -> None:
    """A worker makes no process, by whichever call, runs no program and starts no thread."""
    tries = (
        "os.fork()",
        "call(NUMBERS['clone'], 17, 0, 0, 0, 0)",
        # CLONE_THREAD and what goes with it: no function of this worker has a model with threads.
        "call(NUMBERS['clone'], 0x50f00, 0, 0, 0, 0)",
        "call(NUMBERS['clone3'], ctypes.create_string_buffer(88), 88)",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "call(NUMBERS['unshare'], 0x10000000)",
        "call(NUMBERS['setns'], 0, 0)",
    )
    async with start_escaped() as (server, caller):
        before = worker_pids(server.process.pid)
        found = await escape(caller, attempts(*tries))

        assert found == dict.fromkeys(tries, NONE)
        assert worker_pids(server.process.pid) == before


async def test_no_socket(start_escaped: StartEscaped) -> None:
    """A worker gets no socket of any family and type, and no pair of them."""
    code = """
        refused = {
            attempt(lambda: socket.socket(family, kind, protocol))
            for family in range(48) for kind in range(1, 6) for protocol in (0, 262)
        }
        answer = sorted(refused | {attempt(socket.socketpair), attempt(os.pipe)})
    """
    async with start_escaped() as (_, caller):
        assert await escape(caller, code) == [NONE]


async def test_no_hand_on_other_processes(start_escaped: StartEscaped) -> None:
    """A worker can't signal, trace, read, slow down or limit the server, nor have a signal sent to it."""
    async with start_escaped() as (server, caller):
        pid = server.process.pid
        tries = (
            f"os.kill({pid}, 0)",
            f"call(NUMBERS['tkill'], {pid}, 0)",
            f"call(NUMBERS['rt_tgsigqueueinfo'], {pid}, {pid}, 0, 0)",
            f"call(NUMBERS['pidfd_open'], {pid}, 0)",
            "call(NUMBERS['pidfd_send_signal'], 0, 0, 0, 0)",
            "call(NUMBERS['process_madvise'], 0, 0, 0, 0, 0)",
            f"call(NUMBERS['ptrace'], 0x4206, {pid}, 0, 0)",
            f"call(NUMBERS['process_vm_readv'], {pid}, 0, 0, 0, 0, 0)",
            f"call(NUMBERS['process_vm_writev'], {pid}, 0, 0, 0, 0, 0)",
            f"os.setpriority(os.PRIO_PROCESS, {pid}, 0)",
            f"os.sched_setaffinity({pid}, [0])",
            f"os.setpgid({pid}, 0)",
        )
        limits = (
            f"resource.prlimit({pid}, resource.RLIMIT_CPU)",
            f"resource.prlimit({pid}, resource.RLIMIT_CPU, (1, 1))",
            f"resource.prlimit({os.getpid()}, resource.RLIMIT_CPU)",
            "call(NUMBERS['prlimit64'], 0, 4, ctypes.create_string_buffer(16), 0)",
            f"call(NUMBERS['tgkill'], {pid}, {pid}, 0)",
            # The kernel would send the server a signal whenever there is something to read.
            f"fcntl.fcntl(0, fcntl.F_SETOWN, {pid})",
            "call(NUMBERS['ioctl'], 0, 0x5452, ctypes.byref(ctypes.c_int(1)))",
        )

        found = await escape(caller, attempts(*tries, *limits))

        assert found == {**dict.fromkeys(tries, NONE), **dict.fromkeys(limits, "EPERM")}


async def test_nothing_else_of_the_kernel(start_escaped: StartEscaped) -> None:
    """A worker reaches no part of the kernel that it has no use for, nor by the calls of another machine."""
    tries = (
        "call(NUMBERS['mount'], 0, 0, 0, 0, 0)",
        "call(NUMBERS['io_uring_setup'], 1, ctypes.create_string_buffer(120))",
        "call(NUMBERS['userfaultfd'], 1)",
        "call(NUMBERS['bpf'], 0, 0, 0)",
        "call(NUMBERS['perf_event_open'], 0, 0, 0, 0, 0)",
        "call(NUMBERS['keyctl'], 0, -3, 0)",
        "call(NUMBERS['open_by_handle_at'], 0, 0, 0)",
        "call(NUMBERS['personality'], 0xffffffff)",
        "call(NUMBERS['memfd_secret'], 0)",
        # getpid as a program for x32 calls it, and a number that no kernel has yet.
        "call(0x40000000 | 39)",
        "call(4096)",
    )
    async with start_escaped() as (_, caller):
        assert await escape(caller, attempts(*tries)) == dict.fromkeys(tries, NONE)


async def test_no_file_of_the_machine(start_escaped: StartEscaped, tmp_path: Path) -> None:
    """A worker opens no file but its socket and its standard streams, and lists no folder."""
    secret = tmp_path / "secret"
    secret.write_text("the operator's")
    secret.chmod(0o600)
    async with start_escaped() as (server, caller):
        tries = (
            "os.open('/etc/passwd', 0)",
            "os.open('/proc/self/environ', 0)",
            "os.open('/proc/self/maps', 0)",
            "os.open('/dev/urandom', 0)",
            "os.open(sys.executable, 0)",
            f"os.open({os.fspath(secret)!r}, 0)",
            f"os.open({os.fspath(tmp_path / 'functions' / 'echo' / 'echo.wasm')!r}, 0)",
            f"os.open('/proc/{server.process.pid}/environ', 0)",
            f"os.open('/proc/{server.process.pid}/mem', 0)",
            "os.open(entry.function.artifact, 0)",
            "os.open('/', os.O_DIRECTORY)",
        )
        expected = dict.fromkeys(tries, "EACCES")

        assert await escape(caller, attempts(*tries)) == expected


async def test_no_change_of_a_file(start_escaped: StartEscaped, tmp_path: Path) -> None:
    """A worker changes nothing of a file of its own user, neither content, name, mode, owner nor times."""
    file = tmp_path / "file"
    file.write_text("the operator's")
    # Read before, which sets the time of the last access.
    before = (file.read_text(), file.stat())
    path = os.fspath(file)
    tries = (
        f"os.chmod({path!r}, 0o777)",
        f"os.chown({path!r}, 0, 0)",
        f"os.utime({path!r}, (0, 0))",
        f"os.setxattr({path!r}, 'user.a', b'1')",
        f"os.truncate({path!r}, 0)",
        f"os.rename({path!r}, {path + '.new'!r})",
        f"os.unlink({path!r})",
        f"os.link({path!r}, {path + '.link'!r})",
        f"os.symlink({path!r}, {path + '.link'!r})",
        f"os.mkdir({path + '.folder'!r})",
        f"os.mkfifo({path + '.pipe'!r})",
        "os.chdir('/tmp')",
        "os.chroot('/tmp')",
    )
    writes = (
        f"os.open({path!r}, os.O_WRONLY)",
        f"os.open({path!r}, os.O_RDWR)",
        f"os.open({path!r}, os.O_TRUNC)",
        f"os.open({path + '.new'!r}, os.O_CREAT)",
        "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
        "os.open('/', os.O_PATH)",
    )
    async with start_escaped() as (_, caller):
        found = await escape(caller, attempts(*tries, *writes))

    assert found == {**dict.fromkeys(tries, NONE), **dict.fromkeys(writes, "EPERM")}
    assert (file.read_text(), file.stat()) == before
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("file")] == ["file"]


async def test_no_memory_that_is_not_counted(start_escaped: StartEscaped) -> None:
    """A worker makes no file in memory, no shared, huge or growing mapping: its limit would not count them."""
    shared = (
        "mmap.mmap(-1, 4096)",
        "mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100)",
        "mmap.mmap(-1, 1 << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)",
    )
    tries = ("os.memfd_create('a')", "call(NUMBERS['shmget'], 0, 4096, 0o1600)")
    async with start_escaped() as (_, caller):
        found = await escape(caller, attempts(*shared, *tries, "bytearray(8 << 30)"))

    expected = {
        **dict.fromkeys(shared, "EPERM"),
        **dict.fromkeys(tries, NONE),
        "bytearray(8 << 30)": "ENOMEM",
    }
    assert found == expected


async def test_no_privilege(start_escaped: StartEscaped) -> None:
    """A worker holds no capability, also where root started the server, and can gain none."""
    async with start_escaped() as (server, caller):
        await caller.invoke("echo", b"here")
        status = _status(worker_pids(server.process.pid)[0])

    assert {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {
        "CapInh": 0,
        "CapPrm": 0,
        "CapEff": 0,
        "CapAmb": 0,
    }
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


async def test_the_tokens_are_nowhere_to_be_read(start_escaped: StartEscaped) -> None:
    """The server's tokens are not in its environment once it serves, which a process of its user can't read."""
    tokens = {"APP_API_TOKEN": "the-app-token", "WASM_GRPC_DAPR_API_TOKEN": "the-sidecar-token"}
    async with start_escaped(env=tokens, is_privileged=False) as (server, _):
        environment = Path(f"/proc/{server.process.pid}/environ")
        command = [*unprivileged(), "cat", str(environment)]
        read = subprocess.run(command, capture_output=True, timeout=10, check=False)
        seen = environment.read_bytes() if os.geteuid() == 0 else b""

    assert (read.returncode, read.stdout, b"-token" in seen) == (1, b"", False)


@pytest.mark.parametrize("in_advance", [0, 1], ids=["loaded by a worker", "loaded by a template"])
async def test_a_granted_file_that_only_root_can_read(
    start_escaped: StartEscaped, tmp_path: Path, in_advance: int
) -> None:
    """Where a granted file takes root's privilege to read, a worker that loads it keeps that, and reads no other."""
    if os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    grant = f'[pool]\nmin = {in_advance}\n[capabilities]\nfiles = [{{ host = "data", guest = "/data" }}]\n'
    place = write_function(tmp_path / "functions", "echo", sections=grant)
    (place / "data").write_text("of another user")
    (place / "data").chmod(0o600)
    os.chown(place / "data", 64321, 64321)
    os.chown(place, 64321, 64321)
    place.chmod(0o700)
    async with start_escaped() as (server, caller):
        found = await escape(caller, attempts("os.open('/etc/shadow', 0)", "os.setuid(64321)"))
        capabilities = _status(worker_pids(server.process.pid)[0])["CapPrm"]

    assert found == {"os.open('/etc/shadow', 0)": "EACCES", "os.setuid(64321)": NONE}
    # CAP_DAC_READ_SEARCH
    assert int(capabilities, 16) == (0 if in_advance else 1 << 2)


GROW = {
    # Memory that is no longer writable counts for no limit.
    "read-only memory": """
        held.append(mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        held[-1].write(bytes(64 << 20))
        at = ctypes.addressof(ctypes.c_char.from_buffer(held[-1]))
        libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(64 << 20), 1)
    """,
    # One page in each 2 MiB of a mapping: the tables take as much memory again, the pages themselves none.
    "page tables": """
        held.append(mmap.mmap(-1, 64 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=1))
        for at in range(0, 64 << 30, 2 << 20):
            held[-1][at]
    """,
}


def growing(way: str) -> str:
    """Return code that takes memory until it is ended."""
    return "held = []\nfor _ in range(1000):\n" + textwrap.indent(textwrap.dedent(GROW[way]), "    ")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", GROW)
async def test_memory_that_no_limit_of_the_kernel_counts(start_escaped: StartEscaped, way: str) -> None:
    """A worker that grows by what RLIMIT_DATA does not count is seen, and ended at its limit."""
    async with start_escaped(env={"WASM_GRPC_WORKER_BYTES": str(128 << 20)}) as (_, caller):
        failure = await caller.fail("echo", f"#escape\n{growing(way)}".encode())
        healthy = await caller.invoke("echo", b"next")

    assert (failure.reason, healthy.body) == ("WORKER_MEMORY", b"next")


async def test_the_template(start_escaped: StartEscaped, tmp_path: Path) -> None:
    """Native code that escapes while a template loads it finds the walls as well; only forking is left to it."""
    tries = {
        "os.open('/etc/passwd', 0)": "EACCES",
        "os.open('/proc/self/environ', 0)": "EACCES",
        "os.open('/a', os.O_CREAT)": "EPERM",
        "socket.socketpair()": NONE,
        f"os.kill({os.getpid()}, 0)": NONE,
        "call(NUMBERS['clone'], 0x10000011, 0, 0, 0, 0)": "EPERM",
        f"resource.prlimit({os.getpid()}, resource.RLIMIT_CPU)": "EPERM",
    }
    code = json.dumps("#escape\n" + attempts(*tries))
    write_function(tmp_path / "functions", "loader", guest="echo", sections=f"args = [{code}]\n")
    async with start_escaped() as (server, caller):
        await caller.fail("loader")
        templates = process_pids(server.process.pid, "wasm-template")
        pattern = rf"worker ({'|'.join(map(str, templates))}) can't load it: (.*)"
        answer = (await server.process.stderr.match(pattern))[2]
        states = [_status(template) for template in templates]

    assert ast.literal_eval(answer) == tries
    # The base has loaded nothing, and has none of the walls.
    privileges = sorted((state["Seccomp"], int(state["CapPrm"], 16) == 0) for state in states)
    assert privileges[-1] == ("2", True)


def write_escaping_module(functions: Path, code: str) -> None:
    """Write a function whose module runs code in the process that compiles it: in a section of its own."""
    function = write_function(functions, "deaf")
    section = b"\x06escape#escape\n" + code.encode()
    size = bytes((len(section) & 0x7F | 0x80, len(section) >> 7 & 0x7F | 0x80, len(section) >> 14))
    module = function / "deaf.wasm"
    module.write_bytes(module.read_bytes() + b"\0" + size + section)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("way", GROW)
async def test_the_memory_of_the_compile_process(
    engine: str, worker_python: Path, cache_environment: dict[str, str], tmp_path: Path, way: str
) -> None:
    """A compile process that grows by what RLIMIT_DATA does not count is ended as well, soon."""
    write_escaping_module(tmp_path / "functions", growing(way))
    env = {**cache_environment, "WASM_GRPC_COMPILE_BYTES": str(192 << 20)}
    flags = ("--engine", engine, "--worker-python", worker_python)

    ended = await asyncio.to_thread(run_command, "check", tmp_path / "functions", *flags, env=env)

    assert "compiling it ended the compile process (signal SIGKILL); expected at most 192 MiB" in ended.stderr


async def test_the_compile_process(
    engine: str, worker_python: Path, cache_environment: dict[str, str], tmp_path: Path
) -> None:
    """A module that escapes while it is compiled finds no file, no socket, no process and no privilege either."""
    tries = ("os.open('/etc/passwd', 0)", "os.open('/a', os.O_CREAT)", "os.fork()", "socket.socketpair()")
    code = attempts(*tries, f"resource.prlimit({os.getpid()}, resource.RLIMIT_CPU)")
    write_escaping_module(tmp_path / "functions", code)
    flags = ("--engine", engine, "--worker-python", worker_python)

    ended = await asyncio.to_thread(
        run_command, "check", tmp_path / "functions", *flags, env=cache_environment
    )

    found = ast.literal_eval(ended.stderr[ended.stderr.index("{") : ended.stderr.index("}") + 1])
    assert list(found.values()) == ["EACCES", "EPERM", "EPERM", "ENOSYS", "EPERM"]


SEALED = (
    "os.open('/proc/{pid}/environ', 0)",
    "os.open('/proc/{pid}/mem', 0)",
    "os.open('/proc/{template}/mem', 0)",
    # SIGABRT, which a template may send.
    "call(NUMBERS['tgkill'], {pid}, {pid}, 6)",
)
WRITES = ("os.open('{folder}/new', os.O_CREAT | os.O_RDWR)", "os.mkdir('{folder}/new')")


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ("landlock", ["EACCES", "EACCES", "EACCES", "EPERM", "EPERM", "ENOSYS", "ENOSYS", "done"]),
        ("seccomp", ["EACCES", "EACCES", "EACCES", "EPERM", "EACCES", "EACCES", "done", "EACCES"]),
    ],
)
async def test_what_one_wall_holds_where_the_other_is_missing(
    start_escaped: StartEscaped, tmp_path: Path, expected: list[str]
) -> None:
    """Without Landlock a worker still reads no memory of other processes and writes nothing; nor without seccomp."""
    async with start_escaped(is_privileged=False) as (server, caller):
        pid = server.process.pid
        (template, *_) = process_pids(pid, "wasm-template")
        lines = [line.format(pid=pid, template=template, folder=tmp_path) for line in (*SEALED, *WRITES)]
        found = await escape(caller, attempts(*lines, "socket.socketpair()", "os.open('/etc/passwd', 0)"))

    assert isinstance(found, dict)
    assert list(found.values()) == expected


@pytest.mark.parametrize("without", ["landlock", "seccomp"])
async def test_a_missing_wall(start_escaped: StartEscaped, without: str) -> None:
    """The server says at its start which wall is missing, and what it takes to have it."""
    async with start_escaped() as (server, _):
        warnings = [line for line in server.process.stderr.lines if "WARNING" in line]

    (warning,) = warnings
    assert f"WARNING the sandbox of workers lacks {without}: the kernel does not keep workers from" in warning
    assert "; expected Linux" in warning


@pytest.mark.parametrize("without", ["landlock", "seccomp", "landlock,seccomp"])
async def test_a_missing_wall_that_is_required(
    worker_python: Path,
    engine: str,
    cache_environment: dict[str, str],
    tmp_path: Path,
    without: str,
) -> None:
    """With --require-sandbox, the server refuses to serve without it: exit code 2 and one sentence."""
    write_function(tmp_path / "functions", "echo")
    flags = ("--engine", engine, "--worker-python", worker_python, "--port", "0", "--require-sandbox")

    ended = await asyncio.to_thread(
        run_command,
        "serve",
        tmp_path / "functions",
        *flags,
        env={**cache_environment, "WASM_GRPC_LOG": "warning"},
    )

    (line,) = ended.errors
    assert ended.code == 2
    assert line.startswith(
        f"wasm-grpc serve: require_sandbox: the sandbox of workers lacks {without.replace(',', ' and ')}: "
    )


async def test_what_lies_in_a_worker(start_escaped: StartEscaped, tmp_path: Path) -> None:
    """A function with files, models or secrets of its own shares its workers with no other function."""
    functions = tmp_path / "functions"
    for name in ("echo", "plain"):
        write_function(functions, name, guest="echo")
    for name in ("files", "others"):
        place = write_function(
            functions,
            name,
            guest="echo",
            sections='[capabilities]\nfiles = [{ host = "data", guest = "/data" }]\n',
        )
        (place / "data").write_text(f"of {name}")
    code = """
        frame = sys._getframe()
        while "functions" not in frame.f_locals:
            frame = frame.f_back
        answer = sorted(each.function.name for each in frame.f_locals["functions"]._table.values())
    """
    async with start_escaped() as (_, caller):
        found = {name: await escape(caller, code, name) for name in ("echo", "plain", "files", "others")}

    assert found == {
        "echo": ["echo", "plain"],
        "plain": ["echo", "plain"],
        "files": ["files"],
        "others": ["others"],
    }
