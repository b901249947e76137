"""Tar headers of two members of outer archives, field by field; what follows is left out.

POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format". A name that holds a
digest follows from the blob it names, a size from the content, a checksum from the other fields.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sxdiff.formats import tar
from sxdiff.model import FormatError, Value, text_of

_HEXADECIMAL = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32,128}(?![0-9a-f])")
_NUMBERS = ("mode", "uid", "gid", "size", "mtime", "devmajor", "devminor")
_NAMES = ("name", "prefix", "linkname")


@dataclass(frozen=True, slots=True)
class FieldPair:
    """One header field, or one record of an extended header, that differs."""

    name: str
    a: Value | None
    b: Value | None
    bytes: int


def masked(raw: bytes) -> bytes:
    """A name with its digests blanked: they follow from the contents that they name."""
    return _HEXADECIMAL.sub(b"*", raw)


def differing(a: bytes, b: bytes) -> int:
    """Number of bytes that differ place by place, on the larger side."""
    same = sum(x == y for x, y in zip(a, b, strict=False))
    return max(1, max(len(a), len(b)) - same)


def header_pairs(a: bytes, b: bytes, *, resized: bool) -> Iterator[FieldPair]:
    """Fields that differ between two members' headers (extended headers first, own block last).

    With `resized` the contents have different sizes, and so may the size fields.
    """
    own = a[-tar.BLOCK :], b[-tar.BLOCK :]
    rest = [block[:148] + block[156:] for block in own]
    for name, start, size in tar.FIELDS:
        one, other = own[0][start : start + size], own[1][start : start + size]
        if one == other:
            continue
        if name in _NAMES and masked(one) == masked(other):
            continue
        follows = (name == "size" and resized) or (name == "chksum" and rest[0] != rest[1])
        if follows and _spelling(one) == _spelling(other):
            continue
        yield FieldPair(name, *_values(name, one, other), differing(one, other))
    yield from _extended(a[: -tar.BLOCK], b[: -tar.BLOCK], resized=resized)


def _spelling(raw: bytes) -> tuple[bytes, int]:
    """How a number is written, whatever its value: digits, padding, end."""
    return re.sub(rb"[0-7]+", b"0", raw), len(raw.strip(b"\0 "))


def _values(name: str, one: bytes, other: bytes) -> tuple[Value, Value]:
    """A field's two values as a person reads them; as they are spelled, where that is the same."""
    read = _read(name, one), _read(name, other)
    if read[0] != read[1]:
        return read
    return Value(text_of(one)), Value(text_of(other))


def _read(name: str, raw: bytes) -> Value:
    if name in _NUMBERS:
        try:
            number = tar.number(raw)
        except FormatError:
            return Value(text_of(raw))
        return Value(f"{number:04o}" if name == "mode" else number)
    return Value(text_of(raw.rstrip(b"\0")))


def _extended(one: bytes, other: bytes, *, resized: bool) -> Iterator[FieldPair]:
    """The blocks in front of a member's own: PAX records by key, the rest by field."""
    if one == other:
        return
    left, right = _records(one), _records(other)
    found = False
    for key in sorted(left.keys() | right.keys()):
        a, b = left.get(key), right.get(key)
        if a == b or (a is not None and b is not None and masked(a) == masked(b)):
            continue
        if key == "PAX size" and resized:
            continue
        found = True
        yield FieldPair(
            key,
            None if a is None else Value(text_of(a)),
            None if b is None else Value(text_of(b)),
            differing(a or b"", b or b""),
        )
    if not found and not resized and masked(one) != masked(other):
        values = [Value(f"sha256:{hashlib.sha256(raw).hexdigest()}") for raw in (one, other)]
        yield FieldPair("extended header", values[0], values[1], differing(one, other))


def _records(raw: bytes) -> dict[str, bytes]:
    """Extended headers as named values: records, long names, and their own header's fields."""
    found: dict[str, bytes] = {}
    at = number = 0
    while at + tar.BLOCK <= len(raw):
        block = raw[at : at + tar.BLOCK]
        number += 1
        flag = block[156:157]
        try:
            size = max(0, tar.number(block[124:136]))
            data = raw[at + tar.BLOCK : at + tar.BLOCK + size]
            if flag in (tar.PAX, tar.PAX_GLOBAL, tar.PAX_SOLARIS):
                found.update((f"PAX {key}", value) for key, value, _ in tar.pax_records(data))
            else:
                found[f"GNU {text_of(flag)}"] = data
        except FormatError:
            return {"extended header": raw}
        label = f"extended header {number}"
        for name, start, length in tar.FIELDS:
            if name not in ("size", "chksum"):
                found[f"{label} {name}"] = block[start : start + length]
        padding = -size % tar.BLOCK
        at += tar.BLOCK + size + padding
        found[f"{label} padding"] = raw[at - padding : at]
    return found
