"""gzip: every optional field, several members, what lies behind, and bombs."""

import gzip
import zlib
from pathlib import Path

import pytest

from sxdiff.formats.compression.gzip import Gzip
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member


def parts(path: Path, data: bytes, limits: Limits | None = None) -> list[Fact | Member]:
    file = path / "x.gz"
    file.write_bytes(data)
    return list(Gzip().dissect(Blob(str(file), 0, len(data)), limits or Limits()))


def content(found: list[Fact | Member]) -> bytes:
    (member,) = [part for part in found if part.name == "content"]
    assert isinstance(member, Member) and callable(member.content)
    assert b"".join(member.content()) == b"".join(member.content())
    return b"".join(member.content())


def stream(data: bytes, flags: int = 0, fields: bytes = b"") -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    packed = deflater.compress(data) + deflater.flush()
    trailer = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\1\2\3" + fields + packed + trailer


def test_every_field(tmp_path: Path) -> None:
    """RFC 1952, 2.3: FEXTRA, FNAME, FCOMMENT, FHCRC in this order; spans leave no gap."""
    data = stream(b"text", 31, b"\3\0abcname\0comment\0\x12\x34")
    found = parts(tmp_path, data)
    values = {part.kind: part.value for part in found if isinstance(part, Fact)}
    assert values.pop("gzip.deflate")
    assert values == {
        "gzip.magic": "1f8b08",
        "gzip.flags": 31,
        "gzip.mtime": 1 << 24,
        "gzip.xfl": 2,
        "gzip.os": 3,
        "gzip.extra": "616263",
        "gzip.name": "name",
        "gzip.comment": "comment",
        "gzip.header_crc": "1234",
        "gzip.crc32": f"{zlib.crc32(b'text'):08x}",
        "gzip.isize": 4,
    }
    spans = [part.at for part in found if isinstance(part, Fact) and part.at]
    assert [sum(span) for span in spans[:-1]] == [at for at, _ in spans[1:]]
    assert sum(spans[-1]) == len(data)


def test_several_members_are_one_content(tmp_path: Path) -> None:
    """As gunzip gives them; what lies behind the last is a member of its own."""
    found = parts(tmp_path, stream(b"one ") + stream(b"two") + b"\0\0\0")
    assert content(found) == b"one two"
    sizes = [part for part in found if part.kind == "gzip.isize"]
    assert [part.value for part in sizes if isinstance(part, Fact)] == [4, 3]
    (trailing,) = [part for part in found if part.kind == "gzip.trailing"]
    assert trailing.at and trailing.at[1] == 3


def test_large_content_comes_in_chunks(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000
    assert content(parts(tmp_path, gzip.compress(data))) == data


@pytest.mark.parametrize("size", [10, 17, 20, -1, -8])
def test_cut_short(tmp_path: Path, size: int) -> None:
    with pytest.raises(FormatError):
        parts(tmp_path, stream(b"text" * 100)[:size])


def test_damaged_stream(tmp_path: Path) -> None:
    data = bytearray(stream(b"text" * 100))
    data[10] |= 6  # a block type that does not exist
    with pytest.raises(FormatError, match="damaged"):
        parts(tmp_path, bytes(data))


def test_limits(tmp_path: Path) -> None:
    data = gzip.compress(bytes(1 << 20))
    with pytest.raises(LimitError):
        parts(tmp_path, data, Limits(member_bytes=1 << 16))
    with pytest.raises(LimitError):
        parts(tmp_path, data, Limits(expansion=10))
