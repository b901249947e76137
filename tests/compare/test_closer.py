"""The laws of a closer look, on real artefacts: nothing unseen, sides swap, nothing raises."""

from dataclasses import replace
from pathlib import Path

import pytest

from sxdiff.model import Limits, Node, Problem
from tests.look import Look, differences, looking
from tests.sample import places

ARTEFACTS = Path(__file__).parent.parent / "artefacts"
EVERY_BYTE = ("small-powerpc.o", "small-static", "small-thin.a", "numbers.gz")
LIMITS = Limits()


@pytest.fixture
def compare(tmp_path: Path) -> Look:
    """`look` at two byte strings or files, under default or other limits."""
    return looking(tmp_path)


def kinds(node: Node | None) -> list[str]:
    return [difference.kind for difference in differences(node)]


def problems(node: Node | None) -> list[Problem]:
    if node is None:
        return []
    return [*node.problems, *(problem for child in node.nodes for problem in problems(child))]


@pytest.mark.parametrize("name", EVERY_BYTE)
def test_every_flipped_byte_is_told(compare: Look, name: str) -> None:
    """Law 2: no byte changes unseen, and what changes alone is no consequence."""
    data = (ARTEFACTS / name).read_bytes()
    for at in places(len(data), 3):
        flipped = bytearray(data)
        flipped[at] ^= 1
        found = list(differences(compare(data, bytes(flipped))))
        assert sum(difference.bytes for difference in found) > 0, at
        assert not all(difference.derived for difference in found), at


@pytest.mark.parametrize("name", [*EVERY_BYTE, "small-debug.o", "small-u.a"])
def test_truncated_anywhere_nothing_raises(compare: Look, name: str) -> None:
    """Law 6: any bytes at all give parts or FormatError, which is a problem of the node."""
    data = (ARTEFACTS / name).read_bytes()
    for size in range(0, len(data), 7):
        found = compare(data, data[:size])
        assert sum(difference.bytes for difference in differences(found)) > 0


@pytest.mark.parametrize(
    "name", sorted(path.name for path in ARTEFACTS.iterdir() if path.is_file())
)
def test_equal_bytes_have_no_tree(compare: Look, name: str) -> None:
    """Law 1."""
    assert compare(ARTEFACTS / name, (ARTEFACTS / name).read_bytes()) is None


PAIRS = [
    ("small-x86_64.o", "small-x86_64-b.o"),
    ("small-u.a", "small-d.a"),
    ("small-order.a", "small-d.a"),
    ("numbers.gz", "numbers-n.gz"),
    ("numbers-n.gz", "numbers-n1.gz"),
    ("small-x86_64.o", "small-debug.o"),
    ("small-x86_64.o", "small-d.a"),
    ("small-powerpc.o", "small-s390x.o"),
    ("make.sh", "numbers.gz"),
]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_swapped_sides_swap_the_tree(compare: Look, left: str, right: str) -> None:
    """Law 3."""
    there = list(differences(compare(ARTEFACTS / left, ARTEFACTS / right)))
    back = list(differences(compare(ARTEFACTS / right, ARTEFACTS / left)))
    assert len(there) == len(back) > 0
    for difference in back:
        other = {"only_in_a": "only_in_b", "only_in_b": "only_in_a"}
        family, _, last = difference.kind.rpartition(".")
        kind = f"{family}.{other.get(last, last)}" if family else last
        claims = tuple(replace(one, a=one.b, b=one.a) for one in difference.claims)
        told = replace(
            difference, kind=kind, a=difference.b, b=difference.a, diff=None, claims=claims
        )
        assert told in [replace(one, diff=None) for one in there]


def test_date_in_an_object(compare: Look) -> None:
    """A date is told as the string that holds it, at its place in the file, with its symbol."""
    node = compare(ARTEFACTS / "small-x86_64.o", ARTEFACTS / "small-x86_64-b.o")
    path, date = differences(node)
    assert (date.kind, date.where, date.bytes) == ("elf.section.content", (".rodata",), 1)
    assert date.a and date.b
    assert (date.a.value, date.b.value) == ("2026-01-01", "2026-01-02")
    data = (ARTEFACTS / "small-x86_64.o").read_bytes()
    assert date.a.at is not None
    assert data[date.a.at[0] :][: date.a.at[1]] == b"2026-01-01\0"
    assert date.symbol == "build_date"
    assert path.a and path.a.value == "/build/a/small.c"


def test_deterministic_archive(compare: Look) -> None:
    """`ar rcU` against `ar rcD`: header fields only, each under its member."""
    found = list(differences(compare(ARTEFACTS / "small-u.a", ARTEFACTS / "small-d.a")))
    assert {one.kind for one in found} <= {"ar.mtime", "ar.uid", "ar.gid", "ar.mode"}
    assert ("a_member_with_a_long_name.o",) in {one.where for one in found}


def test_order_of_members_is_one_difference(compare: Look) -> None:
    found = list(differences(compare(ARTEFACTS / "small-order.a", ARTEFACTS / "small-d.a")))
    assert [one.kind for one in found if not one.derived] == ["ar.order"]
    assert {one.kind for one in found if one.derived} == {"ar.symbols.order", "ar.symbols.layout"}


