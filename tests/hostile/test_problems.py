"""Trouble met while comparing never gives exit code 0 at a rung that depends on what was not
compared. Each case has a difference just there, and must meet its kind of problem."""

import gzip
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import (
    Item,
    archive,
    digest,
    document,
    image,
    index,
    layer,
    oci_archive,
    oci_layout,
)
from fixtures.tar import file, tar
from sxdiff.model import RUNGS, Limits
from sxdiff.run import Options, compare
from sxdiff.work.tasks import Tasks
from tests.local import LocalPool

BELOW_MANIFEST = ("archive", "index", "manifest")
ALL = RUNGS[:-1]


def _packed(*members: Any, config: dict[str, Any] | None = None) -> Item:
    return image([layer(tar(list(members)))], config=config)


ONE = _packed(file("x", "x"))


def _absent(side: str) -> bytes:
    """Two platforms; the manifest of the second is not there."""
    other = image([layer(tar([file("x", side)]))], config={"architecture": "arm64"})
    both = index([ONE, other])
    files = oci_layout([both])
    del files["blobs/" + digest(other.data).replace(":", "/")]
    return archive(files)


def _media_type(side: str) -> bytes:
    item = _packed(file("x", side))
    said = "application/vnd.oci.image.index.v1+json" if side == "a" else item.media_type
    manifest = json.loads(item.data)
    manifest["mediaType"] = said
    if side == "b":
        return oci_archive(item)
    manifest["layers"][0]["mediaType"] += "+gzip"
    manifest["mediaType"] = item.media_type
    return oci_archive(Item(document(manifest), item.media_type, item.blobs, item.platform))


def _broken_gzip(side: str) -> bytes:
    cut = gzip.compress(b"content " * 100 + side.encode(), mtime=0)[:-9]
    return oci_archive(_packed(file("x.gz", cut + side.encode())))


def _tail(side: str) -> bytes:
    return oci_archive(ONE)[:-1024] + bytes(512) + side.encode() * 512


def _layout(side: str) -> bytes:
    files = oci_layout([ONE])
    if side == "a":
        del files["oci-layout"]
    return archive(files)


def _history(side: str) -> bytes:
    steps = [{"created_by": f"step {n} {side}"} for n in range(3)]
    return oci_archive(_packed(file("x"), config={"history": steps}))


def _many(side: str) -> bytes:
    lines = "".join(f"{n} {side if n % 7 == 0 else '-'}\n" for n in range(400))
    return oci_archive(_packed(file("x", lines)))


def _platform(side: str) -> bytes:
    item = _packed(file("x"), config={"architecture": "arm64", "author": side})
    said = {"architecture": "amd64", "os": "linux"}
    return oci_archive(Item(item.data, item.media_type, item.blobs, said))


@dataclass(frozen=True)
class Case:
    side: Callable[[str], bytes]
    rungs: tuple[str, ...] = ALL
    """Those that must not hold."""
    limits: Limits = field(default_factory=Limits)


CASES = {
    "absent": Case(_absent),
    "archive": Case(_tail, ("archive",)),
    "format": Case(_broken_gzip),
    "history": Case(_history, ("archive", "index", "manifest", "config")),
    "layout": Case(_layout, ("archive",)),
    "limit": Case(_many, limits=Limits(file_differences=1)),
    "media-type": Case(_media_type),
    "path": Case(lambda side: oci_archive(_packed(file("../x", side)))),
    "platform": Case(_platform, ("archive", "index", "manifest", "config")),
    "worker": Case(lambda side: oci_archive(_packed(file("x", side * 9)))),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_not_compared_is_not_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    if kind == "worker":

        def out_of_memory(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr(Tasks, "do_look", out_of_memory)
    case = CASES[kind]
    paths = []
    for side in "ab":
        paths.append(str(tmp_path / f"{side}.tar"))
        Path(paths[-1]).write_bytes(case.side(side))
    for rung in ALL:
        options = Options(require=rung, spool=str(tmp_path), limits=case.limits)
        with compare(paths[0], paths[1], options, None) as report:
            assert kind in {one["kind"] for one in report.header["problems"]}
            assert list(report.differences())
            if rung in case.rungs:
                assert not report.header["met"], rung
            else:
                assert report.header["met"], rung


def test_digests_alone_prove_what_is_absent_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one way to exit code 0 with something that nobody could read."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    paths = [tmp_path / f"{side}.tar" for side in "ab"]
    paths[0].write_bytes(_absent("x"))
    paths[1].write_bytes(_absent("x") + bytes(512))
    with compare(str(paths[0]), str(paths[1]), Options(spool=str(tmp_path)), None) as report:
        assert {one["kind"] for one in report.header["problems"]} == {"absent"}
        assert (report.header["equal_at"], report.header["met"]) == ("index", True)


def test_a_socket_on_one_side_is_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was once told as a problem, and the rest compared without it."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    for side in "ab":
        (tmp_path / side).mkdir()
        (tmp_path / side / "x").write_text("x")
        os.utime(tmp_path / side / "x", (1, 1))
    monkeypatch.chdir(tmp_path / "a")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
    (tmp_path / "spool").mkdir()
    options = Options(spool=str(tmp_path / "spool"))
    paths = [str(tmp_path / side) for side in "ab"]
    with compare(paths[0], paths[1], options, None) as report:
        assert (report.header["equal_at"], report.header["met"]) == ("nothing", False)
        (found,) = report.differences()
        assert (found["kind"], found["path"]) == ("file.only_in_a", "s")
