"""Several reports as one: it is a report as any other, and says what they have in common."""

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.tar import file, tar
from sxdiff.cli import main
from sxdiff.report import text
from sxdiff.report.merge import names_of
from sxdiff.report.read import reading
from sxdiff.report.schema import report_schema
from sxdiff.run import Options, compare

REPORTS = Path(__file__).parent.parent.parent / "reports"
NAMES = ("stagex-shaped", "multi-arch-one-differs", "one-mtime", "identical", "gzip-level")
Document = dict[str, Any]


def golden(name: str) -> Document:
    document: Document = json.loads((REPORTS / name / "report.json").read_text("utf-8"))
    return document


def render(*words: str | Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["render", *map(str, words)])
    assert ended.value.code == 0


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Reports of some fixtures, each a file of its fixture's name."""
    found = []
    for name in NAMES:
        found.append(tmp_path / f"{name}.json")
        shutil.copy(REPORTS / name / "report.json", found[-1])
    return found


@pytest.fixture
def merged(tmp_path: Path, files: list[Path]) -> Document:
    render(*files, "--json", tmp_path / "merged.json")
    document: Document = json.loads((tmp_path / "merged.json").read_text("utf-8"))
    return document


def test_a_merged_report_is_a_report(merged: Document, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator(report_schema()).validate(merged)
    names = [name for name in report_schema()["properties"] if name in merged]
    assert [*merged] == names
    # reading checks ids and order
    path = str(tmp_path / "merged.json")
    with tempfile.TemporaryDirectory() as spool, reading(path, spool) as report:
        assert len([*report.differences()]) == len(merged["differences"])
    render(tmp_path / "merged.json", "--json", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "merged.json").read_bytes()


def test_it_holds_every_difference_below_its_reports_name(merged: Document) -> None:
    told = {tuple(one["where"]): one for one in merged["differences"]}
    by_id = {one["id"]: one for one in merged["differences"]}
    count = 0
    for name in NAMES:
        document = golden(name)
        ids = {one["id"]: one for one in document["differences"]}
        for one in document["differences"]:
            count += 1
            where = (name, *one["where"])
            same = [two for two in merged["differences"] if tuple(two["where"]) == where]
            # the same but for what places it in its report
            places = {"id", "where", "derived_from"}
            bare = {key: value for key, value in one.items() if key not in places}
            assert bare in [{key: two[key] for key in bare} for two in same]
            roots = [(name, *ids[id_]["where"]) for id_ in one["derived_from"]]
            assert roots in [
                [tuple(by_id[i]["where"]) for i in two["derived_from"]] for two in same
            ]
    assert len(merged["differences"]) == count
    assert told.keys() == {tuple(one["where"]) for one in by_id.values()}


def test_findings_are_those_of_all_reports_by_cause(merged: Document) -> None:
    by_id = {one["id"]: one for one in merged["differences"]}
    differences, files, sizes = Counter[str](), Counter[str](), Counter[str]()
    inside: dict[str, set[str]] = {}
    for name in NAMES:
        for finding in golden(name)["findings"]:
            differences[finding["cause"]] += len(finding["differences"])
            files[finding["cause"]] += finding["files"]
            sizes[finding["cause"]] += finding["bytes"]
            inside.setdefault(finding["cause"], set()).add(name)
    assert merged["findings"][0]["cause"] == "unexplained"
    assert {one["cause"] for one in merged["findings"]} == {*inside}
    for finding in merged["findings"]:
        cause = finding["cause"]
        assert len(finding["differences"]) == differences[cause]
        assert (finding["files"], finding["bytes"]) == (files[cause], sizes[cause])
        assert finding["images"]["differing"] == len(inside[cause])
        for id_ in finding["differences"]:
            assert by_id[id_]["causes"] == [cause] or cause == "unexplained"
        for kind in finding["kinds"]:
            assert by_id[kind["example"]]["kind"] == kind["kind"]


def test_the_summary_is_the_sum_and_the_verdict_the_weakest(merged: Document) -> None:
    documents = [golden(name) for name in NAMES]
    for part in ("files", "differences", "bytes"):
        for key, value in merged["summary"][part].items():
            assert value == sum(one["summary"][part][key] for one in documents)
    assert (merged["equal_at"], merged["met"]) == ("nothing", False)
    assert {one["image"]: one["equal_at"] for one in merged["images"]} == {
        name: one["equal_at"] for name, one in zip(NAMES, documents, strict=True)
    }
    assert [one["form"] for one in merged["inputs"]] == ["merged", "merged"]
    assert len(merged["platforms"]) == sum(len(one["platforms"]) for one in documents)


def test_the_order_of_the_files_says_nothing(
    merged: Document, files: list[Path], tmp_path: Path
) -> None:
    render(*reversed(files), "--json", tmp_path / "other.json")
    assert (tmp_path / "other.json").read_bytes() == (tmp_path / "merged.json").read_bytes()
    assert merged["images"]


def test_names_are_those_of_the_files_and_unique() -> None:
    assert names_of(["x/a.json", "b-report.json", "c"]) == ["a", "b", "c"]
    assert names_of(["x/a.json", "y/a-report.json", "b.json"]) == ["x/a", "y/a", "b"]
    assert names_of(["bash/report.json", "gcc/report.json"]) == ["bash", "gcc"]
    assert names_of(["x/a.json", "x/a.json"]) == ["x/a", "x/a (2)"]
    assert names_of(["x/report.json", "y/report.json", "x.json"]) == ["x", "y", "x (2)"]


def test_what_many_differ_by_alone_is_said_on_one_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for number in range(40):
        name = "identical" if number < 3 else "one-mtime" if number < 38 else NAMES[number - 38]
        files.append(tmp_path / f"core-{number:02}.json")
        shutil.copy(REPORTS / name / "report.json", files[-1])
    render(*files)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= text.SCREEN_LINES
    assert max(map(len, lines)) <= 80
    assert lines[1] == "40 packages: 3 equal at archive, 37 differ"
    alone = lines.index("35 packages differ only by tar-mtime")
    assert lines[alone + 2].startswith("  fix: ")
    unexplained = lines.index("1 package has unexplained differences: core-39")
    assert unexplained < alone
    assert next(line for line in lines if line.startswith("core-")).split()[0] == "core-39"
    # all of them, worst first
    render(*files, "-v")
    told = capsys.readouterr().out.splitlines()
    table = [line.split()[0] for line in told if line.startswith("core-") and "linux/" not in line]
    assert table[:40][0] == "core-39"
    assert {*table[:40]} == {f"core-{number:02}" for number in range(40)}
    assert table[37:40] == ["core-00", "core-01", "core-02"]


def test_any_mixture_fits_on_a_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = sorted(REPORTS.glob("*/report.json"))
    for files in (every, every[:30], every[40:45], every[:2]):
        render(*files)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) <= text.SCREEN_LINES
        assert max(map(len, lines)) <= 80
    render(*every[:40], "--html", tmp_path / "m.html", "--markdown", tmp_path / "m.md")


