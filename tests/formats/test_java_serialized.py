"""Serialized Java objects: no class is loaded, every element is told, times by their fields."""

from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.data.java_serialized import JavaSerialized
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Node
from tests.look import Look, looking

DATA = sides(ARTEFACTS / "java_serialized")[0].read_bytes()
HEAD = b"\xac\xed\0\5"


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def parts(data: bytes, path: Path) -> list[Fact | Member]:
    path.write_bytes(data)
    return list(JavaSerialized().dissect(Blob(str(path), 0, len(data)), Limits()))


def test_every_element_is_told_in_words(tmp_path: Path) -> None:
    _, member = parts(DATA, tmp_path / "ser")
    assert isinstance(member, Member)
    assert isinstance(member.content, Blob)
    assert isinstance(member.inside, Listing)
    rows = list(member.inside.rows(member.content))
    ends = [0, *(sum(row.at) for row in rows)]
    assert [row.at[0] for row in rows] == ends[:-1]
    assert ends[-1] == len(DATA) - len(HEAD)
    told = [(row.text, row.label) for row in rows]
    for row in (
        ("int count = 7", "below/count"),
        ("boolean flag = 1", "below/flag"),
        ("byte tiny = 3", "below/tiny"),
        ("short small = -2", "below/small"),
        ("double ratio = 0.5", "below/ratio"),
        ("long size = 1099511627776", "below/size"),
        ("int 1, 2, 3, 4, 5, 6, 7, 8", "below/numbers"),
        ("string 'PROGRAM'", "below/mixed"),
        ("java.time.Instant at = 1700000000.000000005", "at"),
        ("java.util.Date expires = 1800000000000", "expires"),
        ("reference to 'demo'", "name"),
        ("reference to object of java.util.ArrayList #1", ""),
        ("reset", ""),
    ):
        assert row in told


def test_a_date_is_a_time_where_nothing_says_otherwise(look: Look) -> None:
    a, b = (path.read_bytes() for path in sides(ARTEFACTS / "java_serialized"))
    node = look(a, b)
    assert isinstance(node, Node)
    assert node.verified
    (found,) = node.differences
    assert [(claim.cause, claim.needs) for claim in found.claims] == [
        ("timestamp-binary-epoch", "")
    ]
    expires = (1_800_000_000_000).to_bytes(8, "big")
    assert expires in b
    other = look(a, b.replace(expires, (1_790_000_000_000).to_bytes(8, "big")))
    assert isinstance(other, Node)
    weak = [claim.needs for one in other.differences for claim in one.claims if one != found]
    assert weak == ["anchor"]
    worse = look(a, b.replace(b"demo", b"Demo"))
    assert isinstance(worse, Node)
    assert not worse.verified


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"q\0\x7e\0\0", "reference to nothing"),
        (b"t\0\1xsq\0\x7e\0\0", "reference to no class"),
        (b"\x60", "no element"),
        (b"x", "no element"),
        (b"ur\0\2[I" + bytes(8) + b"\2\0\0xp\x7f\xff\xff\xff", "lie outside"),
        (b"sr\0\1A" + bytes(8) + b"\4\0\0xp", "only its class can read"),
        (b"sr\0\1A" + bytes(8) + b"\2\0\1Q\0\1x", "no type"),
        # a class above itself
        (b"sr\0\1A" + bytes(8) + b"\2\0\0xq\0\x7e\0\0", "above itself"),
    ],
)
def test_what_breaks_the_grammar_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parts(HEAD + data, tmp_path / "ser")


def test_objects_nested_without_end_are_given_up(tmp_path: Path) -> None:
    array = b"ur\0\2[L" + bytes(8) + b"\2\0\0xp\0\0\0\1"
    with pytest.raises(LimitError, match="deep"):
        parts(HEAD + array * 3000, tmp_path / "ser")
