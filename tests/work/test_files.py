"""Looking into files in workers that die: their pairs are told all the same, and only they."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, old_sparse, sparse, tar
from sxdiff.model import InputError, Limits
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from sxdiff.work import pool as pool_module

_POISON = """
import os, signal, time
from sxdiff.work import tasks, worker

class Tasks(tasks.Tasks):
    def do_look(self, task, limits):
        for pair in task["pairs"]:
            name = pair["name"]
            if "always" not in name and task["plain"]:
                continue
            if "kill" in name:
                os.kill(os.getpid(), signal.SIGKILL)
            if "crash" in name:
                os.kill(os.getpid(), signal.SIGSEGV)
            if "leave" in name:
                os._exit(0)
            if "memory" in name:
                bytearray(8 << 30)
            if "allocate" in name:
                hoard = [bytearray(64 << 20) for _ in range(1000)]
            if "deep" in name:
                self.do_look(task, limits)
            while "loop" in name:
                pass
            if "hang" in name:
                time.sleep(3600)
            if "bug" in name:
                raise KeyError("bug")
        return super().do_look(task, limits)

tasks.Tasks = Tasks
worker.run()
"""
GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def _pair(path: Path, *names: str, packed: bool = True) -> tuple[str, str]:
    """Two images whose files all differ in their text."""
    found = []
    for side in "ab":
        content = tar([file(name, f"of {name}\nside {side}\n") for name in names])
        one = layer(content, gzip.compress(content), GZIP) if packed else layer(content)
        (path / f"{side}.tar").write_bytes(oci_archive(image([one])))
        found.append(str(path / f"{side}.tar"))
    return found[0], found[1]


def _report(pair: tuple[str, str], **options: Any) -> dict[str, Any]:
    with compare(*pair, Options(**options), None) as report:
        found: dict[str, Any] = json.loads("".join(json_report.chunks(report)))
    return found


def _poison(monkeypatch: pytest.MonkeyPatch, program: str = _POISON) -> None:
    """Workers that misbehave; everything around the tasks is the real thing."""
    start = pool_module._START.replace("from sxdiff.work.worker import run; run()", "exec(POISON)")
    assert "POISON" in start
    monkeypatch.setattr(pool_module, "_START", f"POISON = {program!r}\n{start}")


_POISONS = (
    ("kill", "looking into it: the worker was killed by SIGKILL"),
    ("crash", "looking into it: the worker was killed by SIGSEGV"),
    ("leave", "looking into it: the worker ended with 0"),
    ("memory", "looking into it: out of memory"),
    ("allocate", "looking into it: out of memory"),
    ("deep", "looking into it: nested too deeply"),
    ("loop", "looking into it: took too long"),
    ("hang", "looking into it: took too long"),
    ("bug", "looking into it met an error of sxdiff's own (run with --debug)"),
)
_WAYS = ((True, 1, True), (False, 2, True), (True, 2, False))


@pytest.mark.parametrize(
    ("poison", "message", "packed", "jobs", "always"),
    [(*one, *_WAYS[number % 3]) for number, one in enumerate(_POISONS)]
    # of one in all ways
    + [(*_POISONS[0], *way) for way in _WAYS[1:]],
)
def test_one_bad_file_takes_no_other_with_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    poison: str,
    message: str,
    packed: bool,
    jobs: int,
    always: bool,
) -> None:
    """Its bytes are told, if they at least can be looked at; if not (`always`), sizes and digests.
    All else is as if nothing had happened."""
    names = [f"f{number}" for number in range(60)]
    names[30] = poison + "-always" * always
    pair = _pair(tmp_path, *names, packed=packed)
    whole = _report(pair)
    assert not whole["problems"]
    _poison(monkeypatch)
    limits = Limits(look_seconds=1) if poison in ("loop", "hang") else Limits()
    report = _report(pair, jobs=jobs, limits=limits)
    assert (report["equal_at"], report["met"]) == (whole["equal_at"], whole["met"])
    assert [one for one in report["differences"] if one["path"] != names[30]] == [
        one for one in whole["differences"] if one["path"] != names[30]
    ]
    (told,) = [one for one in report["differences"] if one["path"] == names[30]]
    assert told["kind"] == "file.content"
    (problem,) = report["problems"]
    assert problem["message"] == message
    assert problem["where"][-1] == names[30]
    assert problem["resolution"] == f"compared {'by digest only' if always else 'as bytes'}"
    if always:
        assert told["a"]["digest"] != told["b"]["digest"]
    else:
        assert bytes.fromhex(told["a"]["excerpt"]).endswith(b"side a\n")
        assert told["bytes"] == 1


def test_with_debug_a_bug_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _poison(monkeypatch)
    with pytest.raises(pool_module.BugError, match="KeyError"):
        _report(_pair(tmp_path, "bug"), debug=True)


@pytest.mark.parametrize("form", [sparse, old_sparse])
def test_sparse_files_with_the_same_data_elsewhere_differ(tmp_path: Path, form: Any) -> None:
    """What is stored of them may be equal in every byte."""
    pair = []
    for side, at in (("a", 4096), ("b", 8192)):
        content = tar([form("disk.img", 20_000, [(at, b"data" * 128)])])
        path = tmp_path / f"{side}.tar"
        path.write_bytes(oci_archive(image([layer(content)])))
        pair.append(str(path))
    report = _report((pair[0], pair[1]))
    assert report["equal_at"] == "nothing"
    assert "disk.img" in {one["path"] for one in report["differences"]}


def test_the_same_report_from_packed_and_from_plain_layers(tmp_path: Path) -> None:
    """Whether a content was kept, fetched, or lay there plainly."""
    names = [f"f{number}" for number in range(40)]
    reports = []
    for packed in (True, False):
        (tmp_path / str(packed)).mkdir()
        report = _report(_pair(tmp_path / str(packed), *names, packed=packed))
        reports.append([one for one in report["differences"] if one["path"]])
    assert [(one["where"], one["diff"]) for one in reports[0]] == [
        (one["where"], one["diff"]) for one in reports[1]
    ]


@pytest.mark.parametrize("task", ["sketch", "digests", "encoder"])
def test_what_a_comparison_can_do_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    """Similar files, digests of others, encoders: missing, they are a problem and no more."""
    poison = f"""
