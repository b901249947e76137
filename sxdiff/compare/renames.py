"""Which names on one side only go together: by the rest of the name, or by similar content.

A name may hold what every build makes anew (a digest, a version, a date, a process id), and a
file may have moved and changed at once. Both are told as a rename, and then compared.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import TypeAlias
from zlib import crc32

from sxdiff.model import Blob

MOST = 256
"""Names on one side only up to which contents are looked at for what is similar."""
LARGEST = 32 << 20
"""Bytes of a content of which a sketch is made; of a larger one the start."""
SKETCH = 256
"""Pieces that stand for a content."""
ALIKE = 50
"""Per cent of pieces in common from which two contents are similar."""
ALIKE_NAMED = 20
"""The same for two names made of build-ids. Most of a debug file is compressed: there only the
names of symbols are left to be alike."""

Sketch: TypeAlias = tuple[int, ...]
"""The smallest digests of a content's pieces, sorted (min-wise hashing, A. Broder 1997)."""

_CHUNK = 1 << 20
_PIECE = re.compile(rb"[^\0\n]{4,}")
_COMPRESSED = re.compile(rb"\.(?:gz|xz|zst|bz2|lz4|lzma|lz|br|Z)$")
_BUILD_ID = re.compile(rb"(?:(?<=/)|^)(\.build-id/)[0-9a-f]{2}/[0-9a-f]{6,126}(?=(?:\.debug)?$)")
"""What gdb and elfutils look files up by (gdb, "Separate Debug Files")."""
_VARYING = re.compile(
    # a digest or random suffix of hex digits, base 32 or 64 as tools put them in names, digits
    rb"(?<![0-9A-Za-z])(?:[0-9a-f]{6,}|(?=[0-9A-Za-z_]*[0-9])(?=[0-9A-Za-z_]*[A-Za-z])[0-9A-Za-z_]{8,})"
    rb"(?![0-9A-Za-z])|17h[0-9a-f]{16}E?"
    # what mktemp appends
    rb"|(?<=[._-])(?=[0-9A-Za-z]*[A-Z0-9])(?=[0-9A-Za-z]*[a-z])[0-9A-Za-z]{6,12}$|[0-9]+"
)


def without_varying(path: bytes) -> bytes:
    """A path without what builds make anew: digests, versions, numbers, a compression suffix."""
    return without_build_id(path) or _VARYING.sub(b"#", _COMPRESSED.sub(b"", path))


def without_build_id(path: bytes) -> bytes | None:
    """A path without the build-id that it is made of; None where it is made of none."""
    rest, found = _BUILD_ID.subn(rb"\1#", path)
    return rest if found else None


def sketch(blob: Blob) -> Sketch:
    """The sketch of a content. Its pieces end at line ends and zero bytes, so that what is
    inserted moves no others."""
    digests: set[int] = set()
    rest = b""
    for at in range(0, min(blob.size, LARGEST), _CHUNK):
        data = rest + blob.read(at, min(_CHUNK, blob.size - at))
        pieces = _PIECE.findall(data)
        rest = pieces.pop()[-_CHUNK:] if pieces and data.endswith(pieces[-1]) else b""
        digests.update(map(crc32, pieces))
        if len(digests) > 64 * SKETCH:
            digests = set(nsmallest(SKETCH, digests))
    if rest:
        digests.add(crc32(rest))
    return tuple(nsmallest(SKETCH, digests))


def similarity(a: Sketch, b: Sketch) -> int:
    """Per cent of pieces that two contents have in common, estimated from their sketches."""
    union = nsmallest(SKETCH, {*a, *b})
    common = {*a} & {*b}
    return 100 * sum(number in common for number in union) // len(union) if union else 0


@dataclass(frozen=True, slots=True)
class Lone:
    """A name on one side only. `group` holds what must be equal beside the name (a type)."""

    name: bytes
    group: Hashable = None
    sketch: Sketch = ()


def matches(a: Sequence[Lone], b: Sequence[Lone]) -> list[tuple[int, int, int]]:
    """Places in `a` and `b` that go together, with their similarity in per cent.

    First names that are one but for their varying parts, where each side has just one such;
    then names that are one but for a build-id, where each content is the other's most similar;
    then the most similar contents, if at least `ALIKE` per cent are. The same for swapped sides.
    """
    out: list[tuple[int, int, int]] = []
    ours, theirs = _by_rest(a), _by_rest(b)
    for rest, places in ours.items():
        others = theirs.get(rest, [])
        if len(places) == len(others) == 1:
            one, two = places[0], others[0]
            out.append((one, two, similarity(a[one].sketch, b[two].sketch)))
    taken = {one for one, _, _ in out}, {two for _, two, _ in out}
    for one, two, alike in _by_build_id(a, b, taken):
        taken[0].add(one)
        taken[1].add(two)
        out.append((one, two, alike))
    drawn = [
        [(place, each) for place, each in enumerate(side) if each.sketch and place not in gone]
        for side, gone in zip((a, b), taken, strict=True)
    ]
    found = []
    for one, left in drawn[0]:
        for two, right in drawn[1]:
            if left.group != right.group:
                continue
            score = similarity(left.sketch, right.sketch)
            if score >= ALIKE:
                found.append((-score, sorted((left.name, right.name)), one, two))
    for score, _, one, two in sorted(found):
        if one not in taken[0] and two not in taken[1]:
            taken[0].add(one)
            taken[1].add(two)
            out.append((one, two, -score))
    return sorted(out)


def _by_rest(lone: Sequence[Lone]) -> dict[Hashable, list[int]]:
    out: dict[Hashable, list[int]] = {}
    for place, one in enumerate(lone):
        out.setdefault((one.group, without_varying(one.name)), []).append(place)
    return out


def _by_build_id(
    a: Sequence[Lone], b: Sequence[Lone], taken: tuple[set[int], set[int]]
) -> list[tuple[int, int, int]]:
    """Names that are one but for a build-id, of which each is more similar to the other than to
    any third: in doubt neither goes with anything."""
    groups: list[dict[Hashable, list[int]]] = [{}, {}]
    for side, lone in enumerate((a, b)):
        for place, one in enumerate(lone):
            rest = without_build_id(one.name)
            if rest is not None and one.sketch and place not in taken[side]:
                groups[side].setdefault((one.group, rest), []).append(place)
    out = []
    for key, ours in groups[0].items():
        theirs = groups[1].get(key, [])
        scores = {
            (left, right): similarity(a[left].sketch, b[right].sketch)
            for left in ours
            for right in theirs
        }
        rivals: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
        for pair, score in scores.items():
            for side in (0, 1):
                rivals[side].setdefault(pair[side], []).append(score)
        for pair, score in scores.items():
            both = rivals[0][pair[0]], rivals[1][pair[1]]
            if score >= ALIKE_NAMED and all(
                score == max(each) and each.count(score) == 1 for each in both
            ):
                out.append((*pair, score))
    return out
