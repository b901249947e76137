"""What a worker can't do, tried in one: read, write, connect, start or signal anything else."""

import ast
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sxdiff
from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, tar
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from sxdiff.work import isolation
from sxdiff.work import pool as pool_module
from sxdiff.work.pool import Pool

ROOT = Path(__file__).parent.parent.parent
LINUX = sys.platform == "linux" and os.uname().machine in isolation._CALLS
_TRICKS = """
import ctypes, os, resource
from sxdiff.work import tasks, worker

libc = ctypes.CDLL(None, use_errno=True)

def called(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

class Tasks(tasks.Tasks):
    def do_try(self, task, _limits):
        scope = {"os": os, "resource": resource, "libc": libc, "called": called, "task": task}
        try:
            exec(task["code"], scope)
        except OSError as error:
            return error.strerror
        return scope.get("found")

tasks.Tasks = Tasks
worker.run()
"""
DENIED = ("Permission denied", "Operation not permitted")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs code in a worker: what it calls `found`, or why it could not."""
    start = pool_module._START.replace("from sxdiff.work.worker import run; run()", "exec(TRICKS)")
    monkeypatch.setattr(pool_module, "_START", f"TRICKS = {_TRICKS!r}\n{start}")
    for name in ("spool", "input"):
        (tmp_path / name).mkdir()
    (tmp_path / "input" / "file").write_text("of the input")
    (tmp_path / "secret").write_text("of somebody else")
    with Pool(str(tmp_path / "spool"), 1, inputs=(str(tmp_path / "input"),)) as pool:

        def tell(code: str, **more: Any) -> Any:
            ((_, answer),) = pool.run([{"task": "try", "code": code, **more}])
            return answer

        yield tell


@pytest.mark.skipif(not LINUX, reason="walls are the kernel's")
def test_every_wall_stands_here() -> None:
    """Where the kernel has all of it, as on the machines of CI, nothing may be missing."""
    told, whole = pool_module.isolation()
    missing = [line for line in told if "missing" in line]
    if any("Landlock" in line for line in missing) and not os.environ.get("SXDIFF_REQUIRE_TOOLS"):
        pytest.skip("no Landlock here")
    assert missing == []
    assert [line for line in told if "cannot" not in line] == []
    assert len(told) == 7
    assert whole


@pytest.mark.skipif(not LINUX, reason="walls are the kernel's")
def test_a_worker_reads_the_inputs_and_writes_the_spool(inside: Any, tmp_path: Path) -> None:
    read = "found = open(task['path']).read()"
    assert inside(read, path=str(tmp_path / "input" / "file")) == "of the input"
    for path in (tmp_path / "secret", Path("/etc/passwd"), Path("/proc/self/environ")):
        assert inside(read, path=str(path)) in DENIED, path
    write = "open(task['path'], 'w').write('x'); found = 'written'"
    assert inside(write, path=str(tmp_path / "spool" / "w0_1")) == "written"
    for name in ("input/file", "input/new", "secret", "new"):
        assert inside(write, path=str(tmp_path / name)) in DENIED, name
    for code in (
        "os.unlink(task['path'])",
        "os.truncate(task['path'], 0)",
        "os.rename(task['path'], task['path'] + 'x')",
        "os.link(task['path'], task['spool'] + '/x')",
        "os.symlink(task['path'], task['spool'] + '/x')",
        "os.mkdir(task['spool'] + '/x')",
        "os.mkfifo(task['spool'] + '/x')",
    ):
        assert inside(code, path=str(tmp_path / "secret"), spool=str(tmp_path / "spool")), code
    assert (tmp_path / "secret").read_text() == "of somebody else"
    assert os.listdir(tmp_path / "spool") == ["w0_1"]
    assert sorted(os.listdir(tmp_path / "input")) == ["file"]


@pytest.mark.skipif(not LINUX, reason="walls are the kernel's")
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "import signal; os.kill(1, 0)",
        "called('ptrace', 16, os.getppid(), 0, 0)",
        "called('unshare', 0x10000000)",
        "called('syscall', 425, 1, bytes(120))",  # io_uring_setup
        "called('syscall', 435, bytes(88), 88)",  # clone3
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 60, 1 << 60))",
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 60, 1 << 60))",
        "os.setuid(0); os.setgroups([0])",
        "os.chroot('/')",
        "os.mknod(task['spool'] + '/device', 0o60600, 0x100)",
    ],
)
def test_a_worker_can_do_nothing_else(inside: Any, tmp_path: Path, code: str) -> None:
    answer = inside(code, spool=str(tmp_path / "spool"))
    assert answer in DENIED or "not allowed" in str(answer), answer


@pytest.mark.skipif(not LINUX, reason="walls are the kernel's")
def test_the_bounds_of_a_worker(inside: Any) -> None:
    code = "found = [resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in task['names']]"
    names = ["CORE", "AS", "FSIZE", "NOFILE"]
    assert inside(code, names=names) == [[n, n] for n in (0, 4 << 30, 256 << 30, 256)]
    prctl = "found = [libc.prctl(n, 0, 0, 0, 0) for n in (3, 39, 21)]"
    # PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP
    assert inside(prctl) == [0, 1, 2]


def test_a_worker_knows_nothing_of_the_environment(
    inside: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "abc")
    found = inside("found = sorted(os.environ)")
    assert set(found) <= {"TZ", "LC_ALL", "TMPDIR", "SQLITE_TMPDIR", "LC_CTYPE"}
    assert inside("found = os.environ['TMPDIR']") == str(tmp_path / "spool")


def test_a_worker_ends_with_its_seconds(inside: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    answer = inside("while True: pass", cpu_seconds=1)
    assert str(answer) == "try: took too long"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 20


NETWORK = {
    *("socket", "ssl", "urllib", "http", "ftplib", "smtplib", "asyncio", "socketserver", "xmlrpc"),
    *("requests", "telnetlib", "poplib", "imaplib", "nntplib", "webbrowser", "_socket"),
}


def test_nothing_in_sxdiff_knows_the_network() -> None:
    """No module of it imports what opens a socket; `urllib.parse` opens none."""
    found = set()
    for path in Path(sxdiff.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found |= {(path.name, name) for name in names if name.split(".")[0] in NETWORK}
    assert found <= {("sarif.py", "urllib.parse")}


def test_a_comparison_opens_no_socket(tmp_path: Path) -> None:
    """Neither the process that was started nor a worker: every event of Python is looked at."""
    program = (
        "import sys\n"
        "def hook(name, _):\n"
        "    if name.startswith('socket.') or name in ('urllib.Request', 'http.client.connect'):\n"
        "        sys.stderr.write(f'{name}\\n')\n"
        "sys.addaudithook(hook)\n"
    )
    start = pool_module._START
    driver = (
        f"{program}"
        "from sxdiff.work import pool\n"
        f"pool._START = {program!r} + {start!r}\n"
        "from sxdiff.cli import main\n"
        "main()\n"
    )
    pair = [str(ROOT / "fixtures" / "try" / f"{side}.tar") for side in "ab"]
    outputs = ["--json", "r.json", "--html", "r.html", "--text", "-", "--debug"]
    done = subprocess.run(
        [sys.executable, "-c", driver, *outputs, *pair],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_the_version_tells_of_the_walls() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sxdiff", "--version", "--verbose"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines, whole = pool_module.isolation()
    assert done.stdout.splitlines() == [f"sxdiff {sxdiff.__version__}", *lines]
    assert (done.returncode, done.stderr) == (0 if whole else 1, "")


@pytest.mark.skipif(not LINUX, reason="walls are the kernel's")
def test_a_kernel_without_landlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not know its system calls (landlock(7): ENOSYS): the comparison is the same,
    the other walls stand, and what is missing is said."""
    paths = [str(tmp_path / f"{side}.tar") for side in "ab"]
    for path, text in zip(paths, ("one", "two"), strict=True):
        Path(path).write_bytes(oci_archive(image([layer(tar([file("etc/x", text)]))])))

    def compared() -> str:
        with compare(paths[0], paths[1], Options(), None) as report:
            return "".join(json_report.chunks(report))

    whole = compared()
    unknown = "from sxdiff.work import isolation; isolation._CREATE_RULESET = 9999; "
    start = pool_module._START.replace(
        "from sxdiff.work.worker", f"{unknown}from sxdiff.work.worker"
    )
    assert unknown in start
    monkeypatch.setattr(pool_module, "_START", start)
    told, complete = pool_module.isolation()
    assert [line for line in told if "missing" in line] == ["Landlock is missing here"]
    assert not complete
    assert any("cannot" in line for line in told)
    assert compared() == whole
