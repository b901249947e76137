"""Images made by umoci, skopeo and GNU tar, against what other tools say of them."""

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sxdiff.cli import main
from tests.tools import need, run

Report = dict[str, Any]
EPOCH = 1_704_067_200
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


@pytest.fixture(autouse=True)
def _tools() -> None:
    need("umoci", "skopeo", "tar")


def compare(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Report:
    """The JSON report of one run."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words), "--json", "-"])
    said = capsys.readouterr()
    assert ended.value.code in (0, 1), said.err
    report: Report = json.loads(said.out)
    assert (ended.value.code == 0) == report["met"]
    return report


def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One tar entry; its time is always the same unless told."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), EPOCH, 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def layer(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A layer's tar."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def image(path: Path, *layers: Path) -> Path:
    """An OCI layout by umoci with these layers and times that do not move."""
    when = ("--history.created", "2024-01-01T00:00:00Z")
    run("umoci", "init", "--layout", path)
    run("umoci", "new", "--image", f"{path}:t")
    for one in layers:
        run("umoci", "raw", "add-layer", *when, "--image", f"{path}:t", one)
    created = ("--created", "2024-01-01T00:00:00Z")
    run("umoci", "config", "--no-history", *created, "--image", f"{path}:t")
    run("umoci", "gc", "--layout", path)
    return path


def lower(path: Path, **changed: Any) -> Path:
    """A layer with some of everything; `changed` replaces fields of etc/conf's entry."""
    return layer(
        path,
        member("etc", type=tarfile.DIRTYPE, mode=0o755),
        member("etc/conf", changed.pop("data", b"v1\n"), **changed),
        member("etc/hard", type=tarfile.LNKTYPE, linkname="etc/conf"),
        member("gone", type=tarfile.DIRTYPE, mode=0o755),
        member("gone/y", b"y\n"),
        member("opq", type=tarfile.DIRTYPE, mode=0o755),
        member("opq/old", b"old\n"),
    )


def upper(path: Path, *, whiteout: bool = True, opaque: bool = True) -> Path:
    """A layer that takes things away."""
    members = [member("opq", type=tarfile.DIRTYPE, mode=0o755), member("opq/new", b"new\n")]
    members += [member("opq/.wh..wh..opq")] if opaque else []
    members += [member(".wh.gone")] if whiteout else []
    return layer(path, *members)


def device(path: Path, minor: int) -> Path:
    return layer(path, member("dev/x", type=tarfile.CHRTYPE, devmajor=1, devminor=minor))


def path_kinds(report: Report) -> set[tuple[str, str]]:
    return {(d["path"], d["kind"]) for d in report["differences"] if d["path"] is not None}


Change = Callable[[Path], list[Path]]
CHANGES: list[tuple[str, Change, str, set[tuple[str, str]]]] = [
    (
        "content",
        lambda d: [lower(d / "l", data=b"v2\n"), upper(d / "u"), device(d / "d", 3)],
        "nothing",
        {("etc/conf", "text")},
    ),
    (
        "mode",
        lambda d: [lower(d / "l", mode=0o4755), upper(d / "u"), device(d / "d", 3)],
        "contents",
        {("etc/conf", "tar.mode")},
    ),
    (
        "owner",
        lambda d: [lower(d / "l", uid=7), upper(d / "u"), device(d / "d", 3)],
        "contents",
        {("etc/conf", "tar.uid")},
    ),
    (
        "time",
        lambda d: [lower(d / "l", mtime=EPOCH + 1), upper(d / "u"), device(d / "d", 3)],
        "contents",
        {("etc/conf", "tar.mtime")},
    ),
    (
        "whiteout",
        lambda d: [lower(d / "l"), upper(d / "u", whiteout=False), device(d / "d", 3)],
        "nothing",
        {(".wh.gone", "file.only_in_a")},
    ),
    (
        "opaque",
        lambda d: [lower(d / "l"), upper(d / "u", opaque=False), device(d / "d", 3)],
        "nothing",
        {("opq/.wh..wh..opq", "file.only_in_a")},
    ),
    (
        "device",
        lambda d: [lower(d / "l"), upper(d / "u"), device(d / "d", 5)],
        "nothing",
        {("dev/x", "tar.device")},
    ),
    (
        "order of layers",
        lambda d: [device(d / "d", 3), lower(d / "l"), upper(d / "u")],
        "rootfs",
        set(),
    ),
]


@pytest.mark.parametrize(
    ("change", "rung", "kinds"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES]
)
def test_one_change_in_one_layer_is_told_and_nothing_else(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Change,
    rung: str,
    kinds: set[tuple[str, str]],
) -> None:
    (tmp_path / "b").mkdir()
    a = image(
        tmp_path / "ia", lower(tmp_path / "l"), upper(tmp_path / "u"), device(tmp_path / "d", 3)
    )
    b = image(tmp_path / "ib", *change(tmp_path / "b"))
    report = compare(capsys, a, b)
    assert report["equal_at"] == rung
    assert path_kinds(report) == kinds


def test_a_capability_is_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = CAPABILITY.decode("latin-1")
    assert value.encode() == CAPABILITY  # or it would not survive a PAX record
    records = {"SCHILY.xattr.security.capability": value}
    a = image(tmp_path / "ia", layer(tmp_path / "1", member("ping", b"x", pax_headers=records)))
    b = image(tmp_path / "ib", layer(tmp_path / "2", member("ping", b"x")))
    report = compare(capsys, a, b)
    assert report["equal_at"] == "contents"
    (told,) = [d for d in report["differences"] if d["kind"] == "tar.xattr"]
    assert (told["a"]["value"], told["b"]) == ("cap_net_raw=ep", None)


FORMS = ("oci", "oci-archive", "dir", "decompressed", "docker-archive", "gzip", "xz", "bzip2")
SAME_MANIFEST = {"oci", "oci-archive", "dir", "gzip", "xz", "bzip2"}


def test_one_image_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("gzip", "xz", "bzip2")
    source = image(tmp_path / "base", lower(tmp_path / "l"), upper(tmp_path / "u"))
    forms = {name: tmp_path / f"form-{name}" for name in FORMS}
    copy = ("skopeo", "--insecure-policy", "copy", "-q", f"oci:{source}:t")
    run("skopeo", "--insecure-policy", "copy", "-q", f"oci:{source}:t", f"oci:{forms['oci']}:t")
    run(*copy, f"oci-archive:{forms['oci-archive']}:t")
    run(*copy, f"dir:{forms['dir']}")
    run(*copy, "--dest-decompress", f"dir:{forms['decompressed']}")
    run(*copy, f"docker-archive:{forms['docker-archive']}:x/y:t")
    for tool in ("gzip", "xz", "bzip2"):
        packed = tmp_path / f"{tool}.tar"
        packed.write_bytes(forms["oci-archive"].read_bytes())
        run(tool, packed)
        next(tmp_path.glob(f"{tool}.tar.*")).rename(forms[tool])
    config = json.loads(run("skopeo", "inspect", "--raw", f"oci:{source}:t"))["config"]["digest"]
    for name in FORMS[1:]:
        report = compare(capsys, forms["oci"], forms[name])
        moved = [d for d in report["differences"] if d["kind"] == "archive.order"]
        assert not moved or name not in ("oci", "dir"), "a directory has no order"
        assert report["equal_at"] == ("index" if name in SAME_MANIFEST else "config"), name
        assert {one[side]["config"] for one in report["platforms"] for side in "ab"} == {config}
        assert path_kinds(report) == set(), name


def test_a_squashed_image_has_the_root_that_umoci_unpacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid():
        pytest.skip("umoci keeps owners only for root")
    layers = [lower(tmp_path / "l"), upper(tmp_path / "u")]
    a = image(tmp_path / "ia", *layers)
    run("umoci", "unpack", "--image", f"{a}:t", tmp_path / "bundle")
    root = tmp_path / "bundle/rootfs"
    os.utime(root, (EPOCH, EPOCH))
    run("tar", "--sort=name", "--format=posix", "-C", root, "-cf", tmp_path / "s", ".")
    assert {"etc", "etc/conf", "etc/hard", "opq", "opq/new"} == {
        str(p.relative_to(root)) for p in root.rglob("*")
    }
    for other in (image(tmp_path / "ib", tmp_path / "s"), tmp_path / "s"):
        report = compare(capsys, a, other, "--require", "rootfs")
        assert report["equal_at"] == "rootfs"


def test_two_runs_say_the_same_and_nothing_of_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = image(tmp_path / "ia", lower(tmp_path / "l"))
    b = image(tmp_path / "ib", lower(tmp_path / "m", data=b"other\n"))
    runs = []
    for number in range(2):
        outputs = [tmp_path / f"{kind}{number}" for kind in ("json", "html", "text")]
        words = [
            f"--{kind}={path}" for kind, path in zip(("json", "html", "text"), outputs, strict=True)
        ]
        with pytest.raises(SystemExit):
            main([*words, str(a), str(b)])
        runs.append([path.read_bytes() for path in outputs])
    capsys.readouterr()
    assert runs[0] == runs[1]
    for said in runs[0]:
        assert str(tmp_path).encode() not in said
