"""The machine at its worst: full and broken disks, signals, killed workers, inputs that change.

The law is one: a run ends with the true verdict or with exit code 2 and one line that is clear;
outputs are whole or as they were; no file and no process is left. `SXDIFF_FAULTS=all` makes every
single call fail in turn; otherwise some do.
"""

import errno
import gzip
import json
import os
import pty
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import image, layer, oci_archive, oci_layout, write
from fixtures.packing import zstd
from fixtures.tar import file, tar
from tests.tools import all_shown, need

HERE = Path(__file__).parent
ALL = os.environ.get("SXDIFF_FAULTS") == "all"
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
MAIN = "from sxdiff.cli import main; main()"
SHIMMED = """
import os, subprocess
shim = {key: value for key, value in os.environ.items() if key.startswith(("FAULT_", "LD_"))}
start = subprocess.Popen.__init__
def popen(self, *words, **more):
    if more.get("env") is not None:
        more["env"] = {**more["env"], **shim}
    start(self, *words, **more)
subprocess.Popen.__init__ = popen
"""
"""Workers get no environment; here they get what makes their calls fail."""

SIDES = ("a", "b")
OUTPUTS = ("r.html", "r.json", "r.txt")


def _image(side: str) -> bytes:
    """Layers in gzip and zstd; files that differ in formats that are looked into; one renamed."""
    choose = random.Random(3)
    text = [file(f"f{n:03}", f"{side if n % 3 == 0 else 'x'}{n}" * 300) for n in range(90)]
    binary = Path(sys.executable).resolve().read_bytes()[:300_000]
    deep = [
        file("zeros", choose.randbytes(10_000) + bytes(200_000) + side.encode() * 3000),
        file("x.gz", gzip.compress(b"hello " * 5000 + side.encode(), mtime=1)),
        file("binary", binary[:-20] + side.encode() * 20),
        file(f"only-{side}", choose.randbytes(5000)),
    ]
    other = [file(f"z{n}", f"{side}{n}" * 100) for n in range(40)]
    layers = [tar([*text, *deep]), tar(other)]
    return oci_archive(
        image(
            [
                layer(layers[0], gzip.compress(layers[0], mtime=0), GZIP),
                layer(layers[1], zstd(layers[1]), ZSTD),
            ]
        )
    )


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a.tar and b.tar; b is packed as a whole, so that the spool holds it."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "a.tar").write_bytes(_image("a"))
    (folder / "b.tar").write_bytes(gzip.compress(_image("b"), 1, mtime=0))
    return folder


@dataclass
class Place:
    """Where one run happens: all that it may write to is looked at afterwards."""

    home: Path
    program: str = MAIN
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        outputs = [word for name in OUTPUTS for word in (f"--{name[2:]}", str(self.out / name))]
        outputs[outputs.index("--txt")] = "--text"
        inputs = [str(self.inputs / f"{side}.tar") for side in SIDES]
        return [*outputs, "--jobs", "2", "--spool", str(self.spool), *inputs]

    @property
    def inputs(self) -> Path:
        return self.home / "in"

    @property
    def out(self) -> Path:
        return self.home / "out"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    def start(
        self,
        *words: str,
        stdin: int | None = None,
        stdout: int | None = subprocess.PIPE,
        stderr: int | None = subprocess.PIPE,
        process_group: int | None = None,
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*(sys.executable, "-c", self.program), *(words or self.words)],
            env={"PATH": os.environ["PATH"], **self.environment},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=process_group,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """The exit code and what was said, after the law was looked at."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        said = err.decode()
        assert not out
        assert "Traceback" not in said
        assert "bug in sxdiff" not in said
        assert said.count("\n") == (process.returncode == 2), said
        self.nothing_is_left()
        return process.returncode, said

    def nothing_is_left(self) -> None:
        assert not os.listdir(self.spool)
        names = os.listdir(self.out)
        assert set(names) <= set(OUTPUTS), names
        for name in names:
            assert (self.out / name).read_text() in (self.old(name), *self.wholes(name)), name
        assert not self.processes()

    def processes(self) -> list[int]:
        """Processes that have the spool in their command line; a killed one may take a moment."""
        deadline = time.monotonic() + 5
        while found := [pid for pid in _pids() if str(self.spool).encode() in _words(pid)]:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        return found

    @staticmethod
    def old(name: str) -> str:
        return f"the old {name}"

    def wholes(self, name: str) -> list[str]:
        path = self.home / "whole" / name
        return [path.read_text()] if path.exists() else []

    def renew(self) -> None:
        """Inputs and old outputs as they were."""
        for name in OUTPUTS:
            (self.out / name).write_text(self.old(name))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def place(tmp_path: Path, pair: Path, whole: Path) -> Place:
    for name in ("in", "out", "spool"):
        (tmp_path / name).mkdir()
    shutil.copytree(whole, tmp_path / "whole")
    for side in SIDES:
        shutil.copyfile(pair / f"{side}.tar", tmp_path / "in" / f"{side}.tar")
    return Place(tmp_path)


@pytest.fixture(scope="session")
def whole(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run that meets no fault."""
    home = tmp_path_factory.mktemp("whole")
    for name in ("out", "spool"):
        (home / name).mkdir()
    (home / "in").symlink_to(pair)
    with Place(home).start() as process:
        assert process.communicate() == (b"", b"")
    assert process.returncode == 1
    return home / "out"


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("gcc")
    target = tmp_path_factory.mktemp("shim") / "faults.so"
    source = HERE / "faults.c"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", target, source, "-ldl"],
        check=True,
    )
    return target


