"""--write-normalised: both images without what is explained, each from its own bytes."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixtures.images import LAYER, image, layer, oci_archive
from fixtures.packing import gzip
from fixtures.tar import Member, file, tar
from sxdiff.model import InputError
from sxdiff.run import Options, compare

OLD, NEW = b"Built on 2026-01-10 10:00:00\n", b"Built on 2026-03-15 12:34:56 here\n"


def archive(path: Path, *members: Member) -> str:
    stream = tar(members)
    path.write_bytes(oci_archive(image([layer(stream, gzip(stream), LAYER + "+gzip")])))
    return str(path)


def written(a: str, b: str, directory: Path) -> dict[str, Any]:
    options = Options(jobs=1, write_normalised=str(directory))
    with compare(a, b, options, None) as report:
        told: dict[str, Any] = report.header["summary"]["counterfactual"]
        return told


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_what_is_explained_is_the_same_on_both_sides(tmp_path: Path) -> None:
    a = archive(
        tmp_path / "a.tar", replace(file("note", OLD), mtime=1_700_000_000), file("same", b"x")
    )
    b = archive(
        tmp_path / "b.tar",
        replace(file("note", b"Built on 2026-03-15 12:34:56\n"), mtime=1_800_000_000),
        file("same", b"x"),
    )
    told = written(a, b, tmp_path / "out")
    assert told["verified"]
    (platform,) = told["normalised"]
    assert platform["a"] == platform["b"]
    one, two = files(tmp_path / "out" / "a"), files(tmp_path / "out" / "b")
    assert one == two
    index = json.loads(one["index.json"])
    manifest = json.loads(one[f"blobs/sha256/{index['manifests'][0]['digest'][7:]}"])
    path = tmp_path / "out" / "a" / "blobs" / "sha256" / manifest["layers"][0]["digest"][7:]
    with tarfile.open(path) as opened:
        assert opened.getnames() == ["note", "same"]
        assert opened.getmember("note").mtime == 0
        content = opened.extractfile("note")
        assert content is not None
        assert b"timestamp-in-text" in content.read()


def test_what_is_not_explained_stays(tmp_path: Path) -> None:
    a = archive(tmp_path / "a.tar", file("note", OLD))
    b = archive(tmp_path / "b.tar", file("note", NEW))
    told = written(a, b, tmp_path / "out")
    (platform,) = told["normalised"]
    assert platform["a"] != platform["b"]
    assert any(NEW in data for data in files(tmp_path / "out" / "b").values())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    a = archive(tmp_path / "a.tar", file("note", OLD))
    b = archive(tmp_path / "b.tar", file("note", NEW))
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        written(a, b, out)
    assert (out / "mine").read_text() == "keep"