import os
from sxdiff.work import tasks, worker
tasks.Tasks.do_{task} = lambda *_: os.abort()
worker.run()
"""
    pair = _pair_for(task, tmp_path)
    whole = _report(pair)
    assert not whole["problems"]
    _poison(monkeypatch, poison)
    report = _report(pair)
    assert (report["equal_at"], report["met"]) == (whole["equal_at"], whole["met"])
    (problem,) = report["problems"]
    assert problem["kind"] == "worker"
    assert "the worker was killed by SIGABRT" in problem["message"]
    monkeypatch.undo()
    assert _report(pair) == whole


def _pair_for(task: str, path: Path) -> tuple[str, str]:
    """Images of which the comparison asks for a task."""
    sides = []
    for side in "ab":
        text = "".join(f"line {number}\n" for number in range(99))
        digest = hashlib.sha256(side.encode()).hexdigest()
        files = {
            "sketch": [file(f"{side}-file", text + side)],
            "digests": [file("one", side), file("sums", f"{digest}  one\n")],
            "encoder": [file("one", text)],
        }[task]
        content = tar(files)
        level = 9 if side == "a" and task == "encoder" else 1
        one = layer(content, gzip.compress(content, level, mtime=0), GZIP)
        (path / f"{side}.tar").write_bytes(oci_archive(image([one])))
        sides.append(str(path / f"{side}.tar"))
    return sides[0], sides[1]


def test_a_worker_that_dies_while_it_reads_a_layer_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once may be the machine's fault; twice there is no verdict, and one line says why."""
    poison = """
import os, sys
from sxdiff.work import tasks, worker
def die(self, task, limits, scan=tasks.Tasks.do_scan):
    if "always" in sys.argv[-1] or sys.argv[-2] == "w0_":
        os.abort()
    return scan(self, task, limits)
tasks.Tasks.do_scan = die
worker.run()
"""
    pair = _pair(tmp_path, "f")
    whole = _report(pair)
    _poison(monkeypatch, poison)
    assert _report(pair) == whole
    (tmp_path / "always").mkdir()
    with pytest.raises(InputError, match=r"layer 1 .*: the worker was killed by SIGABRT$"):
        _report(_pair(tmp_path / "always", "f"))
