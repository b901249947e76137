"""Pickles of every protocol: nothing is made of them, every opcode is told, sets have no order."""

import pickle
import pickletools
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from sxdiff.formats.data.pickle import OPCODES, Pickle
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Node
from tests.look import Look, looking, told

PROTOCOLS = pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
SETS = pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
"""Before protocol 2 a list is filled one by one, and of one that was it is not known."""
WORDS = [f"word {number}" for number in range(400)]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def document(**more: object) -> dict[str, object]:
    """An object with something of everything."""
    shared = ["shared", 1.5, None]
    return {
        "numbers": [1, 300, 70000, -5, 1 << 40, -(1 << 70), 1 << 3000],
        "texts": ["", "é\n\\x0a", "x" * 300, b"", b"\0\xff", b"y" * 300, bytearray(b"z")],
        "flags": (True, False, None),
        "again": [shared, shared, (shared,)],
        "words": [*WORDS, *WORDS],
        "path": Path("/usr/lib"),
        "range": range(3),
        "frozen": frozenset({"only"}),
        "long": "l" * 70_000,
        **more,
    }


def test_the_table_is_that_of_pickletools() -> None:
    assert {chr(code): known.name for code, known in OPCODES.items()} == {
        known.code: known.name for known in pickletools.opcodes
    }


def members(data: bytes, path: Path) -> Iterable[Member | Fact]:
    path.write_bytes(data)
    return Pickle().dissect(Blob(str(path), 0, len(data)), Limits())


@PROTOCOLS
def test_opcodes_lie_where_pickletools_sees_them(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps(document(), protocol)
    assert Pickle().recognises(data[: 36 << 10])
    (member,) = members(data, tmp_path / "pickle")
    assert isinstance(member, Member)
    assert isinstance(member.content, Blob)
    rows = list(member.inside.rows(member.content))  # type: ignore[union-attr]  # a listing
    assert [row.at[0] for row in rows] == [
        at
        for known, _, at in pickletools.genops(data)
        if "PUT" not in known.name and known.name != "MEMOIZE"
    ]
    assert sum(row.at[1] for row in rows) == len(data)
    assert not any("bytes sha256" not in row.text and len(row.text) > 5000 for row in rows)


@PROTOCOLS
def test_a_time_is_told_with_its_key(look: Look, protocol: int) -> None:
    a, b = (pickle.dumps(document(built=float(at)), protocol) for at in (1768039200, 1773578096))
    node = look(a, b)
    assert isinstance(node, Node)
    assert node.verified
    (found,) = node.differences
    assert (found.symbol, [claim.cause for claim in found.claims]) == (
        "built",
        ["timestamp-binary-epoch"],
    )
    other = look(a, pickle.dumps(document(built=1773578096.0, flags=(True, True, None)), protocol))
    assert isinstance(other, Node)
    assert not other.verified


@SETS
def test_a_set_has_no_order_and_a_list_has(look: Look, protocol: int) -> None:
    """Orders as hash tables of two processes have them."""
    a, b = (
        subprocess.run(
            [sys.executable, "-c", f"import pickle, sys; sys.stdout.buffer.write({write})"],
            env={"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for write in [f"pickle.dumps([{{'north', 'east', 'south', 'west'}}, 'end'], {protocol})"]
        for seed in "12"
    )
    node = look(a, b)
    assert isinstance(node, Node)
    assert [row[0] for row in told(node)] == ["pickle.set.order"]
    assert node.verified
    worse = look(a, b.replace(b"north", b"North"))
    assert isinstance(worse, Node)
    assert not worse.verified
    names = ["north", "east", "south", "west"]
    ordered = look(pickle.dumps(names, protocol), pickle.dumps(names[::-1], protocol))
    assert isinstance(ordered, Node)
    assert not ordered.verified


@SETS
def test_what_is_taken_from_a_set_again_stays_the_same(look: Look, protocol: int) -> None:
    """The same place of the memo is another element where their order is another."""
    a = pickle.dumps([{"a", "b"}, "b", "a"], protocol)
    size = b"\1" if protocol > 3 else b"\1\0\0\0"
    b = bytearray(a)
    b[a.index(size + b"a") + len(size)], b[a.index(size + b"b") + len(size)] = b"ba"
    assert bytes(b) != a
    node = look(a, bytes(b))
    assert isinstance(node, Node)
    assert not node.verified
    assert ("pickle.references", ()) in [row[:2] for row in told(node)]


def test_another_value_of_the_memo_is_another_pickle(look: Look) -> None:
    one, two = [1], [2]
    a, b = (pickle.dumps([one, two, last], 4) for last in (one, two))
    node = look(a, b)
    assert isinstance(node, Node)
    assert not node.verified
    assert [row[0] for row in told(node)] == ["pickle.opcodes"]


@pytest.mark.parametrize(
    "data",
    [b"", b"(", b"copyright\n(c) me\n.", b"(l.", b"N.", b"\x80\x04", b"\x80\x06N.", b"}.", b"{}"],
)
def test_what_only_looks_like_it_is_not_taken(data: bytes) -> None:
    assert not Pickle().recognises(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x02]q\0h\x01.", "nothing in the memo"),
        (b"\x80\x02(NNN", "no STOP"),
        (b"\x80\x02.", "too few values"),
        (b"\x80\x02(.", "too few values"),
        (b"\x80\x02(u.", "no value"),
        (b"\x80\x02}(Nu.", "a key without a value"),
        (b"\x80\x04\x8e" + b"\xff" * 8 + b".", "argument lies outside"),
        (b"\x80\x02t.", "no mark"),
        (b"\x80\x02\xff.", "no opcode 0xff"),
        (b"\x80\x02cposix", "line without an end"),
    ],
)
def test_what_does_not_fit_together_is_an_error(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        list(members(data, tmp_path / "pickle"))


def test_any_opcodes_end(tmp_path: Path) -> None:
    """Law 6, on streams of opcodes in any order."""
    chance = random.Random(5)
    short = [code for code, known in OPCODES.items() if not known.argument]
    whole = 0
    for _ in range(3000):
        data = b"\x80\x04N" + bytes(chance.choices(short, k=12)) + b"."
        try:
            whole += len(list(members(data, tmp_path / "pickle"))) > 0
        except FormatError:
            continue
    assert whole > 10
