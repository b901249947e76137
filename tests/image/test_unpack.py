"""Packed layers: every stream that tools write, damaged ones, and what is told of the packing."""

import bz2
import gzip
import hashlib
import lzma
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from isal import igzip
from zlib_ng import gzip_ng

from fixtures.packing import gzip as fixed_gzip
from fixtures.packing import zstd_skippable
from sxdiff.image import unpack
from sxdiff.image.encoder import fingerprint
from sxdiff.image.unpack import Unpacked, compression_of
from sxdiff.model import Blob, FormatError, LimitError, Limits
from tests.layers import blob_of

LIMITS = Limits()
STREAMS = Path(__file__).parent.parent.parent / "fixtures" / "streams"
RANDOM = random.Random(1)
NOISE = RANDOM.randbytes(1 << 20)
"""Does not pack at all."""
MIXED = b"".join(
    RANDOM.choice((b"the quick brown fox ", RANDOM.randbytes(7), bytes(90))) for _ in range(60_000)
)
SMALL = MIXED[:5000]


def zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(level=3, **options).compress(data)  # type: ignore[arg-type]


def streaming_zstd(data: bytes) -> bytes:
    """A frame that does not say its content's size."""
    packer = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    return packer.compress(data) + packer.flush()


def stored(path: Path, data: bytes) -> Blob:
    target = path / f"{hashlib.sha256(data).hexdigest()}.blob"
    target.write_bytes(data)
    return blob_of(target)


def unpacked(path: Path, data: bytes, limits: Limits = LIMITS) -> tuple[bytes, Unpacked]:
    """The whole content; checks that the observer sees every packed byte once, in order."""
    stream = Unpacked(stored(path, data), limits)
    seen: list[bytes] = []
    content = b"".join(stream.chunks(seen.append))
    assert b"".join(seen) == data
    assert stream.size == len(content)
    return content, stream


def facts(stream: Unpacked) -> dict[str, object]:
    return {f"{fact.kind} {fact.name}".strip(): fact.value for fact in stream.facts}


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "gzip": gzip.compress,
    "gzip of members": lambda data: b"".join(
        gzip.compress(data[at : at + 77_777]) for at in range(0, len(data) or 1, 77_777)
    ),
    "gzip of stored blocks": lambda data: gzip.compress(data, 0),
    "zstd": zstd,
    "zstd of unknown size": streaming_zstd,
    "zstd with a checksum": lambda data: zstd(data, write_checksum=True),
    "zstd of frames": lambda data: b"".join(
        zstd_skippable(b"x" * 99, 3) + zstd(data[at : at + 77_777])
        for at in range(0, len(data) or 1, 77_777)
    ),
    "xz": lambda data: lzma.compress(data, preset=0),
    "xz of streams": lambda data: lzma.compress(data[:999], preset=0) + lzma.compress(data[999:]),
    "bzip2": lambda data: bz2.compress(data, 1),
    "bzip2 of streams": lambda data: bz2.compress(data[:999]) + bz2.compress(data[999:]),
}


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("content", [b"", SMALL, MIXED, bytes(9 << 20), NOISE], ids=len)
def test_the_content_is_what_was_packed(tmp_path: Path, packing: str, content: bytes) -> None:
    found, stream = unpacked(tmp_path, PACKED[packing](content))
    assert found == content
    assert stream.compression == packing.split(maxsplit=1)[0]


@pytest.mark.parametrize("packing", PACKED)
def test_chunks_stay_small(tmp_path: Path, packing: str) -> None:
    """However well it packs: one chunk is never more than a megabyte."""
    stream = Unpacked(stored(tmp_path, PACKED[packing](bytes(20 << 20))), LIMITS)
    assert max(map(len, stream.chunks())) <= 1 << 20


