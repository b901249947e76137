"""Stores: what is no archive, what is damaged, links, and what costs no memory."""

import io
import os
import socket
import struct
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.image.store import Store, open_store
from sxdiff.model import InputError, Limits

Sample = Callable[[str], str]
Spool = Callable[[], str]
TarOf = Callable[..., str]

HEX = "0123456789abcdef" * 4


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def refused(path: "str | os.PathLike[str]", spool: Spool) -> str:
    """The one line that refuses the input."""
    with pytest.raises(InputError) as caught:
        open_store(os.fspath(path), spool, Limits())
    message = str(caught.value)
    assert message.startswith(f"{os.fspath(path)}: ")
    assert message.isprintable()
    return message.removeprefix(f"{os.fspath(path)}: ")


def test_what_is_no_archive(tmp_path: Path, spool: Spool) -> None:
    assert refused(tmp_path / "absent", spool) == "No such file or directory"
    file = tmp_path / "file"
    for data, words in (
        (b"", "is empty"),
        (b"hello, world\n", "not an image: neither a tar archive nor a compressed one"),
        (b"\x7fELF" + bytes(2000), "not an image: neither a tar archive nor a compressed one"),
        (bytes(10240), "is a tar archive without members"),
        (bytes(100), "is a tar archive without members"),
        (bytes(1024) + b"x", "not an image: neither a tar archive nor a compressed one"),
    ):
        file.write_bytes(data)
        assert refused(file, spool) == words
    os.mkfifo(tmp_path / "fifo")
    assert refused(tmp_path / "fifo", spool) == "is a FIFO, not an image"
    assert refused("/dev/null", spool) == "is a device, not an image"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refused(tmp_path / "s", spool) == "is a socket, not an image"
    with pytest.raises(InputError, match="null byte"):
        open_store("a\0b", spool, Limits())


def test_a_compressed_file_that_is_no_archive(tmp_path: Path, spool: Spool) -> None:
    import gzip

    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"hello"))
    assert "neither a tar archive nor" in refused(path, spool)
    path.write_bytes(gzip.compress(b""))
    assert refused(path, spool) == "is empty inside its gzip stream"


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2"])
def test_truncated_and_damaged_compression(
    compression: str, sample: Sample, tmp_path: Path, spool: Spool
) -> None:
    import bz2
    import gzip
    import lzma

    import zstandard

    raw = Path(sample("buildkit-three-layers")).read_bytes()
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
        "xz": lzma.compress,
        "bzip2": bz2.compress,
    }
    packed = pack[compression](raw)
    path = tmp_path / "packed"
    for size in range(12, len(packed), 37):
        path.write_bytes(packed[:size])
        assert compression in refused(path, spool)
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0x55
    path.write_bytes(bytes(damaged))
    assert compression in refused(path, spool)