Fault = Callable[..., tuple[int, str]]


def _do_when_asked(counter: Path, command: str) -> None:
    """Runs the command when a call waits for it, or when the run is over."""
    while not counter.read_bytes()[8]:
        time.sleep(0.001)
    subprocess.run(["sh", "-c", command], check=True)
    with counter.open("r+b") as file:
        file.seek(16)
        file.write(b"\1")


@pytest.fixture
def fault(place: Place, shim: Path) -> Fault:
    """Runs with the Nth call below a directory failing, and all after it; 0: how many there are."""
    place.program = SHIMMED + MAIN
    counter = place.home / "count"

    def run(below: Path, calls: str, nth: int, number: int = 0, command: str = "") -> Any:
        place.renew()
        counter.write_bytes(bytes(24))
        place.environment = {
            "LD_PRELOAD": str(shim),
            "FAULT_BELOW": str(below),
            "FAULT_CALLS": calls,
            "FAULT_NTH": str(nth),
            "FAULT_ERRNO": str(number),
            "FAULT_COUNT": str(counter),
        }
        watcher = threading.Thread(target=_do_when_asked, args=(counter, command))
        if command:
            watcher.start()
        try:
            code, said = place.run()
        finally:
            with counter.open("r+b") as file:
                file.seek(8)
                file.write(struct.pack("<qq", 1, 1))
            if command:
                watcher.join()
        if not nth:
            assert code == 1
            return struct.unpack("<q", counter.read_bytes()[:8])[0]
        return code, said

    return run


def _some(count: int, wanted: int) -> list[int]:
    """Calls to fail: all of them, or so many spread over the run, the first and last included."""
    if ALL or count <= wanted:
        return list(range(1, count + 1))
    return sorted({1 + round(n * (count - 1) / (wanted - 1)) for n in range(wanted)})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("where", ["spool", "out"])
