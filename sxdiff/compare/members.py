"""Two members of one path: what their tar headers say differently, and how."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sxdiff.compare.index import Members, Row
from sxdiff.compare.rootfs import OPAQUE, WHITEOUT, same_metadata
from sxdiff.formats import tar
from sxdiff.formats.tar import Header
from sxdiff.model import Difference, Fact, FormatError, Value, text_of

_DIALECT_FIELDS = ("mode", "uid", "gid", "size", "mtime", "devmajor", "devminor")
_NOT_IN_DIRECTORIES = ("tar.uname", "tar.gname", "tar.name", "tar.atime", "tar.ctime")
"""What a directory on disk does not say, or only says of the machine that it lies on."""


def described(row: Row) -> str:
    """A member in a few words: type, size, target."""
    directory, _, name = row.path.rpartition(b"/")
    if name == OPAQUE:
        return f"opaque marker: nothing of the layers below shows in {text_of(directory) or '/'!r}"
    if name.startswith(WHITEOUT) and name != WHITEOUT:
        victim = row.path[: len(directory) + bool(directory)] + name[len(WHITEOUT) :]
        return f"whiteout of {text_of(victim)!r}"
    return _type(row)


def _type(row: Row) -> str:
    kind = tar.TYPE_NAMES.get(row.type, f"type {text_of(row.type)!r}")
    if row.type == tar.REGULAR:
        return f"{kind}, {row.size} bytes"
    return f"{kind} to {text_of(row.link)}" if row.link and row.type in b"12" else kind


def hides_nothing(row: Row, below: Sequence[Members]) -> bool:
    """Whether a whiteout or an opaque marker has no effect on the layers below it."""
    directory, _, name = row.path.rpartition(b"/")
    if not name.startswith(WHITEOUT) or name == WHITEOUT:
        return False
    if name == OPAQUE:
        return not any(layer.holds_below(directory) for layer in below)
    victim = row.path[: len(directory) + bool(directory)] + name[len(WHITEOUT) :]
    return not any(layer.holds(victim) or layer.holds_below(victim) for layer in below)


def one_file(a_members: Members, a: Row, b_members: Members, b: Row) -> bool:
    """Whether a hard link on one side and a regular file on the other are the same file: in
    content, owner, mode, time and attributes, as they are when the layer is unpacked."""
    if {a.type, b.type} != {tar.REGULAR, tar.HARD_LINK}:
        return False
    files = [
        members.linked(row) if row.type == tar.HARD_LINK else row
        for members, row in ((a_members, a), (b_members, b))
    ]
    one, other = files
    if one is None or other is None or one.content is None or one.content != other.content:
        return False
    if one.type != tar.REGULAR or other.type != tar.REGULAR or one.size != other.size:
        return False
    try:
        return same_metadata(a_members.header(one), b_members.header(other))
    except FormatError:
        return False


def one_sided(row: Row, side: str, *, idle: bool = False) -> Difference:
    """A member that only one side has; `side` is "a" or "b". An `idle` one is a marker that hides
    nothing."""
    value = Value(
        described(row),
        at=(row.at, row.head_size),
        size=row.size,
        digest=f"blake3:{row.content.hex()}" if row.content else None,
    )
    a, b = (value, None) if side == "a" else (None, value)
    return Difference("file.idle_marker" if idle else f"file.only_in_{side}", a, b, bytes=row.size)


def type_difference(a: Row, b: Row, *, same: bool = False) -> Difference:
    """Another type of file under one name: one difference, with both described. A hard link and
    a file may be the `same` one."""
    return Difference(
        "file.hard_link" if same else "file.type",
        Value(_type(a), at=(a.at, a.head_size)),
        Value(_type(b), at=(b.at, b.head_size)),
        bytes=max(a.size, b.size, 1),
    )


def renamed(a: Row, b: Row, similarity: int = 100) -> Difference:
    """The same content under two names, or one that is similar to so many per cent."""
    return Difference(
        "file.renamed",
        Value(text_of(a.path), at=(a.at, a.head_size)),
        Value(text_of(b.path), at=(b.at, b.head_size)),
        bytes=max(len(a.path), len(b.path)),
        similarity=similarity,
    )


def header_differences(
    a_members: Members, a: Row, b_members: Members, b: Row, *, tar_bytes: bool, moved: bool = False
) -> list[Difference]:
    """All that two headers say differently: what they mean, then how they spell it.

    With `tar_bytes` false (one side is a directory on disk) only the meaning counts; with
    `moved` (a renamed file) the name does not.
    """
    a_raw, b_raw = a_members.raw_header(a), b_members.raw_header(b)
    if a_raw == b_raw and a_members.records(a) == b_members.records(b):
        return []
    a_header, b_header = a_members.header(a), b_members.header(b)
    raws = (a_raw, a.at, b_raw, b.at)
    told: list[Difference] = []
    kinds: set[str] = set()
    skipped = set() if tar_bytes else set(_NOT_IN_DIRECTORIES)
    if moved:
        skipped.add("tar.name")
    if not tar_bytes and a.type == b.type == tar.HARD_LINK and a.link == b.link:
        skipped.add("tar.linkname")  # `./x` and `x`
    if not tar_bytes and tar.same_time(a_header, b_header):
        skipped.add("tar.mtime")
    if a_header.type != b_header.type:
        # told as file.type
        skipped |= {"tar.linkname", "tar.size"}
        kinds |= {"tar.typeflag", "tar.linkname", "tar.size"}
    # on disk a hard link has nothing of its own: what its file has is told there
    inode = not tar_bytes and a_header.type == b_header.type == tar.HARD_LINK
    left = {(fact.kind, fact.name): fact for fact in tar.meaning(a_header, a.at)}
    right = {(fact.kind, fact.name): fact for fact in tar.meaning(b_header, b.at)}
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key), right.get(key)
        if (one and one.value) == (other and other.value) and bool(one) == bool(other):
            continue
        if key[0] in skipped or (inode and key[0] != "tar.linkname"):
            kinds.add(key[0])
            continue
        kinds.add(" ".join(filter(None, key)))
        told.append(_difference(key[0], key[1], one, other, raws))
    if not tar_bytes:
        return told
    told += _spelling(a_header, b_header, kinds, raws)
    if not told and not kinds and a_raw != b_raw and not moved:
        at = next((n for n, (x, y) in enumerate(zip(a_raw, b_raw, strict=False)) if x != y), 0)
        told.append(
            Difference(
                "untold",
                Value(text_of(a_raw[at : at + 64]), at=(a.at + at, a.head_size - at)),
                Value(text_of(b_raw[at : at + 64]), at=(b.at + at, b.head_size - at)),
                bytes=_differing(a_raw, b_raw),
            )
        )
    return told


def _spelling(
    a: Header, b: Header, kinds: set[str], raws: tuple[bytes, int, bytes, int]
) -> Iterator[Difference]:
    same_layout = a.blocks == b.blocks and [p[2] for p in a.pax] == [p[2] for p in b.pax]
    left = _grouped(a, raws[0], raws[1], raws[2] if same_layout else None)
    right = _grouped(b, raws[2], raws[3], raws[0] if same_layout else None)
    dialects = tar.dialect(a, raws[0]), tar.dialect(b, raws[2])
    if dialects[0].rpartition(", ")[0] != dialects[1].rpartition(", ")[0]:
        # other headers in front: told as such, not field by field
        for side in (left, right):
            for key in [key for key in side if key[1].startswith(tar.EXTENDED)]:
                del side[key]
        yield Difference(
            "tar.header",
            Value(dialects[0]),
            Value(dialects[1]),
            where=("extended headers",),
            bytes=max(tar.BLOCK * abs(len(a.blocks) - len(b.blocks)), 1),
            derived=bool(kinds),
        )
    checksum: Difference | None = None
    # ustar and GNU spell several fields in their own way: that follows from the dialect
    other_dialect = ("tar.header", "magic") in left.keys() & right.keys() and (
        left["tar.header", "magic"][0][1].value != right["tar.header", "magic"][0][1].value
    )
    told = bool(kinds)
    for key in sorted(left.keys() | right.keys()):
        ones, others = left.get(key, []), right.get(key, [])
        for index in range(max(len(ones), len(others))):
            one = ones[index] if index < len(ones) else None
            other = others[index] if index < len(others) else None
            if one and other and one[1].value == other[1].value:
                continue
            if (one or other or ("",))[0] in kinds:
                continue
            found = _difference(
                key[0], key[1], one[1] if one else None, other[1] if other else None, raws
            )
            if key[1].endswith("chksum"):
                checksum = found
                continue
            told = True
            follows = (other_dialect and key[1] in _DIALECT_FIELDS) or (
                # the size of an extended header follows from its records
                key[1].startswith(tar.EXTENDED)
                and key[1].endswith(" size")
                and [record[:2] for record in a.pax] != [record[:2] for record in b.pax]
            )
            yield replace(found, derived=True) if follows else found
    if [key for key, _, _ in a.pax] != [key for key, _, _ in b.pax]:
        one_order, other_order = [key for key, _, _ in a.pax], [key for key, _, _ in b.pax]
        if sorted(one_order) == sorted(other_order):
            told = True
            yield Difference(
                "tar.pax_order", Value(", ".join(one_order)), Value(", ".join(other_order)), bytes=1
            )
    # a checksum follows from the other fields; alone, it is another spelling of one number
    if checksum is not None and not told:
        yield checksum


def _grouped(
    header: Header, raw: bytes, base: int, same_layout: bytes | None
) -> dict[tuple[str, str], list[tuple[str, Fact]]]:
    groups: dict[tuple[str, str], list[tuple[str, Fact]]] = {}
    for kind, fact in tar.spelling(header, raw, base, same_layout):
        groups.setdefault((fact.kind, fact.name), []).append((kind, fact))
    return groups


def _difference(
    kind: str,
    name: str,
    a: Fact | None,
    b: Fact | None,
    raws: tuple[bytes, int, bytes, int],
) -> Difference:
    a_raw, a_base, b_raw, b_base = raws
    derived = bool((a and a.derived) or (b and b.derived))
    return Difference(
        kind,
        None if a is None else Value(a.value, at=a.at),
        None if b is None else Value(b.value, at=b.at),
        where=(name,) if name else (),
        bytes=_differing(_cut(a_raw, a_base, a), _cut(b_raw, b_base, b)) or 1,
        derived=derived,
    )


def _cut(raw: bytes, base: int, fact: Fact | None) -> bytes:
    if fact is None or fact.at is None:
        return b""
    return raw[fact.at[0] - base : fact.at[0] - base + fact.at[1]]


def _differing(a: bytes, b: bytes) -> int:
    return sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