def test_a_bomb_is_refused(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    import zstandard

    monkeypatch.setattr("sxdiff.image.unpack._EARLY_BYTES", 1 << 20)
    path = tmp_path / "bomb"
    writer = zstandard.ZstdCompressor(level=3).compressobj()
    path.write_bytes(b"".join(writer.compress(bytes(64 << 20)) for _ in range(8)) + writer.flush())
    assert "unpacks to more than 1100 times its size" in refused(path, spool)


def test_truncation_at_every_length(sample: Sample, tmp_path: Path, spool: Spool) -> None:
    """A cut archive is refused, unless all that is cut off is what ends an archive."""
    from sxdiff.image.oci import open_input

    raw = Path(sample("buildkit-stagex-a")).read_bytes()
    with tarfile.open(sample("buildkit-stagex-a")) as archive:
        last = archive.getmembers()[-1]
    whole = last.offset_data + last.size
    path = tmp_path / "cut.tar"
    for size in [*range(0, len(raw), 61), *range(0, len(raw), 512), len(raw) - 1]:
        path.write_bytes(raw[:size])
        if size >= whole:
            found = open_input(str(path), spool, Limits())
            assert [problem.kind for problem in found.problems] == ["archive"]
            continue
        with pytest.raises(InputError) as caught:
            open_input(str(path), spool, Limits())
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_the_truncated_member_is_named(sample: Sample, tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(Path(sample("crane-tarball")).read_bytes()[:4000])
    assert refused(path, spool) == (
        "truncated: 86cbdd3b3e434d146bc3f7dc2a4a9d266f08da47f68ee7cb4fead31171b262fe.tar.gz "
        "should hold 10958 bytes, 1952 are there"
    )


def test_damage_between_members(sample: Sample, tmp_path: Path, spool: Spool) -> None:
    raw = bytearray(Path(sample("crane-legacy")).read_bytes())
    raw[1536 + 20] ^= 1
    path = tmp_path / "damaged.tar"
    path.write_bytes(bytes(raw))
    assert refused(path, spool) == (
        "damaged after f830521d2c80465a14ea4eab39087768f79c243b5c418563d09976b906d1ce5f.json: "
        "no tar header, or its checksum is wrong (at offset 1536)"
    )


def test_links_are_followed(tar_of: TarOf, spool: Spool) -> None:
    path = tar_of(
        {
            f"{HEX}.tar": b"content",
            "A/layer.tar": link(f"../{HEX}.tar"),
            "B/layer.tar": link("./../A/./layer.tar"),
            "C/layer.tar": link("B/layer.tar", tarfile.LNKTYPE),
            "D": link("A"),
        }
    )
    store = open_store(path, spool, Limits())
    for name in (f"{HEX}.tar", "A/layer.tar", "B/layer.tar", "C/layer.tar", "./A/layer.tar"):
        blob = store.find(name)
        assert blob is not None
        assert blob.read() == b"content"
    assert store.find("D/layer.tar") == store.find(f"{HEX}.tar")
    assert store.find("absent") is None
    assert list(store.names) == [f"{HEX}.tar"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"A/layer.tar": link("B"), "B": link("A/layer.tar")}, "which is absent"),
        ({"A/layer.tar": link("../B/layer.tar"), "B/layer.tar": link("../A/layer.tar")}, "never"),
        ({"A/layer.tar": link("layer.tar")}, "never ends"),
        ({"A/layer.tar": link("../../etc/passwd")}, "leads out of the archive"),
        ({"A/layer.tar": link("/etc/passwd")}, "leads out of the archive"),
        ({"A/layer.tar": link("../A/../../x")}, "leads out of the archive"),
        ({"A/layer.tar": link("../absent.tar")}, "which is absent"),
        ({"A/layer.tar": link("", tarfile.FIFOTYPE)}, "is a FIFO, where a file is expected"),
        ({"A/layer.tar": link("", tarfile.DIRTYPE)}, "is a directory, where a file is expected"),
    ],
)
def test_links_that_lead_nowhere(
    members: dict[str, tarfile.TarInfo], words: str, tar_of: TarOf, spool: Spool
) -> None:
    store = open_store(tar_of(members), spool, Limits())
    with pytest.raises(InputError, match=words):
        store.find("A/layer.tar")


def test_a_long_chain_of_links_ends(tar_of: TarOf, spool: Spool) -> None:
    members = {f"{n}/layer.tar": link(f"../{n + 1}/layer.tar") for n in range(30)}
    store = open_store(tar_of({**members, "30/layer.tar": b"x"}), spool, Limits())
    assert store.find("20/layer.tar") is not None
    with pytest.raises(InputError, match="never ends"):
        store.find("0/layer.tar")


