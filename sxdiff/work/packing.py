"""How inputs and layers are packed: unpacking the former, and what compression, headers, encoder
and padding of the latter say differently."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sxdiff.formats.tar import BLOCK
from sxdiff.image.outer import Outer
from sxdiff.model import Blob, Difference, Fact, Limits, Value
from sxdiff.wire import blob_to_json, facts_of
from sxdiff.work.layers import ReadLayer
from sxdiff.work.pool import NoAnswerError, Pool

_GNU_RECORD = 20 * BLOCK


def unpack_input(pool: Pool, name: str, packed: Blob) -> tuple[Blob, Outer]:
    """An input without the compression around it: a worker takes that off."""
    (found,) = pool.all([{"task": "unpack", "name": name, "blob": blob_to_json(packed)}])
    outer = Outer(found["compression"], tuple(facts_of(found)))
    return Blob(found["path"], 0, found["size"]), outer


def packed_differences(
    pool: Pool, a: ReadLayer, b: ReadLayer, limits: Limits, problem: Callable[[str, str], None]
) -> Iterator[Difference]:
    """How two blobs are packed differently: compression, header fields, encoder. `problem` is told
    what could not be found out, and what follows."""
    one, other = a.scanned, b.scanned
    if a.packing != b.packing:
        yield Difference("layer.packing", Value(a.packing), Value(b.packing), bytes=1)
    if one["compression"] != other["compression"]:
        values = (Value(one["compression"]), Value(other["compression"]))
        yield Difference("layer.compression", *values, bytes=1)
        return
    yield from _fact_differences(facts_of(one), facts_of(other))
    if one["digest"] == other["digest"] or one["diff_id"] != other["diff_id"]:
        return  # other content: that the packed bytes differ follows
    made_by = []
    task = {"task": "encoder", "name": "packing it anew", "cpu_seconds": limits.look_seconds}
    for answer in pool.answers([task | {"blob": blob_to_json(read.blob)} for read in (a, b)]):
        if isinstance(answer, NoAnswerError):
            problem(str(answer), "what packed it is not known")
        elif isinstance(answer, Exception):
            raise answer
        made_by.append(None if isinstance(answer, Exception) else answer)
    made = [
        Value(
            f"{said or 'packed'}, {read.blob.size} bytes",
            size=read.blob.size,
            digest=read.digest,
        )
        for said, read in zip(made_by, (a, b), strict=True)
    ]
    if made[0].value == made[1].value:
        made = [replace(one, value=f"{one.value}, {one.digest}") for one in made]
    size = max(a.blob.size, b.blob.size)
    yield Difference("layer.encoder", made[0], made[1], bytes=size)


def end_difference(a: ReadLayer, b: ReadLayer) -> Difference:
    """What stands behind the last member, where it differs."""
    spans = [tuple(read.scanned["end"]) for read in (a, b)]
    # GNU tar fills the archive up to 10,240 bytes: how much that takes follows from its members
    filled = all(
        read.scanned["unpacked"] % _GNU_RECORD == 0
        and read.scanned["end_told"].endswith("zero bytes")
        and read.scanned["end"][1] < _GNU_RECORD + 2 * BLOCK
        for read in (a, b)
    )
    return Difference(
        "layer.padding",
        Value(a.scanned["end_told"], at=(spans[0][0], spans[0][1])),
        Value(b.scanned["end_told"], at=(spans[1][0], spans[1][1])),
        bytes=abs(spans[0][1] - spans[1][1]) or 1,
        derived=filled and spans[0][0] != spans[1][0],
    )


def _fact_differences(a: list[Fact], b: list[Fact]) -> Iterator[Difference]:
    """Packing facts pair by kind and name."""
    left = {(fact.kind, fact.name): fact for fact in a}
    right = {(fact.kind, fact.name): fact for fact in b}
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key), right.get(key)
        if one and other and one.value == other.value:
            continue
        derived = bool((one and one.derived) or (other and other.derived))
        yield Difference(
            key[0],
            Value(one.value, at=one.at) if one else None,
            Value(other.value, at=other.at) if other else None,
            where=(key[1],) if key[1] else (),
            bytes=max(fact.at[1] if fact and fact.at else 1 for fact in (one, other)),
            derived=derived,
        )


def compression_said(media_type: str) -> str | None:
    """The compression that a layer's media type promises; None where it promises nothing."""
    if media_type.endswith(("+gzip", ".tar.gzip")):
        return "gzip"
    if media_type.endswith("+zstd"):
        return "zstd"
    return "none" if media_type.endswith((".tar", ".v1.tar")) else None


def same_family(a: str, b: str) -> bool:
    """Are two media types the same but for the compression?"""
    endings = ("+gzip", "+zstd", ".gzip")
    for ending in endings:
        a, b = a.removesuffix(ending), b.removesuffix(ending)
    return a == b
