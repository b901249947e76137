"""The carrying of an image: what differs in the archive around equal or other blobs."""

import bz2
import gzip
import io
import itertools
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from sxdiff.compare.transport import transport_differences
from sxdiff.image.oci import open_input
from sxdiff.model import Difference, InputError, Limits
from tests.sample import places
from tests.tools import unpack

IMAGES = Path(__file__).parent.parent / "artefacts" / "images"

Compare = Callable[..., list[Difference]]
Edit = Callable[[tarfile.TarInfo, bytes], "tuple[tarfile.TarInfo, bytes] | None"]


def sample(name: str) -> bytes:
    packed = (IMAGES / f"{name}.tar.zst").read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed)


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Compares two inputs given as bytes or paths."""
    numbers = itertools.count()

    def new() -> str:
        return str(tmp_path / f"file-{next(numbers)}")

    def path_of(data: "bytes | str | os.PathLike[str]") -> str:
        if not isinstance(data, bytes):
            return os.fspath(data)
        path = new()
        Path(path).write_bytes(data)
        return path

    def run(a: "bytes | str", b: "bytes | str") -> list[Difference]:
        inputs = [open_input(path_of(side), new, Limits()) for side in (a, b)]
        return transport_differences(inputs[0], inputs[1])

    return run


def rewritten(data: bytes, edit: Edit, dialect: int = tarfile.USTAR_FORMAT) -> bytes:
    """The archive with each member edited, or left out for None."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as source,
        tarfile.open(fileobj=out, mode="w", format=dialect) as target,
    ):
        for info in source:
            file = source.extractfile(info) if info.isreg() else None
            edited = edit(info, file.read() if file else b"")
            if edited is not None:
                target.addfile(edited[0], io.BytesIO(edited[1]))
    return out.getvalue()


def told(found: list[Difference]) -> list[tuple[str, str, object, object]]:
    return [
        (d.kind, " ".join(d.where), d.a.value if d.a else None, d.b.value if d.b else None)
        for d in found
    ]


def same(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return info, data


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("buildkit-stagex-a", "buildkit-stagex-b"),
        ("buildkit-stagex-a", "buildkit-stagex-a-again"),
        ("buildkit-stagex-a", "buildkit-stagex-a-other-deflate"),
        ("buildkit-oci-default", "buildkit-oci-provenance"),
        ("buildkit-oci-default", "buildkit-oci-zstd"),
        ("buildkit-oci-default", "buildkit-oci-sbom-provenance-multi"),
    ],
)
def test_other_blobs_are_no_other_transport(a: str, b: str, compare: Compare) -> None:
    """Names, sizes and places that follow from digests are not told again."""
    assert compare(sample(a), sample(b)) == []


def test_another_form(compare: Compare, tmp_path: Path) -> None:
    data = sample("buildkit-stagex-a")
    (tmp_path / "a.tar").write_bytes(data)
    unpack(tmp_path / "a.tar", tmp_path / "layout")
    assert told(compare(data, str(tmp_path / "layout"))) == [
        ("archive.form", "", "oci-archive", "oci-layout")
    ]
    assert told(compare(sample("buildkit-oci-default"), sample("crane-tarball")))[0] == (
        "archive.form",
        "",
        "oci-archive",
        "docker-archive",
    )


def test_another_writer(compare: Compare) -> None:
    """BuildKit and buildah put one layout into two dialects."""
    found = compare(sample("buildkit-oci-default"), sample("buildah-oci-archive"))
    assert told(found) == [
        ("layout.encoding", "oci-layout", "compact", "on one line, with spaces"),
        ("archive.header", "mode of 7 members", "0755", "40755"),
        ("archive.header", "mtime of 7 members", 0, 1795369416),
        ("archive.header", "uname of 7 members", "", "root"),
        ("archive.header", "gname of 7 members", "", "root"),
    ]


def test_docker_archives_name_their_parts_by_digest(compare: Compare) -> None:
    found = compare(sample("skopeo-docker-archive"), sample("buildah-docker-archive"))
    assert {(d.where[:2], d.derived_from) for d in found if d.derived} == {
        (("manifest.json", "/0/Config"), (("linux/amd64", "config"),)),
        (("manifest.json", "/0/Layers/0"), (("linux/amd64", "layer 1"),)),
        *(
            (("linux/amd64 layer 1 json", f"/config/{key}"), (("linux/amd64", "config"),))
            for key in ("WorkingDir", "ArgsEscaped", "Labels/io.buildah.version")
        ),
        (
            ("linux/amd64 layer 1 json", "/id"),
            (("linux/amd64", "layer 1"), ("linux/amd64", "config")),
        ),
    }
    assert [d.where for d in found if not d.derived] == [
        ("manifest.json", "/0/RepoTags/0"),
        ("repositories", "/docker.io~1foo~1bar"),
        ("repositories", "/localhost~1xa"),
    ]


def test_another_name_of_an_equal_layer_is_not_derived(compare: Compare) -> None:
    found = compare(sample("crane-legacy"), sample("skopeo-docker-archive"))
    assert not any(d.derived for d in found)
    assert "archive.order" in {d.kind for d in found}


