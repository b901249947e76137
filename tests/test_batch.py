"""Two trees of images: all are compared, whatever one of them is."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fixtures import images
from fixtures.images import image, index, layer, oci_archive, oci_layout
from fixtures.tar import file, tar
from sxdiff import batch
from sxdiff.cli import main
from sxdiff.run import compare
from tests.tools import need, run


def one(content: str = "same", mtime: int = 1) -> images.Item:
    """An index of two platforms."""
    made = [
        image([layer(tar([file("etc/x", content).but(mtime=mtime)]))], where=images.platform(name))
        for name in ("arm64", "amd64")
    ]
    return index(made)


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """out and out2: one package equal as a layout, one as archives of the same image."""
    monkeypatch.chdir(tmp_path)
    for tree, when in (("out", 0), ("out2", 7)):
        images.write(oci_layout([one()]), tmp_path / tree / "core-bash")
        (tmp_path / tree / "core-gcc.tar").write_bytes(oci_archive(one("gcc"), mtime=when))
    return tmp_path


def sxdiff(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["batch", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def merged(*words: str) -> tuple[int, dict[str, Any]]:
    code = sxdiff("out", "out2", "--json", "m.json", *words)
    return code, json.loads(Path("m.json").read_text("utf-8"))


def add(trees: Path, name: str, a: images.Item, b: images.Item) -> None:
    images.write(oci_layout([a]), trees / "out" / name)
    images.write(oci_layout([b]), trees / "out2" / name)


@pytest.mark.usefixtures("trees")
def test_trees_that_are_equal_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert sxdiff("out", "out2") == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "2 packages: 1 equal at archive, 1 equal at index"
    )


def test_each_package_has_its_report_and_all_have_one(trees: Path) -> None:
    add(trees, "core-perl", one(mtime=1), one(mtime=2))
    add(trees, "stage/deep", one("a"), one("b"))
    code, document = merged("--reports", "r")
    assert code == 1
    told = {row["image"]: (row["equal_at"], row["met"]) for row in document["images"]}
    assert told == {
        "core-bash": ("archive", True),
        "core-gcc": ("index", True),
        "core-perl": ("contents", False),
        "stage/deep": ("nothing", False),
    }
    files = {str(path.relative_to("r")) for path in Path("r").rglob("*.json")}
    assert files == {f"{name}.json" for name in told}
    assert [row["name"] for row in document["inputs"]] == ["out", "out2"]
    # what sxdiff says of one alone
    with pytest.raises(SystemExit):
        main(["out/core-perl", "out2/core-perl", "--json", "alone.json"])
    assert Path("r/core-perl.json").read_bytes() == Path("alone.json").read_bytes()


def test_what_cannot_be_compared_is_told_and_stops_nothing(trees: Path) -> None:
    shutil.copytree(trees / "out/core-bash", trees / "out/core-torn")
    shutil.copytree(trees / "out/core-bash", trees / "out2/core-torn")
    blob = max((trees / "out2/core-torn/blobs/sha256").iterdir(), key=lambda path: path.name)
    blob.write_bytes(blob.read_bytes()[:-1])
    for tree in ("out", "out2"):
        (trees / tree / "core-failed").mkdir()
        (trees / tree / "a-first.tar").write_bytes(b"no tar at all")
    code, document = merged()
    assert code == 2
    assert not document["met"]
    told = {row["image"]: row["equal_at"] for row in document["images"]}
    assert told["core-bash"] == "archive"
    assert {name for name, rung in told.items() if rung is None} == {
        *("a-first", "core-failed", "core-torn"),
    }
    problems = {row["where"][0]: row["message"] for row in document["problems"]}
    assert problems["core-failed"] == "is an empty directory"
    assert problems.keys() == {"a-first", "core-failed", "core-torn"}
    # a difference that is certain beats trouble
    add(trees, "core-perl", one("1"), one("2"))
    assert merged()[0] == 1


def test_a_bug_with_one_package_does_not_stop_the_others(
    trees: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:

    def broken(a: str, *more: Any) -> Any:
        if a.endswith("core-bash"):
            raise ZeroDivisionError(f"in {trees}/out/core-bash\nindeed")
        return compare(a, *more)

    monkeypatch.setattr(batch, "compare", broken)
    code, document = merged()
    assert code == 2
    (problem,) = document["problems"]
    assert problem["where"] == ["core-bash"]
    assert "bug" in problem["message"]
    assert "ZeroDivisionError" in problem["message"]
    assert "Traceback" not in capsys.readouterr().err
    assert merged("--debug")[0] == 2
    assert "Traceback" in capsys.readouterr().err


def test_names_on_one_side_only_are_a_difference(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images.write(oci_layout([one()]), trees / "out" / "core-old")
    images.write(oci_layout([one()]), trees / "out2" / "core-new")
    code, document = merged("--text", "-")
    assert code == 1
    assert {row["image"]: row["only_in"] for row in document["images"]} == {
        "core-bash": None,
        "core-gcc": None,
        "core-new": "b",
        "core-old": "a",
    }
    kinds = {(row["where"][0], row["kind"]) for row in document["differences"]}
    assert ("core-old", "image.only_in_a") in kinds
    assert ("core-new", "image.only_in_b") in kinds
    assert "1 only in a, 1 only in b" in capsys.readouterr().out


def test_the_report_is_the_same_wherever_the_trees_lie(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(trees, "core-perl", one("1"), one("2"))
    for tree in ("out", "out2"):
        (trees / tree / "core-failed").mkdir()
    merged()
    here = Path("m.json").read_bytes()
    (trees / "below").mkdir()
    monkeypatch.chdir(trees / "below")
    a, b = os.path.abspath("../out"), os.path.join("..", "out2")
    assert sxdiff(a, f"{b}/", "--json", "m.json", "--jobs", "2") == 1
    assert Path("m.json").read_bytes() == here
    assert str(trees).encode() not in here


def test_a_tree_without_images_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sxdiff(str(tmp_path), str(tmp_path)) == 2
    assert "holds no images" in capsys.readouterr().err
    assert sxdiff(str(tmp_path / "none"), str(tmp_path)) == 2
    assert sxdiff(str(tmp_path)) == 2
    assert "--digests" in capsys.readouterr().err


def first_digest(layout: Path) -> str:
    """What StageX's src/digests.py takes: the first manifest of the first index."""
    top = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    inner = json.loads((layout / "blobs/sha256" / top.partition(":")[2]).read_bytes())
    digest: str = inner["manifests"][0]["digest"] if "manifests" in inner else top
    return digest.partition(":")[2]


