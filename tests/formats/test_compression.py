"""Packed streams, made by the real tools on the run: one change, one place; whole files only."""

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sxdiff.formats.catalogue import sniff
from sxdiff.formats.compression.lz4 import unpack_block
from sxdiff.formats.compression.zlib import Zlib
from sxdiff.model import Blob, FormatError, LimitError, Limits, Member, Node
from tests.look import Look, differences, looking, told
from tests.tools import run, want

Pack = Callable[..., bytes]

TOOLS = {
    "gzip": ("gzip", "-n"),
    "xz": ("xz", "-T1"),
    "lzma": ("lzma",),
    "lzip": ("lzip",),
    "bzip2": ("bzip2",),
    "zstd": ("zstd", "-q"),
    "lz4": ("lz4", "-q"),
}
LINES = "".join(f"{number}\n" for number in range(3000)).encode()
CHANGED = LINES.replace(b"\n1500\n", b"\nOne\n")
ONE_LINE = [("text", ("content",), "1500\n", "One\n")]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    def packed(data: bytes, *words: str) -> bytes:
        want(words[0])
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes(data)
        run("sh", "-c", f"{' '.join(words)} -c <{source} >{target}")
        return target.read_bytes()

    return packed


def per_tool() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", TOOLS)


@per_tool()
def test_only_the_content_is_a_root(look: Look, pack: Pack, name: str) -> None:
    node = look(pack(LINES, *TOOLS[name]), pack(CHANGED, *TOOLS[name]))
    assert isinstance(node, Node)
    assert node.format == name
    assert told(node) == ONE_LINE
    assert told(node, derived=True)


@per_tool()
def test_streams_one_after_the_other_are_one_content(look: Look, pack: Pack, name: str) -> None:
    one, other = pack(LINES, *TOOLS[name]), pack(CHANGED, *TOOLS[name])
    node = look(one + one, one + other)
    if name == "lzma":  # has no magic number, so that only the first is its stream
        assert [row[1] for row in told(node)] == [("trailing", "content")]
    else:
        assert told(node) == ONE_LINE


@per_tool()
def test_empty_content(look: Look, pack: Pack, name: str) -> None:
    node = look(pack(b"", *TOOLS[name]), pack(b"some\n", *TOOLS[name]))
    assert isinstance(node, Node)
    assert node.format == name
    assert ("content",) in [one.where for one in differences(node) if not one.derived]


@per_tool()
def test_what_lies_behind_the_last_stream(look: Look, pack: Pack, name: str) -> None:
    stream = pack(LINES, *TOOLS[name])
    node = look(stream + b"one\n", stream + b"two\n")
    assert told(node) == [("text", ("trailing",), "one\n", "two\n")]


@per_tool()
def test_cut_short(look: Look, pack: Pack, name: str) -> None:
    stream = pack(LINES, *TOOLS[name])
    node = look(stream, stream[: len(stream) // 2])
    assert isinstance(node, Node)
    if name != "lzma":  # no magic number: half a stream of it is not known for certain
        assert [problem.kind for problem in node.problems] == ["format"]


@per_tool()
def test_bombs(tmp_path: Path, pack: Pack, name: str) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(pack(bytes(1 << 20), *TOOLS[name]))
    blob = Blob(str(file), 0, file.stat().st_size)
    known = sniff(blob.read(0, 36 << 10), blob.size)
    assert known and known.name == name
    with pytest.raises(LimitError):
        for part in known.dissect(blob, Limits(member_bytes=1 << 16)):
            if isinstance(part, Member) and callable(part.content):
                assert sum(map(len, part.content())) > 0


def test_many_blocks(look: Look, pack: Pack) -> None:
    """A content that grows has one block more, which is no root."""
    words = ("xz", "-T1", "--block-size=2000")
    node = look(pack(LINES, *words), pack(LINES + b"and more\n" * 400, *words))
    assert [row[:2] for row in told(node)] == [("text", ("content",))]


def test_other_parameters(look: Look, pack: Pack) -> None:
    node = look(pack(LINES, "bzip2", "-1"), pack(LINES, "bzip2", "-9"))
    assert told(node) == [("bzip2.level", (), 1, 9)]
    node = look(pack(LINES, "xz", "-6"), pack(LINES, "xz", "-9"))
    assert told(node)[0][:2] == ("xz.filters", ())


def test_zstd_skippable_frames(look: Look, pack: Pack) -> None:
    frame = pack(LINES, "zstd", "-q")
    skipped = [b"\x50\x2a\x4d\x18\4\0\0\0" + word + frame for word in (b"one\n", b"two\n")]
    node = look(*skipped)
    assert told(node) == [("text", ("skippable frame 1",), "one\n", "two\n")]


def test_zlib(look: Look) -> None:
    assert told(look(zlib.compress(LINES), zlib.compress(CHANGED))) == ONE_LINE
    node = look(zlib.compress(b"text", 1), zlib.compress(b"text", 9))
    assert told(node) == [("zlib.level", (), "fastest (0x01)", "maximum (0xda)")]


@pytest.mark.parametrize(
    "head",
    [b"x\x9c", b"x\x9c" + bytes(100), b"x\x9cplain text that goes on", b"\x78\x01" * 30_000],
)
def test_what_is_no_zlib(head: bytes) -> None:
    assert not Zlib().recognises(head)


@pytest.mark.parametrize("extra", [b"\0", b"more"])
def test_zlib_with_more_behind_is_not_guessed(extra: bytes) -> None:
    assert Zlib().recognises(zlib.compress(LINES))
    assert not Zlib().recognises(zlib.compress(LINES) + extra)


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (b"\x40text", b"text"),
        (b"\x14a\1\0\x50aaaaa", b"a" * 14),  # a match of 8 bytes that lie one byte back
        (b"\x0f\2\0\1\x10z", b"xyxyxyxyxyxyxyxyxyxyz"),  # into the history
    ],
)
def test_lz4_blocks(block: bytes, content: bytes) -> None:
    """doc/lz4_Block_format.md: literals, matches that overlap themselves, matches into before."""
    assert unpack_block(block, 64, b"..xy") == content


@pytest.mark.parametrize("block", [b"", b"\x40tex", b"\x14a\0\0", b"\x14a\x09\0", b"\xf0\xff\xff"])
def test_damaged_lz4_blocks(block: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_block(block, 64)
