"""Looking into files in workers that die: their pairs are told all the same, and only they."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, old_sparse, sparse, tar
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from sxdiff.work import pool as pool_module

_POISON = """
import os, signal
from sxdiff.work import tasks, worker

class Tasks(tasks.Tasks):
    def do_look(self, task, limits):
        for pair in task["pairs"]:
            if "kill" in pair["name"]:
                os.kill(os.getpid(), signal.SIGKILL)
            if "memory" in pair["name"]:
                bytearray(8 << 30)
            if "bug" in pair["name"]:
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


@pytest.fixture
def _poison(monkeypatch: pytest.MonkeyPatch) -> None:
    start = pool_module._START.replace("from sxdiff.work.worker import run; run()", "exec(POISON)")
    assert "POISON" in start
    monkeypatch.setattr(pool_module, "_START", f"POISON = {_POISON!r}\n{start}")


@pytest.mark.usefixtures("_poison")
@pytest.mark.parametrize(
    ("poison", "message"),
    [
        ("kill", "the worker that looked into it died"),
        ("memory", "looking into it failed: out of memory"),
        ("bug", "looking into it met an error of sxdiff's own (run with --debug)"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("jobs", [1, 2])
def test_one_bad_file_takes_no_other_with_it(
    tmp_path: Path, poison: str, message: str, packed: bool, jobs: int
) -> None:
    names = [f"f{number}" for number in range(60)]
    names[30] = poison
    report = _report(_pair(tmp_path, *names, packed=packed), jobs=jobs)
    assert report["equal_at"] == "nothing"
    told = {one["path"]: one for one in report["differences"] if one["path"]}
    assert sorted(told) == sorted(names)
    for name in names:
        kind = "file.content" if name == poison else "text"
        assert told[name]["kind"] == kind, name
    (problem,) = report["problems"]
    assert problem["message"] == message
    assert problem["where"][-1] == poison
    # what is certain is told: sizes and digests
    assert told[poison]["a"]["digest"] != told[poison]["b"]["digest"]


@pytest.mark.usefixtures("_poison")
def test_with_debug_a_bug_is_raised(tmp_path: Path) -> None:
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
