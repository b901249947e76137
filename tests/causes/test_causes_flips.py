"""Law 2 for causes: what is explained hides nothing. Bits are flipped in pairs that are explained
as a whole: then something is unexplained, unless the flip lies in a value that varied, or in what
no one can recompute from one side (`ASSUMED`)."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from sxdiff.compare.closer import is_explained
from sxdiff.model import Node
from tests.look import Look, differences, looking

PAIRS = Path(__file__).parent.parent.parent / "fixtures" / "causes" / "pairs"
FLIPS = int(os.environ.get("SXDIFF_CAUSE_FLIPS", "3"))
"""Flips in each file; `make thorough` tries many more."""
LARGEST = 40_000
"""Bytes of a file that is tried: larger ones take long and are of the same formats."""

ASSUMED = frozenset(
    {
        "elf.note.build_id",  # computed over what was stripped later, too
        "elf.debuglink.crc",  # of another file
        "gzip.deflate",  # another content, which is looked into, has other packed bytes
        "zip.deflate",
        "xz.block_data",
        "x509.signature",  # of a key that is not there
        "pem.body",  # the same bytes, in letters
        "elf.relocation.layout",  # where another length moved places
        "ldconfig_aux_cache.table",
        "pdf.xref",
        "gdbm.blocks",  # what a hash table has left unused
    }
)
"""Kinds of consequences that one file cannot prove."""


def _pairs() -> Iterator[tuple[str, Path, Path]]:
    for recipe in sorted(PAIRS.iterdir()):
        for a in sorted((recipe / "a").rglob("*")):
            b = recipe / "b" / a.relative_to(recipe / "a")
            if a.is_symlink() or not a.is_file() or not b.is_file() or b.is_symlink():
                continue
            if a.stat().st_size <= LARGEST and a.read_bytes() != b.read_bytes():
                yield f"{recipe.name}/{a.name}", a, b


@pytest.mark.parametrize(("a", "b"), [pytest.param(a, b, id=name) for name, a, b in _pairs()])
def test_a_flipped_bit_is_never_explained(tmp_path: Path, a: Path, b: Path) -> None:
    compare: Look = looking(tmp_path)
    node = compare(a, b)
    if node is None or not (is_explained(node) and node.verified):
        return  # nothing is claimed of the whole
    data = b.read_bytes()
    chance = random.Random(str(a.relative_to(PAIRS)))
    for at in sorted(chance.sample(range(len(data)), min(FLIPS, len(data)))):
        flipped = bytearray(data)
        flipped[at] ^= 1 << chance.randrange(8)
        other = compare(a, bytes(flipped))
        if other is not None and is_explained(other) and other.verified:
            assert _is_excused(node, other), f"byte {at} of {b.name}"


def _is_excused(before: Node, after: Node) -> bool:
    """Whether the flip changed what varied anyway, or only what is assumed."""
    known = [*differences(before)]
    changed = [one for one in differences(after) if one not in known]
    return any(one.claims for one in changed) or all(one.kind in ASSUMED for one in changed)