@pytest.mark.parametrize("packing", [name for name in PACKED if name != "none"])
def test_a_cut_stream_is_an_error(tmp_path: Path, packing: str) -> None:
    data = PACKED[packing](SMALL)
    path = tmp_path / "cut"
    errors = 0
    for size in range(6, len(data), max(1, len(data) // 300)):
        path.write_bytes(data[:size])
        stream = Unpacked(blob_of(path), LIMITS)
        try:
            content = b"".join(stream.chunks())
        except FormatError:
            errors += 1
            continue
        # only between two streams is there a good end
        assert packing.endswith(("of streams", "of frames"))
        assert content in (SMALL[:999], b"")
    assert errors > 100


@pytest.mark.parametrize("packing", PACKED)
def test_a_changed_byte_gives_an_error_or_bytes(tmp_path: Path, packing: str) -> None:
    """Never another exception; and never wrong bytes where the stream has a checksum of them."""
    data = PACKED[packing](SMALL)
    checked = packing in ("gzip", "gzip of stored blocks", "zstd with a checksum", "xz", "bzip2")
    changes = random.Random(2)
    path = tmp_path / "changed"
    errors = 0
    for at in sorted({*range(min(40, len(data))), *changes.sample(range(len(data)), 150)}):
        changed = bytearray(data)
        changed[at] ^= 1 << changes.randrange(8)
        path.write_bytes(changed)
        stream = Unpacked(blob_of(path), LIMITS)
        try:
            content = b"".join(stream.chunks())
        except FormatError:
            errors += 1
            continue
        if checked and stream.compression != "none" and packing != "zstd with a checksum":
            assert content == SMALL, at
    assert errors or packing == "none"


def test_random_bytes_behind_a_magic_number_only_raise_format_errors(tmp_path: Path) -> None:
    changes = random.Random(3)
    for magic, _ in unpack.MAGIC:
        for size in (0, 1, 5, 20, 300, 70_000):
            path = tmp_path / "random"
            path.write_bytes(magic + changes.randbytes(size))
            with pytest.raises(FormatError):
                list(Unpacked(blob_of(path), LIMITS).chunks())


def test_compression_is_known_by_its_magic_number() -> None:
    for packing, pack in PACKED.items():
        assert compression_of(pack(SMALL)[:8]) == packing.split()[0]
    assert compression_of(zstd_skippable(b"")) == "zstd"
    assert compression_of(b"") == "none"


def test_every_field_of_a_gzip_header_is_a_fact(tmp_path: Path) -> None:
    extra, name, comment = b"AB\x02\0xy", "n\xefme".encode("latin-1"), b"why"
    header = struct.pack("<BBBBLBB", 0x1F, 0x8B, 8, 2 | 4 | 8 | 16, 0x12345678, 2, 3)
    header += struct.pack("<H", len(extra)) + extra + name + b"\0" + comment + b"\0"
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(SMALL) + packer.flush()
    data = header + body + struct.pack("<LL", zlib.crc32(SMALL), len(SMALL))
    content, stream = unpacked(tmp_path, data)
    assert content == SMALL
    assert facts(stream) == {
        "layer.gzip.flags": "0x1e",
        "layer.gzip.mtime": 0x12345678,
        "layer.gzip.xfl": 2,
        "layer.gzip.os": 3,
        "layer.gzip.extra": extra.hex(),
        "layer.gzip.name": "n\\xefme",
        "layer.gzip.comment": "why",
    }
    spans = {fact.kind.rpartition(".")[2]: fact.at for fact in stream.facts}
    for field, value in (("extra", struct.pack("<H", 6) + extra), ("name", name + b"\0")):
        at = spans[field]
        assert at
        assert data[at[0] : sum(at)] == value
    for size in range(len(header)):
        (tmp_path / "cut").write_bytes(data[:size] if size > 8 else data[:9])
        with pytest.raises(FormatError):
            list(Unpacked(blob_of(tmp_path / "cut"), LIMITS).chunks())
    assert "level" in (fingerprint(stored(tmp_path, data), LIMITS) or "")


@pytest.mark.parametrize("packing", ["gzip", "zstd", "xz", "bzip2"])
@pytest.mark.parametrize("trailing", [bytes(1), bytes(700_000), b"left behind", bytes(9) + b"x"])
def test_what_follows_the_last_stream_is_told(
    tmp_path: Path, packing: str, trailing: bytes
) -> None:
    data = PACKED[packing](SMALL)
    content, stream = unpacked(tmp_path, data + trailing)
    assert content == SMALL
    (fact,) = [fact for fact in stream.facts if fact.kind == f"layer.{packing}.trailing"]
    assert fact.at == (len(data), len(trailing))
    digest = hashlib.sha256(trailing).hexdigest()
    zeros = not trailing.strip(b"\0")
    what = "zeros" if zeros else f"{trailing[:32].hex()} (sha256:{digest})"
    assert fact.value == f"{len(trailing)} bytes: {what}"


def test_zstd_frames_tell_their_parameters(tmp_path: Path) -> None:
    """Checked against zstandard's own reading of the frame's header."""
    large = MIXED * 8
    for packed in (zstd(large, write_checksum=True), streaming_zstd(large), zstd(SMALL)):
        stream = unpacked(tmp_path, packed)[1]
        theirs = zstandard.get_frame_parameters(packed)
        found = facts(stream)
        assert found["layer.zstd.checksum"] == theirs.has_checksum
        spans = {fact.kind.rpartition(".")[2]: fact.at for fact in stream.facts}
        if spans.get("window"):
            assert found["layer.zstd.window"] == theirs.window_size
        if at := spans.get("content_size"):
            said = int.from_bytes(packed[at[0] : sum(at)], "little") + 256 * (at[1] == 2)
            assert found["layer.zstd.content_size"] == said == theirs.content_size
            assert sum(at) == zstandard.frame_header_size(packed)
        else:
            assert theirs.content_size == zstandard.CONTENTSIZE_UNKNOWN
    many = b"".join(zstd_skippable(bytes([n])) + zstd(bytes([n])) for n in range(20))
    found = facts(unpacked(tmp_path, many)[1])
    assert found["layer.zstd.frames"] == 20
    assert (
        found["layer.zstd.skippable skippable frame 16"] == f"9 bytes: {many[15 * 19 :][:9].hex()}"
    )
    assert found["layer.zstd.skippable frames in all"] == 20


def _zstd_zeros(blocks: int, *, window: int = 0x58, single: int | None = None) -> bytes:
    """A frame of run-length blocks, 128 KiB of zeros in four bytes each."""
    if single is None:
        head = b"\x28\xb5\x2f\xfd" + bytes([0, window])
    else:
        head = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", single)
    block = ((128 << 10) << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = ((128 << 10) << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return head + block * (blocks - 1) + last


def test_a_zstd_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "_EARLY_BYTES", 64 << 20)
    with pytest.raises(LimitError, match="unpacks to more than 10 times its size"):
        unpacked(tmp_path, _zstd_zeros(1000), Limits(expansion=10))


def test_a_window_beyond_what_zstd_itself_allows_is_an_error(tmp_path: Path) -> None:
    content, _ = unpacked(tmp_path, _zstd_zeros(3, window=(27 - 10) << 3))
    assert len(content) == 3 << 17
    for data in (_zstd_zeros(3, window=(28 - 10) << 3), _zstd_zeros(3, single=1 << 40)):
        with pytest.raises(LimitError, match="window"):
            unpacked(tmp_path, data)


def test_xz_that_wants_much_memory_is_an_error(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 << 20, "mode": lzma.MODE_FAST, "mf": 3}]
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    with pytest.raises(LimitError, match="wants over 134217728 bytes"):
        unpacked(tmp_path, packer.compress(SMALL) + packer.flush())


_PEAK = """
import resource, sys
from sxdiff.image.unpack import Unpacked
from sxdiff.model import Blob, FormatError, Limits
import os
path = sys.argv[1]
stream = Unpacked(Blob(path, 0, os.path.getsize(path)), Limits())
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, size = peak(), 0
try:
    for chunk in stream.chunks():
        size += len(chunk)
except FormatError as error:
    print(error, file=sys.stderr)
print(size, peak() - before)
"""


@pytest.mark.parametrize(
    ("kind", "size", "kilobytes"),
    [("gzip", 1 << 30, 12 << 10), ("zstd", 4 << 30, 40 << 10), ("frames", 1 << 17, 12 << 10)],
)
def test_memory_is_bounded_whatever_it_unpacks_to(
    tmp_path: Path, kind: str, size: int, kilobytes: int
) -> None:
    path = tmp_path / "bomb"
    if kind == "gzip":
        member = gzip.compress(bytes(64 << 20), mtime=0)
        path.write_bytes(member * (size // (64 << 20)))
    elif kind == "zstd":
        path.write_bytes(_zstd_zeros(size // (128 << 10)))
    else:
        path.write_bytes((zstd(b"x") + zstd_skippable(b"")) * size)
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, path], capture_output=True, text=True, check=True
    )
    found, more = map(int, done.stdout.split())
    assert found == size
    assert more < kilobytes


def _fetch(stream: Unpacked, wanted: list[tuple[int, int]]) -> Iterator[bytes]:
    pieces: dict[int, list[bytes]] = {index: [] for index in range(len(wanted))}
    order = []
    for index, chunk in stream.spans(wanted):
        pieces[index].append(chunk)
        order.append(index)
    assert order == sorted(order)
    yield from (b"".join(pieces[index]) for index in range(len(wanted)))


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("read_before", [True, False])
def test_spans_are_the_bytes_of_the_stream(tmp_path: Path, packing: str, read_before: bool) -> None:
    stream = Unpacked(stored(tmp_path, PACKED[packing](MIXED)), LIMITS)
    stream._seek_distance = 50_000
    if read_before:
        assert b"".join(stream.chunks()) == MIXED
        assert bool(stream._seek_points) == packing.startswith("gzip")
    choose = random.Random(packing)
    for count in (0, 1, 2, 7, 40):
        cuts = sorted(choose.randrange(len(MIXED) + 1) for _ in range(2 * count))
        wanted = [(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        assert list(_fetch(stream, wanted)) == [MIXED[at : at + size] for at, size in wanted]
    assert list(_fetch(stream, [(0, 0), (5, 0), (len(MIXED), 0)])) == [b"", b"", b""]
    with pytest.raises(FormatError):
        list(stream.spans([(len(MIXED) - 5, 6)]))


def test_seek_points_stay_few(tmp_path: Path) -> None:
    stream = Unpacked(stored(tmp_path, gzip.compress(MIXED * 40, 1)), LIMITS)
    stream._seek_distance = 20_000
    for _ in stream.chunks():
        assert len(stream._seek_points) <= 97
    at = len(MIXED) * 20 + 5
    assert list(_fetch(stream, [(at, 70_000)])) == [MIXED[5:70_005]]


def test_of_stored_blocks_only_what_is_proved_is_said(tmp_path: Path) -> None:
    """How zlib cuts them depends on its caller's buffers, so that a mismatch proves nothing."""
    packer = zlib.compressobj(0, wbits=31)
    small = packer.compress(SMALL) + packer.flush()
    assert (fingerprint(stored(tmp_path, small), LIMITS) or "").startswith("zlib level 0 (")
    assert fingerprint(stored(tmp_path, gzip.compress(MIXED, 0)), LIMITS) is None


@pytest.mark.parametrize("level", range(1, 10))
def test_the_encoder_is_proved_for_every_level_of_zlib(tmp_path: Path, level: int) -> None:
    data = gzip.compress(MIXED, level, mtime=0)
    said = fingerprint(stored(tmp_path, data), LIMITS)
    assert said is not None
    levels = said.removeprefix("zlib level ").partition(" (")[0].split(" or ")
    assert str(level) in levels
    for other in levels:
        assert gzip.compress(MIXED, int(other), mtime=0)[10:] == data[10:]
    assert "the whole stream" in said
    # what follows the member is another matter, as is who wrote its header
    assert fingerprint(stored(tmp_path, data + bytes(512)), LIMITS) == said


@pytest.mark.parametrize("level", [1, 9])
def test_the_encoder_is_proved_for_streams_that_lie_here(tmp_path: Path, level: int) -> None:
    """Made once and kept, so that it is not this machine's zlib twice."""
    deflate = (STREAMS / f"zlib-{level}.deflate").read_bytes()
    content = zlib.decompress(deflate, -15)
    said = fingerprint(stored(tmp_path, fixed_gzip(content, deflate=deflate)), LIMITS)
    assert said is not None
    assert str(level) in said.partition(" (")[0]


def test_another_encoder_is_not_taken_for_zlib(tmp_path: Path) -> None:
    assert fingerprint(stored(tmp_path, fixed_gzip(SMALL)), LIMITS) == "not zlib at any level"
    for data in (igzip.compress(MIXED), gzip_ng.compress(MIXED, 1)):  # type: ignore[no-untyped-call]
        assert fingerprint(stored(tmp_path, data), LIMITS) == "not zlib at any level"


def test_nothing_is_said_of_what_cannot_be_proved(tmp_path: Path) -> None:
    members = gzip.compress(MIXED[:9000]) + gzip.compress(MIXED[9000:])
    for data in (members, zstd(SMALL), SMALL, gzip.compress(SMALL)[:-9]):
        assert fingerprint(stored(tmp_path, data), LIMITS) is None


def test_the_fingerprint_of_a_long_stream_is_of_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sxdiff.image.encoder.WHOLE_BYTES", 1 << 20)
    said = fingerprint(stored(tmp_path, gzip.compress(MIXED * 3, 6)), LIMITS)
    assert said is not None
    assert "level 6" in said
    assert "its first" in said