def test_compression(compare: Compare) -> None:
    data = sample("buildkit-stagex-a")
    one, other = gzip.compress(data, mtime=1), gzip.compress(data, mtime=2)
    assert told(compare(one, other)) == [("archive.compression", "gzip.mtime", 1, 2)]
    assert told(compare(data, one)) == [("archive.compression", "", "none", "gzip")]
    assert told(compare(bz2.compress(data), one)) == [("archive.compression", "", "bzip2", "gzip")]
    one, other = gzip.compress(data, 5, mtime=0), gzip.compress(data, 6, mtime=0)
    found = compare(one, other)
    assert [(d.kind, d.where) for d in found] == [("archive.compression", ("stream",))]
    found = compare(one, one + b"trailing")
    assert [(d.kind, d.where) for d in found] == [("archive.compression", ("gzip.trailing",))]
    assert compare(one, gzip.compress(sample("buildkit-stagex-b"), 5, mtime=0)) == []


def test_header_fields(compare: Compare) -> None:
    data = rewritten(sample("buildkit-stagex-a"), same)

    def edited(**fields: object) -> bytes:
        def edit(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
            for name, value in fields.items():
                setattr(info, name, value)
            return info, content

        return rewritten(data, edit)

    assert told(compare(data, edited(mtime=1700000000, uid=1000, uname="me"))) == [
        ("archive.header", "uid of 8 members", 0, 1000),
        ("archive.header", "mtime of 8 members", 0, 1700000000),
        ("archive.header", "uname of 8 members", "", "me"),
    ]


def test_extended_headers(compare: Compare) -> None:
    data = rewritten(sample("buildkit-stagex-a"), same)

    def edit(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        info.pax_headers = {"mtime": "0.25", "comment": "x"}
        return info, content

    pax = rewritten(data, edit, tarfile.PAX_FORMAT)
    found = told(compare(data, pax))
    assert ("archive.header", "PAX mtime of 8 members", None, "0.25") in found
    assert ("archive.header", "PAX comment of 8 members", None, "x") in found

    def other(info: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        info.pax_headers = {"mtime": "0.5", "comment": "x"}
        return info, content

    assert told(compare(pax, rewritten(data, other, tarfile.PAX_FORMAT)))[0] == (
        "archive.header",
        "PAX mtime of 8 members",
        "0.25",
        "0.5",
    )


def test_order(compare: Compare) -> None:
    data = sample("buildkit-stagex-a")
    members: list[tuple[tarfile.TarInfo, bytes]] = []
    rewritten(data, lambda info, content: members.append((info, content)))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for info, content in reversed(members):
            target.addfile(info, io.BytesIO(content))
    found = compare(rewritten(data, same), out.getvalue())
    assert [d.kind for d in found] == ["archive.order"]
    assert found[0].b is not None
    assert str(found[0].b.value).startswith("oci-layout, index.json, ")


def test_members_that_nothing_points_at(compare: Compare) -> None:
    data = rewritten(sample("buildkit-stagex-a"), same)
    extra = tarfile.TarInfo("blobs/sha256/" + "0" * 64)
    extra.size = 5

    def with_extra(content: bytes, name: str) -> bytes:
        def edit(info: tarfile.TarInfo, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
            return info, data

        archive = io.BytesIO(rewritten(data, edit))
        with tarfile.open(fileobj=archive, mode="a", format=tarfile.USTAR_FORMAT) as target:
            extra.name, extra.size = name, len(content)
            target.addfile(extra, io.BytesIO(content))
        return archive.getvalue()

    name = "blobs/sha256/" + "0" * 64
    one = with_extra(b"12345", name)
    assert ("archive.extra", name, None, "file of 5 bytes") in told(compare(data, one))
    assert ("archive.extra", name, "file of 5 bytes", None) in told(compare(one, data))
    found = compare(one, with_extra(b"12354", name))
    assert [(d.kind, d.where) for d in found] == [("archive.extra", (name,))]
    found = compare(with_extra(b"1", "README"), with_extra(b"2", "README"))
    assert [(d.kind, d.where) for d in found] == [("archive.extra", ("README",))]


def test_padding(compare: Compare) -> None:
    data = sample("buildkit-stagex-a")
    assert told(compare(data, data + bytes(9216))) == [
        ("archive.padding", "end", "1024 zero bytes", "10240 zero bytes")
    ]
    found = compare(data, data + b"more")
    assert [(d.kind, d.where) for d in found] == [("archive.padding", ("end",))]


@pytest.mark.parametrize("name", ["buildkit-stagex-a", "crane-tarball"])
def test_no_byte_of_the_carrier_changes_unseen(name: str, compare: Compare) -> None:
    """Every byte that no document accounts for, flipped, the header's checksum put right."""
    data = sample(name)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        contents = [(info.offset_data, info.offset_data + info.size) for info in archive]
        headers = [info.offset for info in archive]
    tried = 0
    for at in places(len(data), 3):
        if any(begin <= at < end for begin, end in contents):
            continue
        header = next((begin for begin in headers if begin <= at < begin + 512), None)
        changed = bytearray(data)
        changed[at] ^= 0x01
        if header is not None and not 148 <= at - header < 156:
            if at % 11 and data[at] == 0 and data[at - 1] == 0:
                continue  # most of a header is zeros: every eleventh of them will do
            changed[header + 148 : header + 156] = b" " * 8
            total = sum(changed[header : header + 512])
            changed[header + 148 : header + 156] = b"%07o\0" % total
        try:
            found = compare(data, bytes(changed))
        except InputError:
            continue
        tried += 1
        assert found, at
    assert tried > 500