def test_a_disk_that_fails_at_any_write(place: Place, fault: Any, where: str, number: int) -> None:
    """The disk is full, or breaks, from the Nth write of all processes together on."""
    below = place.home / where
    count = fault(below, "write", 0)
    assert count > 40
    codes = set()
    for nth in _some(count, 5):
        code, said = fault(below, "write", nth, number)
        codes.add(code)
        # at the end of the sweep a worker may count less than before, and nothing fails
        assert code == 2 or (code == 1 and nth > count * 3 // 4), (nth, said)
        if code == 2:
            assert said.startswith("sxdiff: ")
            assert "spool" in said or "cannot write" in said
            assert (place.out / "r.txt").read_text() == place.old("r.txt") or where == "out"
    assert 2 in codes


def test_a_disk_that_cannot_be_read_at_any_point(place: Place, fault: Any) -> None:
    count = fault(place.inputs, "read", 0)
    assert count > 40
    for nth in _some(count, 4):
        code, said = fault(place.inputs, "read", nth, errno.EIO)
        assert code == 2 or (code == 1 and nth > count * 3 // 4), (nth, said)
        assert code == 1 or "Input/output error" in said
    spooled = fault(place.spool, "read", 0)
    for nth in _some(spooled, 4):
        code, said = fault(place.spool, "read", nth, errno.EIO)
        assert code in (1, 2), (nth, said)


CHANGES = {
    "shrinks": "truncate -s 9000 {0}",
    "shrinks to nothing": ": > {0}",
    "grows": "echo more >> {0}",
    "is replaced": "cp {1} {0}.new && mv {0}.new {0}",
    "is overwritten": "cat {1} > {0}",
    "is gone": "rm {0}",
    "changes in its middle": "printf x | dd of={0} bs=1 seek=20000 conv=notrunc status=none",
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_input_that_changes_while_it_is_read(
    place: Place, fault: Any, pair: Path, change: str
) -> None:
    """Whatever was told of it would be true of no file: never a verdict, always its name."""
    count = fault(place.inputs, "read", 0)
    for nth in _some(count, 3):
        for side in SIDES:
            shutil.copyfile(pair / f"{side}.tar", place.inputs / f"{side}.tar")
        target = place.inputs / "a.tar"
        command = CHANGES[change].format(target, pair / "b.tar")
        code, said = fault(place.inputs, "read", nth, 0, command)
        assert code == 2 or nth == count, (nth, said)
        assert code == 1 or str(target) in said, (nth, said)


@pytest.mark.parametrize("form", ["layout", "root"])
def test_a_directory_that_changes_while_it_is_read(place: Place, fault: Any, form: str) -> None:
    """Also where the other side is the same by then."""
    for side in SIDES:
        (place.inputs / f"{side}.tar").unlink()
        folder = place.inputs / f"{side}.tar"
        content = [file(f"f{n}", f"{n}" * 400) for n in range(20)]
        if form == "layout":
            write(oci_layout([image([layer([*content, file("x", side)])])]), folder)
        else:
            folder.mkdir()
            for one in content:
                (folder / os.fsdecode(one.name)).write_bytes(one.content or b"")
                os.utime(folder / os.fsdecode(one.name), (1, 1))
            (folder / "x").write_text(side)
            os.utime(folder / "x", (1, 1))
    shutil.rmtree(place.home / "whole")
    place.environment = {}
    with place.start() as process:
        assert process.communicate() == (b"", b"")
    assert process.returncode == 1
    shutil.copytree(place.out, place.home / "whole")
    count = fault(place.inputs, "read", 0)
    changed = place.inputs / "a.tar" / ("index.json" if form == "layout" else "x")
    old, times = changed.read_bytes(), changed.stat()
    for nth in _some(count, 3):
        changed.write_bytes(old)
        os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
        command = f"printf y >> {changed}"
        code, said = fault(place.inputs, "read", nth, 0, command)
        assert code == 2 or nth == count, (nth, said)
        assert code == 1 or f"{place.inputs / 'a.tar'}" in said


ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def _wait_for_handlers(process: "subprocess.Popen[bytes]") -> None:
    """Until then it is Python itself that is interrupted, and there is nothing to leave."""
    while True:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        if caught >> (signal.SIGHUP - 1) & 1:
            return
        assert process.poll() is None
        time.sleep(0.001)


SIGNALLED = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background
{MAIN}
"""


@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
@pytest.mark.parametrize("to", ["process", "group"])
def test_a_signal_at_any_moment(place: Place, number: signal.Signals, to: str) -> None:
    choose = random.Random(f"{number} {to}")
    place.program = SIGNALLED
    place.renew()
    started = time.monotonic()
    place.run()
    takes = time.monotonic() - started
    codes = []
    for _ in range(100 if ALL else 6):
        place.renew()
        with place.start(process_group=0) as process:
            _wait_for_handlers(process)
            time.sleep(choose.uniform(0, takes))
            if to == "group":
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            out, err = process.communicate(timeout=60)
        assert out == b""
        assert err == b""
        # the last moments belong to Python again, which has put its own handlers back
        assert process.returncode in (128 + number, -number, 1)
        place.nothing_is_left()
        codes.append(process.returncode)
    assert 128 + number in codes


def test_signals_that_come_again_and_again(place: Place) -> None:
    """Who presses Ctrl-C twice does not get half a clean-up."""
    place.program = SIGNALLED
    for _ in range(12 if ALL else 4):
        place.renew()
        with place.start(process_group=0) as process:
            _wait_for_handlers(process)
            time.sleep(0.4)
            while process.poll() is None:
                os.killpg(process.pid, random.choice(ENDINGS))
                time.sleep(0.001)
            out, err = process.communicate(timeout=60)
        assert (out, err) == (b"", b"")
        assert process.returncode in {128 + number for number in ENDINGS} | {1}
        place.nothing_is_left()


def test_a_worker_that_is_killed_at_any_moment(place: Place) -> None:
    """By the kernel, say, that lacks memory: another does its work, or less is told."""
    choose = random.Random(5)
    started = time.monotonic()
    place.run()
    takes = time.monotonic() - started
    expected = json.loads((place.out / "r.json").read_text())
    killed = 0
    for _ in range(60 if ALL else 5):
        shutil.rmtree(place.out)
        place.out.mkdir()
        with place.start() as process:
            time.sleep(choose.uniform(0.2, 0.8) * takes)
            workers = [pid for pid in _pids() if _is_worker(pid, place)]
            if workers:
                os.kill(choose.choice(workers), signal.SIGKILL)
                killed += 1
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (1, b"", b"")
        report = json.loads((place.out / "r.json").read_text())
        assert report["equal_at"] == expected["equal_at"]
        assert report["summary"]["files"] == expected["summary"]["files"]
        if report != expected:
            assert "worker" in {problem["kind"] for problem in report["problems"]}
        assert not os.listdir(place.spool)
        assert not place.processes()
    assert killed


def _is_worker(pid: int, place: Place) -> bool:
    words = _words(pid)
    return b"sxdiff.work.worker" in words and str(place.spool).encode() in words


NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")


def _namespaced(script: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A run in a mount namespace of its own, which `script` has changed before."""
    need("unshare")
    if subprocess.run([*NAMESPACE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("namespaces are not permitted here")
    return subprocess.run(
        [*NAMESPACE, f'{script}; exec "$@"', "sh", sys.executable, "-c", MAIN, *words],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )


READ_ONLY = (
    "for place in $(awk '{print $5}' /proc/self/mountinfo); do"
    " mount -o remount,bind,ro $place 2>/dev/null; done"
)


def test_everything_is_read_only(place: Place) -> None:
    """No temporary file can be made anywhere: one line; with a place for them, the verdict."""
    inputs = place.words[-2:]
    done = _namespaced(READ_ONLY, *inputs)
    assert done.returncode == 2, done
    assert done.stderr.startswith(b"sxdiff: no spool: ")
    assert done.stderr.count(b"\n") == 1
    roomy = f"{READ_ONLY}; mount -t tmpfs none {place.spool}"
    done = _namespaced(roomy, "--spool", str(place.spool), *inputs)
    assert (done.returncode, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"differ: ")
    done = _namespaced(roomy, *place.words)
    assert done.returncode == 2
    assert done.stderr.startswith(b"sxdiff: cannot write ")


def test_a_disk_that_is_too_small(place: Place) -> None:
    """A real one: 200 kB of memory."""
    script = f"mount -t tmpfs -o size=200k none {place.spool}"
    done = _namespaced(script, *place.words)
    assert done.returncode == 2
    assert b"No space left" in done.stderr or b"disk is full" in done.stderr
    assert done.stderr.count(b"\n") == 1
    place.nothing_is_left()


def test_there_is_no_tmp(place: Place) -> None:
    """TMPDIR is unset, and nobody can write to the usual places."""
    usual = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - these are meant
    hide = "; ".join(
        f"test ! -d {one} || {{ mount --bind {one} {one} && mount -o remount,bind,ro {one}; }}"
        for one in usual
    )
    inputs = place.words[-2:]
    done = _namespaced(f"{hide}; cd /proc", *inputs)
    assert done.returncode == 2, done
    assert done.stderr.startswith(b"sxdiff: no spool: "), done.stderr
    assert done.stderr.count(b"\n") == 1
    script = f"{hide}; mount -t tmpfs none {place.spool}; cd /proc"
    done = _namespaced(script, "--spool", str(place.spool), *inputs)
    assert (done.returncode, done.stderr) == (1, b"")


def _limited(name: str, value: int) -> str:
    return f"import resource; resource.setrlimit(resource.{name}, ({value}, {value})); {MAIN}"


def test_few_open_files(place: Place) -> None:
    place.program = _limited("RLIMIT_NOFILE", 64)
    assert place.run() == (1, "")


@pytest.mark.parametrize("most", [8, 12, 16, 20, 24, 30])
def test_very_few_open_files(place: Place, most: int) -> None:
    place.program = _limited("RLIMIT_NOFILE", most)
    place.renew()
    code, said = place.run()
    assert code == 1 or "Too many open files" in said or "unable to open" in said, said


@pytest.mark.parametrize("megabytes", [60, 90, 160, 400])
def test_little_memory(place: Place, megabytes: int) -> None:
    place.program = _limited("RLIMIT_AS", megabytes << 20)
    place.renew()
    with place.start() as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode in (1, 2), err
    assert out == b""
    assert err.count(b"\n") == (process.returncode == 2), err
    assert b"bug" not in err
    place.nothing_is_left()


@pytest.mark.parametrize(
    ("locale", "utf8"), [("C", "0"), ("POSIX", "1"), ("C.UTF-8", "0"), ("", "0"), ("C", "1")]
)
def test_any_locale_and_names_that_are_no_text(place: Place, locale: str, utf8: str) -> None:
    """Of inputs, outputs and the spool; the report is the same, but for the inputs' names."""
    place.renew()
    odd = os.fsdecode(b"\xff\xfe n\xe4me")
    (place.home / odd).mkdir()
    for side in SIDES:
        shutil.move(place.inputs / f"{side}.tar", place.home / odd / f"{side}.tar")
    target = place.home / odd / "r.json"
    words = ["--json", str(target), "--spool", str(place.home / odd)]
    place.environment = {"LC_ALL": locale, "PYTHONUTF8": utf8}
    inputs = [str(place.home / odd / f"{side}.tar") for side in SIDES]
    assert place.run(*words, *inputs) == (1, "")
    assert target.read_text() == place.wholes("r.json")[0]
    code, said = place.run(*words, str(place.home / odd / "absent"), inputs[1])
    assert code == 2
    assert "absent: No such file" in said
    assert sorted(os.listdir(place.home / odd)) == ["a.tar", "b.tar", "r.json"]


@pytest.mark.parametrize("columns", [1, 20, 200])
def test_a_narrow_terminal(place: Place, columns: int) -> None:
    """No line is cut, and what is drawn over and over has no more than a line."""
    import fcntl
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    words = ["--color", "never", "--spool", str(place.spool), *place.words[-2:]]
    place.environment = {"TERM": "xterm", "COLUMNS": str(columns)}
    with place.start(*words, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = all_shown(ours)
    assert process.returncode == 1
    assert b"differ: " in shown
    assert b"Traceback" not in shown
    for drawn in shown.partition(b"differ: ")[0].split(b"\r\x1b[K"):
        assert len(drawn) < max(2, columns)


def test_a_terminal_that_goes_away(place: Place) -> None:
    """Its window is closed, but the signal was ignored (nohup): the report is written."""
    ours, theirs = pty.openpty()
    place.program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {MAIN}"
    with place.start(stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.close(ours)
        process.communicate(timeout=60)
    assert process.returncode == 1
    assert sorted(os.listdir(place.out)) == [*OUTPUTS]
    place.nothing_is_left()


SHELL = {
    "stdin closed": ("<&-", 1),
    "stderr closed": ("2>&-", 1),
    "stderr full": ("2>/dev/full", 1),
    "all closed": ("<&- >&- 2>&-", 1),
}


@pytest.mark.parametrize("case", SHELL)
@pytest.mark.parametrize("fails", [False, True])
def test_standard_files_that_are_closed(place: Place, case: str, fails: bool) -> None:
    """The number of a closed one must not become that of a file of the spool."""
    redirection, code = SHELL[case]
    words = place.words
    if fails:
        words[-1] = "absent"
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", MAIN, *words],
        capture_output=True,
        check=False,
    )
    assert done.returncode == (2 if fails else code), done
    assert done.stderr == b"" or fails
    assert b"Traceback" not in done.stderr
    assert os.listdir(place.out) == [] if fails else sorted(os.listdir(place.out)) == [*OUTPUTS]
    place.nothing_is_left()


@pytest.mark.parametrize(
    "words", [[], ["--json", "-"], ["-v"], ["--help"], ["--version"], ["explain"]], ids=str
)
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_what_does_not_arrive_is_no_verdict(
    place: Place, words: list[str], redirection: str
) -> None:
    inputs = [] if words and words[0] in ("--help", "--version", "explain") else place.words[-2:]
    words = [*words, *(["--spool", str(place.spool)] if inputs else []), *inputs]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", MAIN, *words],
        capture_output=True,
        check=False,
    )
    assert done.stdout == b""
    if redirection == ">&-" and not inputs and words != ["explain"]:
        assert done.returncode in (0, 2)  # click has nobody to say it to
    else:
        assert done.returncode == 2, done
        assert done.stderr.startswith(b"sxdiff: "), done.stderr
        assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert not os.listdir(place.spool)
