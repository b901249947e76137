"""The laws that every format keeps, on the artefacts of real tools in fixtures/artefacts."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.recipes.formats import folders, format_of, sides
from sxdiff.formats.catalogue import FORMATS, TEXTS
from sxdiff.model import Difference, Node
from tests.look import Look, differences, looking
from tests.sample import so_many

FOLDERS = folders()
FLIPS = so_many(12, sys.maxsize)
"""Bytes flipped of each artefact; `make thorough` flips every one."""


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


def per_folder() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def untold(found: list[Difference]) -> list[Difference]:
    return [one for one in found if not one.bytes or one.derived]


@per_folder()
def test_a_pair_is_told_by_its_format(look: Look, folder: Path) -> None:
    a, b = sides(folder)
    node = look(a, b)
    assert isinstance(node, Node)
    assert node.format == format_of(folder)
    assert not node.problems
    found = list(differences(node))
    assert any(not one.derived for one in found)
    there = [_swapped(one) for one in found]
    back = [(one.kind, one.where, one.derived, one.a, one.b) for one in differences(look(b, a))]
    assert sorted(map(repr, there)) == sorted(map(repr, back))


def _swapped(one: Difference) -> tuple[object, ...]:
    """The difference as the other direction must tell it."""
    kind = one.kind
    for this, other in ((".only_in_a", ".only_in_b"), (".only_in_b", ".only_in_a")):
        if one.kind.endswith(this):
            kind = one.kind.removesuffix(this) + other
    return kind, one.where, one.derived, one.b, one.a


@per_folder()
def test_flipped_bytes_are_told(look: Look, folder: Path) -> None:
    """Law 2: no byte changes unseen, and what changes alone is no consequence."""
    data = sides(folder)[0].read_bytes()
    for at in sorted(random.Random(folder.name).sample(range(len(data)), min(FLIPS, len(data)))):
        flipped(look, data, at)


def flipped(look: Look, data: bytes, at: int) -> None:
    """Flip one bit of the byte at `at`, and see it told."""
    other = bytearray(data)
    other[at] ^= 1
    found = list(differences(look(data, bytes(other))))
    assert sum(one.bytes for one in found) > 0, at
    assert not all(one.derived for one in found), at


@per_folder()
def test_damaged_copies_are_told(look: Look, folder: Path) -> None:
    """Law 6: any bytes at all give parts or FormatError, which is a problem of the node."""
    data = sides(folder)[0].read_bytes()
    for damaged in damages(data, random.Random(folder.name)):
        if damaged != data:
            assert sum(one.bytes for one in differences(look(data, damaged))) > 0


def damages(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Copies cut off, and with some bytes overwritten, anywhere."""
    for _ in range(so_many(5, 12)):
        yield data[: chance.randrange(len(data))]
    for _ in range(so_many(11, 25)):
        other = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(len(data))
            size = chance.choice((1, 2, 4, 8))
            other[at : at + size] = chance.choice(
                (b"\xff" * size, bytes(size), chance.randbytes(size))
            )
        yield bytes(other[: len(data)])


def test_every_format_has_an_artefact() -> None:
    known = {one.name for one in (*FORMATS, *TEXTS)}
    assert {format_of(folder) for folder in FOLDERS} == known