def test_links_in_a_directory_stay_inside(tmp_path: Path, spool: Spool) -> None:
    root = tmp_path / "layout"
    (root / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "blobs" / "sha256" / "aa").write_bytes(b"inside")
    (root / "blobs" / "sha256" / "bb").symlink_to("../sha256/aa")
    (root / "blobs" / "sha256" / "cc").symlink_to("../../../secret")
    (root / "blobs" / "sha256" / "dd").symlink_to(tmp_path / "secret")
    (root / "blobs" / "sha512").symlink_to("sha256")
    store = open_store(str(root), spool, Limits())
    for name in ("blobs/sha256/aa", "blobs/sha256/bb", "blobs/sha512/bb"):
        blob = store.find(name)
        assert blob is not None
        assert blob.read() == b"inside"
    for name in ("blobs/sha256/cc", "blobs/sha256/dd", "../secret", "/etc/passwd"):
        with pytest.raises(InputError, match="leads out of the directory"):
            store.find(name)


def test_dialects_of_names_and_numbers(tmp_path: Path, spool: Spool) -> None:
    for dialect, length in (
        (tarfile.PAX_FORMAT, 64),
        (tarfile.GNU_FORMAT, 64),
        (tarfile.USTAR_FORMAT, 48),
    ):
        long = f"blobs/sha512/{'ab' * length}"
        path = tmp_path / "x.tar"
        with tarfile.open(path, "w", format=dialect) as archive:
            for name in (f"./{long}", "./oci-layout", "blobs/sha256/" + HEX):
                info = tarfile.TarInfo(name)
                info.size = 3
                archive.addfile(info, io.BytesIO(b"abc"))
        store = open_store(str(path), spool, Limits())
        assert set(store.names) == {long, "oci-layout", "blobs/sha256/" + HEX}


def test_pax_size_and_base_256(tmp_path: Path, spool: Spool) -> None:
    size = (8 << 30) + 1
    info = tarfile.TarInfo("blobs/sha256/" + HEX)
    info.size = size
    after = tarfile.TarInfo("index.json")
    for dialect in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / "big.tar"
        with open(path, "wb") as file:
            file.write(info.tobuf(dialect))
            file.seek(size + -size % 512, os.SEEK_CUR)
            file.write(after.tobuf(dialect) + bytes(1024))
        blob = open_store(str(path), spool, Limits()).find("blobs/sha256/" + HEX)
        assert blob is not None
        assert blob.size == size
        os.truncate(path, size)
        assert "should hold 8589934593 bytes" in refused(path, spool)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ((124, 136), b"\xff" * 12),  # negative, base-256
        ((124, 136), b"\x80" + b"\x7f" * 11),
        ((124, 136), b"99999999999\0"),
        ((124, 136), b"77777777777\0"),
        ((100, 108), b"\0\0\0\0zzzz"),
        ((148, 156), b"xxxxxxxx"),
        ((257, 265), b"ustar\x0000"),
    ],
)
def test_hostile_header_fields(
    field: tuple[int, int], value: bytes, tmp_path: Path, spool: Spool
) -> None:
    block = bytearray(tarfile.TarInfo("index.json").tobuf(tarfile.USTAR_FORMAT))
    block[slice(*field)] = value
    if field[0] != 148:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    path = tmp_path / "x.tar"
    path.write_bytes(bytes(block) + bytes(1024))
    try:
        open_store(str(path), spool, Limits())
    except InputError as error:
        assert str(error).isprintable()