def test_a_tree_is_compared_with_committed_digests(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(trees, "core-perl", one("1"), one("2"))
    bash, perl = (first_digest(trees / "out" / name) for name in ("core-bash", "core-perl"))
    Path("core.txt").write_text(f"{bash} core-bash\n{perl} core-perl\n")
    assert sxdiff("out", "--digests", "core.txt") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "2 digests: 2 equal, 0 differ, 0 not compared\n"
    # what would have to be committed, in the form of the file
    assert sxdiff("out2", "--digests", "core.txt") == 1
    assert capsys.readouterr().out == f"{first_digest(trees / 'out2/core-perl')} core-perl\n"
    Path("user.txt").write_text(f"{'0' * 64} user-none\n")
    assert sxdiff("out", "--digests", "core.txt", "--digests", "user.txt") == 2
    assert "sxdiff: user-none: is not in the tree\n" in capsys.readouterr().err
    assert sxdiff("out2", "--digests", "core.txt", "--digests", "user.txt") == 1
    capsys.readouterr()
    for bad in ("", "x core-bash\n", f"{bash}\n", f"{bash} a\n{bash} a\n", "\xff"):
        Path("bad.txt").write_text(bad, "latin-1")
        assert sxdiff("out", "--digests", "bad.txt") == 2
        assert capsys.readouterr().err.startswith("sxdiff: bad.txt: ")
    assert sxdiff("out", "out2", "--digests", "core.txt") == 2


def test_layouts_by_umoci_and_skopeo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need("umoci", "skopeo")
    monkeypatch.chdir(tmp_path)
    when = ("--history.created", "2024-01-01T00:00:00Z")
    Path("one.tar").write_bytes(tar([file("etc/one", "1")]))
    Path("two.tar").write_bytes(tar([file("etc/one", "2")]))
    for tree, layers in (("out", "one.tar"), ("out2", "two.tar")):
        for name, path in (("core-a", "one.tar"), ("core-b", layers)):
            layout = f"{tree}/{name}"
            Path(tree).mkdir(exist_ok=True)
            run("umoci", "init", "--layout", layout)
            run("umoci", "new", "--image", f"{layout}:t")
            fixed = ("--created", "2024-01-01T00:00:00Z")
            run("umoci", "config", "--no-history", *fixed, "--image", f"{layout}:t")
            run("umoci", "raw", "add-layer", *when, "--image", f"{layout}:t", path)
            run("umoci", "config", "--no-history", *fixed, "--image", f"{layout}:t")
            run("umoci", "gc", "--layout", layout)
        source = f"oci:{tree}/core-a:t"
        run("skopeo", "copy", source, f"oci-archive:{tree}/core-c.tar:t", "--insecure-policy")
    code, document = merged()
    assert code == 1
    assert {row["image"]: row["met"] for row in document["images"]} == {
        "core-a": True,
        "core-b": False,
        "core-c": True,
    }
    Path("core.txt").write_text(
        "".join(f"{first_digest(Path('out') / name)} {name}\n" for name in ("core-a", "core-b"))
    )
    capsys.readouterr()
    assert sxdiff("out2", "--digests", "core.txt") == 1
    assert capsys.readouterr().out == f"{first_digest(Path('out2/core-b'))} core-b\n"


def test_what_is_accepted_is_so_in_all_packages(trees: Path) -> None:
    """One rule, told once with what it accepts in all; a change beside it closes the gate."""
    dates = "Built 2026-01-01T00:00:00Z\n", "Built 2026-02-02T00:00:00Z\n"
    for name in ("user-a", "user-b"):
        add(trees, name, one(dates[0]), one(dates[1]))
    rule = ("--accept", "timestamp-in-text=dates of the build")
    assert sxdiff("out", "out2") == 1
    code, report = merged(*rule)
    assert (code, report["met"], report["equal_at"]) == (0, True, "nothing")
    (told,) = report["accepted"]
    assert (told["reason"], told["differences"]) == ("dates of the build", 4)
    Path("sxdiff.toml").write_text('[[accept]]\ncause = "timestamp-in-text"\nreason = "r"\n')
    assert sxdiff("out", "out2") == 0
    assert sxdiff("out", "out2", "--no-policy") == 1
    add(trees, "user-c", one("x"), one("y"))
    assert sxdiff("out", "out2", *rule) == 1
