"""The laws of docs/architecture.md, end to end."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import image, layer, oci_archive
from fixtures.packing import gzip
from fixtures.recipes import CASES
from fixtures.recipes.base import Case
from fixtures.tar import (
    CAP_NET_RAW,
    Member,
    device,
    directory,
    file,
    global_header,
    hardlink,
    old_sparse,
    opaque,
    sparse,
    symlink,
    tar,
    whiteout,
    xattr,
)
from sxdiff.model import RUNGS, InputError
from sxdiff.report import json as json_report
from sxdiff.run import Options, compare
from tests.local import LocalPool
from tests.sample import part, so_many

Json = dict[str, Any]
Compare = Callable[[bytes, bytes], Json]


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """The whole report of two archives, as JSON. No processes are started."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    (tmp_path / "spool").mkdir()

    def run(a: bytes, b: bytes) -> Json:
        for side, data in (("a", a), ("b", b)):
            (tmp_path / f"{side}.tar").write_bytes(data)
        options = Options(spool=str(tmp_path / "spool"))
        with compare(str(tmp_path / "a.tar"), str(tmp_path / "b.tar"), options, None) as report:
            found: Json = json.loads("".join(json_report.chunks(report)))
        assert not os.listdir(tmp_path / "spool")
        return found

    return run


@pytest.mark.parametrize("case", part(CASES, 2), ids=lambda case: case.name)
def test_equal_bytes_have_no_differences_and_different_ones_have_some(
    compared: Compare, case: Case
) -> None:
    """Law 1."""
    a, b = case.build()
    for one in (a, b):
        report = compared(one, one)
        assert (report["equal_at"], report["met"]) == ("archive", True)
        assert report["differences"] == report["findings"] == []
        assert report["summary"]["differences"]["total"] == 0
    if a != b:
        report = compared(a, b)
        assert report["differences"]
        assert report["equal_at"] != "archive"
        roots = [one for one in report["differences"] if not one["derived_from"]]
        assert roots, "everything is said to follow from something else"


ALL_KINDS: list[Member] = [
    directory("d"),
    file("d/text", "one\ntwo\n").but(pax=((b"mtime", b"1.5"), xattr("user.a", b"1"))),
    file("d/data", bytes(range(97)), 0o755).but(mtime=1),
    file("program").but(pax=(xattr("security.capability", CAP_NET_RAW),)),
    symlink("link", "d/text"),
    hardlink("hard", "d/data"),
    device("null", 1, 3),
    sparse("hole", 9000, [(4096, b"data")]),
    old_sparse("old", 9000, [(4096, b"data")]),
    file("long/" * 25 + "name", "x").but(dialect="gnu"),
    global_header([(b"comment", b"from git")]),
    file("after", "x" * 512),
    whiteout("gone"),
    opaque("d"),
]
LAYER = tar(ALL_KINDS)


def _archive(data: bytes) -> bytes:
    return oci_archive(image([layer(data)]))


def _positions(data: bytes) -> Iterator[tuple[str, int]]:
    """(what it is, offset): every byte of every kind of block, most of them sampled."""
    choose = random.Random(6)
    for block in range(0, len(data), 512):
        content = data[block : block + 512]
        is_header = content[257:262] == b"ustar"
        used = [at for at in range(512) if content[at]]
        empty = [at for at in range(512) if not content[at]]
        what = "header" if is_header else "data"
        for at in choose.sample(used, min(len(used), so_many(7, 14))) + choose.sample(
            empty, min(len(empty), so_many(3, 6))
        ):
            yield what, block + at


def _with_right_checksum(data: bytearray, block: int) -> None:
    data[block + 148 : block + 156] = b" " * 8
    data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])