def test_an_endless_extended_header_is_refused(tmp_path: Path, spool: Spool) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = b"x", 1 << 30
    path = tmp_path / "x.tar"
    with open(path, "wb") as file:
        file.write(tarfile.TarInfo("index.json").tobuf() + info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(2 << 30)
    assert "beyond the limit" in refused(path, spool)


def test_sparse_members_are_walked_over(tmp_path: Path, spool: Spool) -> None:
    block = bytearray(tarfile.TarInfo("blobs/sha256/" + HEX).tobuf(tarfile.GNU_FORMAT))
    block[156:157] = b"S"
    block[124:136] = b"%011o\0" % 3
    block[482] = 1
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path = tmp_path / "x.tar"
    data = b"abc".ljust(512, b"\0")
    path.write_bytes(bytes(block) + bytes(512) + data + tarfile.TarInfo("x.json").tobuf())
    store = open_store(str(path), spool, Limits())
    assert store.find("x.json") is not None
    with pytest.raises(InputError, match="is a sparse file"):
        store.find("blobs/sha256/" + HEX)


def test_the_last_of_two_members_counts(tmp_path: Path, spool: Spool) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for data in (b"first", b"second"):
            info = tarfile.TarInfo("index.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    blob = open_store(str(tmp_path / "x.tar"), spool, Limits()).find("index.json")
    assert blob is not None
    assert blob.read() == b"second"


def test_names_of_any_shape_are_found_when_asked_for(tar_of: TarOf, spool: Spool) -> None:
    store = open_store(tar_of({"my/config": b"c", "other": b"o", "x.json": b"{}"}), spool, Limits())
    store.require(["./my/config", "x.json"], Limits())
    blob = store.find("my/config")
    assert blob is not None
    assert blob.read() == b"c"


def test_a_plain_root_of_many_members_costs_no_memory(tmp_path: Path, spool: Spool) -> None:
    """50,000 members, headers only: they are counted, not kept."""
    path = tmp_path / "root.tar"
    block = bytearray(tarfile.TarInfo("usr/lib/node/00000000/package.json").tobuf())
    with open(path, "wb", buffering=1 << 20) as file:
        for number in range(50_000):
            block[13:21] = b"%08d" % number
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            file.write(block)
        file.write(bytes(1024))
    tracemalloc.start()
    store = open_store(str(path), spool, Limits())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert store.others == 50_000
    assert peak < 4 << 20


def test_too_many_parts_of_an_image(tmp_path: Path, spool: Spool) -> None:
    path = tmp_path / "x.tar"
    block = bytearray(tarfile.TarInfo("00000000.json").tobuf())
    with open(path, "wb", buffering=1 << 20) as file:
        for number in range(100_001):
            block[:8] = b"%08d" % number
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            file.write(block)
    assert refused(path, spool) == "more than 100000 members look like parts of an image"


def test_a_name_cannot_break_the_line(tmp_path: Path, spool: Spool) -> None:
    info = tarfile.TarInfo("evil\n\x1b[2J")
    info.size = 10
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT))
    assert refused(path, spool) == "truncated: evil\\x0a\\x1b[2J should hold 10 bytes, 0 are there"


def test_any_bytes_give_a_store_or_one_line(sample: Sample, tmp_path: Path, spool: Spool) -> None:
    import random

    raw = Path(sample("crane-tarball")).read_bytes()
    chance = random.Random(1)
    path = tmp_path / "x.tar"
    headers = [at for at in range(0, len(raw), 512) if raw[at + 257 : at + 262] == b"ustar"]
    for _ in range(2000):
        data = bytearray(raw)
        at = chance.choice(headers) + chance.randrange(512)
        data[at] = chance.randrange(256)
        block = at - at % 512
        if chance.random() < 0.8:  # with a right checksum, or nothing else is ever tried
            data[block + 148 : block + 156] = b" " * 8
            data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])
        path.write_bytes(bytes(data))
        try:
            store = open_store(str(path), spool, Limits())
            for name in ("manifest.json", *store.names):
                store.find(name)
        except InputError as error:
            assert str(error).isprintable()


def test_struct_of_a_store(sample: Sample, spool: Spool) -> None:
    store: Store = open_store(sample("buildkit-stagex-a"), spool, Limits())
    assert store.form_hint == "oci"
    assert not store.is_directory
    assert store.compression is None
    assert store.size == os.path.getsize(sample("buildkit-stagex-a"))
    assert store.tail is not None
    assert store.tail.read() == bytes(1024)
    member = store.members[-1]
    assert member.name == "oci-layout"
    assert member.header is not None
    assert struct.unpack("8s", member.header.read(257, 8)) == (b"ustar\x0000",)
    assert member.padding is not None
    assert (member.content.size + member.padding.size) % 512 == 0
