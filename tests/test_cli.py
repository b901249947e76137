"""The command line: exit codes, outputs, signals and what it costs to start."""

import errno
import json
import os
import pty
import signal
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import sxdiff
from sxdiff import cli
from sxdiff.model import RUNGS, Difference, InputError, Limits, Value
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.gate import Acceptance
from tests.tools import all_shown


@dataclass(frozen=True)
class _Options:
    require: str | None
    ref: str | None
    platforms: tuple[str, ...]
    jobs: int | None
    spool: str | None
    write_normalised: str | None
    debug: bool
    accept: tuple[Acceptance, ...] = ()
    now: date | None = None
    baseline: str | None = None
    limits: Limits = Limits()  # noqa: RUF009 - it is frozen


class Run:
    """Stands in for `sxdiff.run`: gives a report or raises, and keeps what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.met = False
        self.error: BaseException | None = None
        self.asked: list[Any] = []
        self.differences = 1

    @contextmanager
    def compare(self, a: str, b: str, options: _Options, progress: Any) -> Iterator[Report]:
        self.asked.append((a, b, options))
        if progress:
            progress(1, 2, "a\x1b.tar")
        if self.error:
            raise self.error
        with TemporaryDirectory(dir=self.directory) as spool, ReportBuilder(spool) as builder:
            for number in range(self.differences):
                where = ("linux/amd64", "layer 1", f"file{number}")
                builder.add(where, "tar", Difference("k", Value(1), Value(2)), where[2], True)
            yield builder.finish(
                options={"require": options.require},
                inputs=[
                    {"side": side, "name": side, "form": "oci-archive", "compression": None}
                    | {"size": 1, "sha256": None, "digest": None}
                    for side in "ab"
                ],
                equal_at="manifest" if self.met else "nothing",
                met=self.met,
                platforms=[],
                files={"compared": 1, "differing": 1, "only_in_a": 0, "only_in_b": 0},
            )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    spool = tmp_path / "spool"
    spool.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    stand_in = Run(spool)
    module = types.ModuleType("sxdiff.run")
    module.compare = stand_in.compare  # type: ignore[attr-defined]
    module.Options = _Options  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sxdiff.run", module)
    return stand_in


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _main(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    code = exit_info.value.code
    assert isinstance(code, int)
    return code


def test_the_code_is_the_verdict(run: Run, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _main("a", "b") == 1
    assert capsysbinary.readouterr().out.startswith(b"differ: equal at nothing")
    run.met = True
    assert _main("a", "b") == 0
    assert capsysbinary.readouterr().out.startswith(b"equal at manifest: ")


def test_every_option_arrives(run: Run) -> None:
    _main(
        *("--require", "config", "--ref", "v1", "--platform", "linux/arm64", "--platform", "p"),
        *("--jobs", "3", "--spool", "/s", "--write-normalised", "/n", "--debug"),
        *("--accept", "timestamp-in-text:etc/**=dates", "--baseline", "old.json"),
        *("left", "right"),
    )
    rule = Acceptance("timestamp-in-text", "etc/**", "dates")
    options = _Options(
        *("config", "v1", ("linux/arm64", "p"), 3, "/s", "/n", True),
        accept=(rule,),
        baseline="old.json",
    )
    assert run.asked == [("left", "right", options)]
    _main("a", "b")
    assert run.asked[1][2] == _Options(None, None, (), None, None, None, False)


@pytest.mark.parametrize("rung", RUNGS[:-1])
@pytest.mark.usefixtures("run")
def test_every_rung_but_nothing_can_be_asked_for(rung: str) -> None:
    assert _main("--require", rung, "a", "b") == 1


@pytest.mark.usefixtures("run")
def test_all_outputs_at_once(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _main("--json", "r.json", "--html", "r.html", "--text", "-", "a", "b") == 1
    assert json.loads(Path("r.json").read_text("utf-8"))["schema"] == "sxdiff-report/1"
    assert Path("r.html").read_text("utf-8").startswith("<!doctype html>")
    assert capsysbinary.readouterr().out.startswith(b"differ")
    assert sorted(os.listdir()) == ["r.html", "r.json"]


@pytest.mark.usefixtures("run")
def test_with_a_file_asked_for_nothing_is_said(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _main("--json", "r.json", "a", "b") == 1
    assert capsysbinary.readouterr() == (b"", b"")


@pytest.mark.usefixtures("run")
def test_json_on_standard_output(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _main("--json", "-", "a", "b") == 1
    assert json.loads(capsysbinary.readouterr().out)["met"] is False


@pytest.mark.usefixtures("run")
def test_color_only_if_asked_or_on_a_terminal(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for color, colored in (("auto", False), ("always", True), ("never", False)):
        _main("--color", color, "a", "b")
        assert (b"\x1b[" in capsysbinary.readouterr().out) == colored


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a",),
        ("a", "b", "c"),
        ("--unknown", "a", "b"),
        ("--require", "nothing", "a", "b"),
        ("--jobs", "0", "a", "b"),
        ("--json", "-", "--text", "-", "a", "b"),
        ("--json", "x", "--html", "./x", "a", "b"),
        ("--json", "a", "a", "b"),
        ("--json", "absent/x", "a", "b"),
        ("--json", "", "a", "b"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_before_any_work(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert _main(*arguments) == 2
    assert capsys.readouterr().err
    assert not run.asked
    assert os.listdir() == []


def test_an_input_error_is_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.error = InputError("a\x1b.tar: no image\nor is it")
    assert _main("--json", "r.json", "a", "b") == 2
    assert capsys.readouterr() == ("", "sxdiff: a\\u{1b}.tar: no image\\u{a}or is it\n")
    assert os.listdir() == []


def test_a_bug_asks_for_a_report(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.error = KeyError("x")
    assert _main("a", "b") == 2
    quiet = capsys.readouterr().err
    assert quiet.startswith("sxdiff: this is a bug in sxdiff, please report it: KeyError: 'x'")
    assert quiet.count("\n") == 1
    assert _main("--debug", "a", "b") == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_no_bug(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/spool/1")
    assert _main("a", "b") == 2
    assert capsys.readouterr().err == (
        "sxdiff: /spool/1: No space left on device; name a roomier place with --spool\n"
    )


def test_a_failed_output_is_no_verdict(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.met = True
    assert _main("--json", "/dev/full", "a", "b") == 2
    assert capsys.readouterr().err == "sxdiff: cannot write /dev/full: No space left on device\n"


def test_interrupts_have_their_codes(run: Run) -> None:
    run.error = KeyboardInterrupt()
    assert _main("a", "b") == 130


_STAND_IN = """
import sys, types, time
sys.path[:0] = [{tests!r}]
from pathlib import Path
from tempfile import TemporaryDirectory
import test_cli
stand_in = test_cli.Run(Path({spool!r}))
stand_in.differences = {differences}
module = types.ModuleType("sxdiff.run")
module.compare, module.Options = stand_in.compare, test_cli._Options
sys.modules["sxdiff.run"] = module
"""


def _program(tmp_path: Path, differences: int = 1) -> str:
    spool = tmp_path / "spool"
    spool.mkdir(exist_ok=True)
    return _STAND_IN.format(
        tests=str(Path(__file__).parent), spool=str(spool), differences=differences
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_cleans_up(tmp_path: Path, number: int) -> None:
    """Half a report is in its temporary file when the signal comes."""
    program = _program(tmp_path) + (
        "from sxdiff.report import json\n"
        "def slow(report):\n"
        "    yield 'half'\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "json.chunks = slow\n"
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from sxdiff.cli import main\n"
        f"main(['--json', {str(tmp_path / 'r.json')!r}, 'a', 'b'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        assert [name for name in os.listdir(tmp_path) if name.startswith(".sxdiff-")]
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert errors.strip() == b""
    assert os.listdir(tmp_path) == ["spool"]


@pytest.mark.parametrize("arguments", [["-v"], ["--json", "-"]], ids=" ".join)
def test_a_broken_pipe_ends_quietly_with_the_verdict(tmp_path: Path, arguments: list[str]) -> None:
    program = _program(tmp_path, 5000) + (
        f"from sxdiff.cli import main\nmain([*{arguments!r}, 'a', 'b'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr
        errors = process.stderr.read()
    assert (process.returncode, errors) == (1, b"")


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_there_is_color_and_progress(tmp_path: Path, no_color: bool) -> None:
    program = _program(tmp_path) + "from sxdiff.cli import main\nmain(['a', 'b'])\n"
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm"} | ({"NO_COLOR": "1"} if no_color else {})
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = all_shown(ours)
    assert process.returncode == 1
    progress, _, rest = shown.partition(b"differ: ")
    assert progress.startswith(b"\r\x1b[K 50% a\\u{1b}.tar\r\x1b[K")
    assert (b"\x1b[" in rest) != no_color


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "-h"):
        assert _main(option) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        examples = [line for line in lines if line.startswith("  sxdiff ")]
        assert examples == [
            "  sxdiff a.tar b.tar",
            "  sxdiff --json report.json --html report.html out/core-bash out2/core-bash",
            "  sxdiff --require config --platform linux/arm64 a.tar b.tar",
            "  sxdiff explain [CAUSE]   what a cause is, what to change (an image: ./explain)",
        ]


@pytest.mark.usefixtures("run")
def test_the_examples_of_the_help_work() -> None:
    """What the help shows must be usage that is understood."""
    assert _main("a.tar", "b.tar") == 1
    outputs = ("--json", "report.json", "--html", "report.html")
    assert _main(*outputs, "out/core-bash", "out2/core-bash") == 1
    assert _main("--require", "config", "--platform", "linux/arm64", "a.tar", "b.tar") == 1


def test_the_version_is_instant() -> None:
    start = time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-m", "sxdiff", "--version"], capture_output=True, check=True
    ).stdout
    assert told == f"sxdiff {sxdiff.__version__}\n".encode()
    assert time.perf_counter() - start < 2  # 0.05 s on an idle machine


def test_starting_loads_nothing_of_sxdiff_but_the_command_line() -> None:
    program = (
        "import sys, sxdiff.cli\n"
        "print(*sorted(name for name in sys.modules if name.startswith('sxdiff')))\n"
        "assert not {'jinja2', 'sqlite3', 'elftools'} & {*sys.modules}\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert told == b"sxdiff sxdiff.cli sxdiff.ending\n"


@pytest.mark.usefixtures("run")
def test_without_html_no_template_engine_is_loaded() -> None:
    loaded = {name for name in sys.modules if name.startswith(("jinja2", "sxdiff.report.html"))}
    for name in loaded:
        del sys.modules[name]
    _main("--json", "r.json", "--text", "r.txt", "a", "b")
    assert "jinja2" not in sys.modules


def test_a_report_is_rendered_later_as_it_would_have_been_at_once(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.met = True
    assert _main("--json", "r.json", "--text", "r.txt", "a", "b") == 0
    assert _main("render", "r.json", "--text", "later.txt", "--json", "later.json") == 0
    assert Path("later.txt").read_text("utf-8") == Path("r.txt").read_text("utf-8")
    assert Path("later.json").read_text("utf-8") == Path("r.json").read_text("utf-8")
    for content in ("", "{}", "[1", '{"schema": "other"}'):
        Path("bad.json").write_text(content)
        assert _main("render", "bad.json") == 2
        assert capsys.readouterr().err.startswith("sxdiff: bad.json: is not ")


@pytest.mark.usefixtures("run")
def test_the_size_of_a_page_is_a_number_with_or_without_a_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for size in ("1", "20kB", "15M", "15 MB", "1GiB"):
        assert _main("--max-report-size", size, "--html", "r.html", "a", "b") == 1
    for size in ("", "-1", "much", "1XB"):
        assert _main("--max-report-size", size, "a", "b") == 2
        assert "is no size, such as 15MB" in capsys.readouterr().err
