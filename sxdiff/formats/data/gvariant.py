"""GVariant databases: compiled GSettings schemas (gschemas.compiled) and dconf's databases.

Source: GLib's gio/gvdb/gvdb-format.h; GVariant specification, 2.5 "Serialisation Format".
"""

import struct
from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, of_magic, packed, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGICS = {b"GVariant": "<", b"raVGtnai": ">"}
MOST = 64 << 20
DEEPEST = 32
"""Tables in tables, and keys that continue keys."""
MOST_ITEMS = 500_000
ITEM = 24
NUMBERS = {"y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "h": "i"}


class Gvariant:
    """A listing of all keys with their values, by name; the tables behind them derived."""

    name = "gvariant"

    def recognises(self, head: bytes) -> bool:
        """The magic of either byte order."""
        return len(head) >= 24 and head[:8] in MAGICS

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, keys, all behind the header as one digest: hash buckets, key and value pool."""
        data = whole(blob, MOST)
        order = of_magic(MAGICS, data[:8])
        header = Record(
            "gvariant",
            order,
            (
                Field("magic", "8s"),
                Field("version", "I"),
                Field("options", "I", hexadecimal),
                Field("root_start", "I", derived=True),
                Field("root_end", "I", derived=True),
            ),
        )
        yield record_part("gvariant", "header", blob, 0, header)
        yield lines_part("gvariant.key", "keys", partial(_keys, Reader(data, order)))
        yield packed("gvariant.tables", blob, (header.size, blob.size - header.size), "keys")


def _keys(reader: Reader) -> list[str]:
    rows: list[str] = []
    _table(reader, reader.number(16), reader.number(20), "", rows, 0)
    return sorted(rows)


def _table(reader: Reader, start: int, end: int, above: str, rows: list[str], depth: int) -> None:
    """Add the keys of the hash table that lies from `start` to `end`."""
    if depth > DEEPEST:
        raise LimitError(f"tables nested {depth} deep", start)
    if end - start < 8:
        raise FormatError("hash table without its header", start)
    bloom, buckets = reader.number(start) & 0x07FFFFFF, reader.number(start + 4)
    first = start + 8 + 4 * bloom + 4 * buckets
    count = (end - first) // ITEM
    if first > end or end > len(reader):
        raise FormatError("hash table lies outside", start)
    names = _Names(reader, first, count)
    for number in range(count):
        at = first + ITEM * number
        kind = chr(reader.number(at + 14, 1))
        value, stop = reader.number(at + 16), reader.number(at + 20)
        key = above + names.of(number)
        if len(rows) >= MOST_ITEMS:
            raise LimitError(f"more than {MOST_ITEMS} keys", at)
        if kind == "H":
            rows.append(f"{key}: table")
            _table(reader, value, stop, f"{key}: ", rows, depth + 1)
        elif kind == "v":
            rows.append(f"{key} = {_value(reader.span(value, stop - value))}")
        else:
            rows.append(f"{key} ({kind}) {reader.span(value, stop - value).hex()}")


class _Names:
    """The whole keys of a table: each item holds only what its parent's key lacks."""

    def __init__(self, reader: Reader, first: int, count: int) -> None:
        self._reader, self._first, self._count = reader, first, count

    def of(self, number: int) -> str:
        pieces = []
        for _ in range(DEEPEST):
            at = self._first + ITEM * number
            pieces.append(
                self._reader.span(self._reader.number(at + 8), self._reader.number(at + 12, 2))
            )
            number = self._reader.number(at + 4)
            if number >= self._count:  # 0xffffffff: no parent
                return line_text(b"".join(reversed(pieces)))
        raise LimitError("keys that continue keys without end", self._first)


def _value(raw: bytes) -> str:
    """A serialised variant: the value, a NUL, its type. Plain types as text, others as bytes."""
    content, mark, kind = raw.rpartition(b"\0")
    if not mark:
        return raw.hex()
    told = line_text(kind)
    # a default is a tuple of one
    code = NUMBERS.get(told.strip("()"))
    if code and len(content) >= struct.calcsize(code):
        size = struct.calcsize(code)
        number = struct.unpack("<" + code, content[:size])[0]
        rest = content[size:]
        return f"{number} ({told})" + (f" {rest.hex()}" if rest.strip(b"\0") else "")
    return f"{line_text(content)} ({told})"