def test_gzip_header(compare: Look) -> None:
    """`gzip` against `gzip -n`: the deflate streams are equal."""
    node = compare(ARTEFACTS / "numbers.gz", ARTEFACTS / "numbers-n.gz")
    assert kinds(node) == ["gzip.flags", "gzip.mtime", "gzip.name"]


def test_gzip_level_alone_is_no_consequence(compare: Look) -> None:
    """Same content, other deflate stream: said as that, and it is what the stream follows from."""
    node = compare(ARTEFACTS / "numbers-n.gz", ARTEFACTS / "numbers-n1.gz")
    found = list(differences(node))
    assert [(one.kind, one.derived) for one in found] == [
        ("gzip.xfl", False),
        ("gzip.deflate", True),
        ("gzip.packing", False),
    ]


def test_gzip_content_is_the_root(compare: Look) -> None:
    import gzip

    sides = [gzip.compress(text, mtime=0) for text in (b"one\ntwo\n", b"one\n2wo\n")]
    node = compare(*sides)
    found = list(differences(node))
    assert [(one.kind, one.where) for one in found if not one.derived] == [("text", ("content",))]
    assert {one.kind for one in found if one.derived} == {"gzip.deflate", "gzip.crc32"}


def test_damaged_format_falls_back_to_bytes(compare: Look) -> None:
    data = (ARTEFACTS / "numbers.gz").read_bytes()
    node = compare(data, data[:-1])
    assert node is not None
    assert node.format == "bytes"
    (problem,) = node.problems
    assert (problem.kind, problem.resolution) == ("format", "compared as bytes")
    assert kinds(node) == ["file.content"]


def test_two_formats(compare: Look) -> None:
    node = compare(ARTEFACTS / "numbers.gz", ARTEFACTS / "small-d.a")
    (found,) = differences(node)
    assert found.kind == "file.format"
    assert found.a and found.b
    assert (found.a.value, found.b.value) == ("gzip", "ar")


def test_renamed_section_is_one_difference(compare: Look) -> None:
    """A name changed in the string table: not a section removed and one added."""
    data = (ARTEFACTS / "small-x86_64.o").read_bytes()
    found = list(differences(compare(data, data.replace(b"\0.comment\0", b"\0.Comment\0"))))
    assert [one.kind for one in found] == ["elf.renamed", "elf.strings"]


def test_differences_beyond_the_limit_are_counted(compare: Look) -> None:
    a = "".join(f"{number}\nsame {number}\n" for number in range(50))
    b = "".join(f"{number}!\nsame {number}\n" for number in range(50))
    node = compare(a.encode(), b.encode(), Limits(file_differences=10))
    found = list(differences(node))
    assert len(found) == 11
    assert found[-1].kind == "file.more"
    assert found[-1].a and found[-1].a.value == 40
    assert found[-1].bytes == 40
    assert [problem.kind for problem in problems(node)] == ["limit"]


def test_nested_too_deep_is_compared_as_bytes(compare: Look) -> None:
    import gzip

    one, two = b"one\n", b"two\n"
    for _ in range(3):
        one, two = gzip.compress(one, mtime=0), gzip.compress(two, mtime=0)
    node = compare(one, two, Limits(member_depth=2))
    assert [problem.kind for problem in problems(node)] == ["limit"]
    assert problems(compare(one, two)) == []


def test_a_program_that_became_a_script_is_one_difference(compare: Look) -> None:
    node = compare(ARTEFACTS / "small-static", b"#!/bin/sh\nexit 0\n")
    (found,) = differences(node)
    assert found.kind == "file.format"
    assert found.a and found.b
    assert (found.a.value, found.b.value) == ("elf", "text")


def test_a_member_with_another_version_in_its_name_is_a_rename(compare: Look) -> None:
    """Its content is compared, and what differs in it is told under it."""
    data = (ARTEFACTS / "small-d.a").read_bytes()
    other = data.replace(b"small.o/        ", b"smal1.o/        ").replace(
        b"2026-01-01", b"2026-01-07"
    )
    assert len(other) == len(data)
    found = [one for one in differences(compare(data, other)) if not one.derived]
    renamed = [one for one in found if one.kind == "ar.renamed"]
    assert [(one.where, one.similarity is not None) for one in renamed] == [(("smal1.o",), True)]
    assert ("elf.section.content", ("smal1.o", ".rodata")) in {
        (one.kind, one.where) for one in found
    }


def test_one_content_in_two_compressions(compare: Look) -> None:
    import bz2
    import gzip

    text = b"".join(b"line %d\n" % number for number in range(50))
    (found,) = differences(compare(gzip.compress(text, mtime=0), bz2.compress(text)))
    assert found.kind == "file.compression"
    both = list(differences(compare(gzip.compress(text, mtime=0), bz2.compress(text + b"more\n"))))
    assert [(one.kind, one.where) for one in both] == [
        ("file.compression", ()),
        ("text", ("content",)),
    ]