def test_no_byte_of_a_layer_changes_unseen(compared: Compare) -> None:
    """Law 2. A flip is told in its layer, as no mere consequence, or there is no verdict."""
    a = _archive(LAYER)
    told: Counter[str] = Counter()
    flips = random.Random(7)
    for what, at in _positions(LAYER):
        changed = bytearray(LAYER)
        changed[at] ^= 1 << flips.randrange(8)
        if what == "header" and not 148 <= at % 512 < 156:
            _with_right_checksum(changed, at // 512 * 512)
        try:
            report = compared(a, _archive(bytes(changed)))
        except InputError as error:
            told["no verdict"] += 1
            assert "layer 1" in str(error)
            continue
        differences = [one for one in report["differences"] if one["where"][1:2] == ["layer 1"]]
        roots = [one for one in differences if not one["derived_from"]]
        assert roots, (at, what, bytes(changed[at : at + 1]), report["differences"])
        assert any(one["a"] != one["b"] for one in roots), at
        assert RUNGS.index(report["equal_at"]) > RUNGS.index("config"), at
        assert not report["met"]
        told[report["equal_at"]] += 1
    # of every kind there were some, and most flips leave a layer that can be read
    assert set(told) == {"no verdict", "rootfs", "contents", "nothing"}
    assert told["no verdict"] < sum(told.values()) / 3


def test_no_byte_of_a_packed_layer_changes_unseen(compared: Compare) -> None:
    """Law 2 for the packing: other bytes, the same content."""
    content = tar([file("f", "content\n")])
    gzip_type = "application/vnd.oci.image.layer.v1.tar+gzip"
    packed = gzip(content, mtime=77, name=b"name", trailing=b"\0\0more")
    a = oci_archive(image([layer(content, packed, gzip_type)]))
    told: Counter[str] = Counter()
    for at in [*range(24), *range(24, len(packed), 41), *range(len(packed) - 16, len(packed))]:
        changed = bytearray(packed)
        changed[at] ^= 1
        try:
            report = compared(a, oci_archive(image([layer(content, bytes(changed), gzip_type)])))
        except InputError:
            told["no verdict"] += 1
            continue
        assert report["equal_at"] == "config", at
        assert any(
            one["kind"].startswith("layer.") and not one["derived_from"]
            for one in report["differences"]
        ), at
        told["told"] += 1
    assert min(told["told"], told["no verdict"]) > 10


def test_no_byte_of_a_document_changes_unseen(compared: Compare) -> None:
    """Law 2 for config, manifest, index.json and the archive around them."""
    good = image([layer(tar([file("f")]))], annotations={"key": "value"}, runtime={"Env": ["A=b"]})
    archive = oci_archive(good)
    told = 0
    for at in range(0, len(archive), 53):
        changed = bytearray(archive)
        changed[at] ^= 2
        try:
            report = compared(archive, bytes(changed))
        except InputError:
            continue
        told += 1
        assert report["differences"], at
        assert report["equal_at"] != "archive"
    assert told > 20


def _told(report: Json, *, swapped: bool = False) -> Json:
    """What a report says, or what it must say when its inputs change places."""
    one, other = ("b", "a") if swapped else ("a", "b")
    side = {"a": one, "b": other, None: None}

    def kind(name: str) -> str:
        stem, dot, last = name.rpartition("_in_")
        return f"{stem}{dot}{side[last]}" if dot else name

    renamed = {found["path"] for found in report["differences"] if found["kind"] == "file.renamed"}
    differences = []
    for found in report["differences"]:
        said = {
            "kind": kind(found["kind"]),
            "where": found["where"],
            "values": (found[one], found[other]),
            "as text": bool(found.get("diff")),
            "derived": bool(found["derived_from"]),
            "visible": found["visible"],
            "format": found["format"],
        }
        if found["kind"] == "layer.order":
            del said["values"]  # layers are numbered as the first side has them
        if found["path"] in renamed:
            del said["where"]  # a renamed file is told where the first side has it
        differences.append(json.dumps(said, sort_keys=True))
    return {
        "equal_at": report["equal_at"],
        "met": report["met"],
        "differences": sorted(differences),
        "platforms": [
            (found["platform"], found[one], found[other], found["equal_at"], side[found["only_in"]])
            for found in report["platforms"]
        ],
        "counts": (report["summary"]["differences"], report["summary"]["bytes"]),
        "problems": len(report["problems"]),
    }


@pytest.mark.parametrize("case", part(CASES, 3), ids=lambda case: case.name)
def test_swapping_the_sides_swaps_the_report(compared: Compare, case: Case) -> None:
    """Law 3."""
    a, b = case.build()
    assert _told(compared(a, b)) == _told(compared(b, a), swapped=True)


def test_swapping_the_sides_tells_the_same_member_as_out_of_order(compared: Compare) -> None:
    members = [file(f"f{number}") for number in range(7)]
    shuffle = random.Random(8)
    for _ in range(20):
        pair = [_archive(tar(shuffle.sample(members, len(members)))) for _ in "ab"]
        assert _told(compared(*pair)) == _told(compared(*pair[::-1]), swapped=True)


MAIN = "from sxdiff.cli import main; main()"
SURROUNDINGS: list[tuple[dict[str, str], list[str]]] = [
    ({"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}, []),
    ({"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"}, ["--jobs", "1"]),
    ({"PYTHONHASHSEED": "2", "LC_ALL": "POSIX", "TZ": "America/St_Johns"}, ["--jobs", "2"]),
    ({"PYTHONHASHSEED": "3", "LANG": "tr_TR.UTF-8", "COLUMNS": "20"}, ["--jobs", "5"]),
]


@pytest.mark.parametrize("name", ["stagex-shaped", "multi-arch-one-differs", "name-not-utf8"])
def test_the_report_depends_on_nothing_but_the_inputs(tmp_path: Path, name: str) -> None:
    """Law 7: not on hash seed, locale, time zone, working directory or number of jobs."""
    (case,) = (one for one in CASES if one.name == name)
    reports = set()
    for number, (environment, words) in enumerate(SURROUNDINGS):
        folder = tmp_path / f"{number}" / "\u00fc"
        folder.mkdir(parents=True)
        for side, data in zip("ab", case.build(), strict=True):
            (folder / f"{side}.tar").write_bytes(data)
            os.utime(folder / f"{side}.tar", (number, number))
        inputs = ["a.tar", "b.tar"] if number % 2 else [f"{folder}/a.tar", f"{folder}/b.tar"]
        outputs = ["--json", "r.json", "--html", "r.html", "--text", "r.txt"]
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from sxdiff.cli import main; main()",
                *words,
                *outputs,
                *inputs,
            ],
            cwd=folder,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        reports.add(tuple((folder / output).read_bytes() for output in outputs[1::2]))
    assert len(reports) == 1


def test_a_hard_link_whose_source_is_gone_is_told_where_the_layering_differs(
    compared: Compare,
) -> None:
    """Whatever differs has an entry with its path, also where no layer pairs."""

    def side(content: str, *more: Member) -> bytes:
        lower = layer([file("a", content), hardlink("b", "a"), hardlink("c", "a")])
        upper = layer([whiteout("a")])
        return oci_archive(image([lower, upper, *(layer([one]) for one in more)]))

    report = compared(side("x"), side("y", file("d", "z")))
    paths = {one["path"] for one in report["differences"] if one["kind"] == "file.content"}
    assert paths == {"b", "c"}
    assert report["equal_at"] == "nothing"