def test_an_archive_of_several_images_is_told_and_merged_by_image(tmp_path: Path) -> None:
    def archive(content: str) -> bytes:
        items = [
            image([layer(tar([file("etc/x", one)]))]) for one in ("same", f"1{content}", content)
        ]
        return oci_archive(*items, names=["one:1", "two:1", "three:1"])

    for side in "ab":
        (tmp_path / f"{side}.tar").write_bytes(archive(side))
    with compare(str(tmp_path / "a.tar"), str(tmp_path / "b.tar"), Options(jobs=1), None) as report:
        screen = [*text.chunks(report)]
        assert [one["equal_at"] for one in report.header["images"]] == [
            *(["manifest", "nothing", "nothing"]),
        ]
        header = report.header
        from sxdiff.report import json as form

        (tmp_path / "both.json").write_text("".join(form.chunks(report)), "utf-8")
    assert screen[1] == "3 images: 1 equal at manifest, 2 differ\n"
    assert "2 images have unexplained differences" in "".join(screen)
    # as an earlier version wrote it: images are told from the differences
    document = json.loads((tmp_path / "both.json").read_text("utf-8"))
    assert document.pop("images") == header["images"]
    for finding in document["findings"]:
        assert finding.pop("images") == {"differing": 2, "alone": 2}
    (tmp_path / "earlier.json").write_text(json.dumps(document))
    render(tmp_path / "earlier.json", "--json", tmp_path / "now.json")
    assert (tmp_path / "now.json").read_bytes() == (tmp_path / "both.json").read_bytes()
    shutil.copy(REPORTS / "one-mtime" / "report.json", tmp_path / "x.json")
    render(tmp_path / "both.json", tmp_path / "x.json", "--json", tmp_path / "m.json")
    merged = json.loads((tmp_path / "m.json").read_text("utf-8"))
    names = [one["image"] for one in merged["images"]]
    assert names == ["both/one:1", "both/three:1", "both/two:1", "x"]
    routes = {(one["image"], one["platform"]) for one in merged["platforms"]}
    below = [tuple(one["where"][:2]) for one in merged["differences"]]
    assert {route for route in below if route[1] == "linux/amd64"} <= routes
    assert {route[0] for route in below} <= {*names, "both"}
