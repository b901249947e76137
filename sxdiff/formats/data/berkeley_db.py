"""Berkeley DB files: metadata page by field, keys and values of btree and hash pages.

Source: Berkeley DB 5.3, src/dbinc/db_page.h: DBMETA, BTMETA, HMETA, PAGE, BKEYDATA, BOVERFLOW,
HKEYDATA; file(1)'s magic numbers.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record, hexadecimal, named
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGICS = {0x00053162: "btree", 0x00061561: "hash", 0x00042253: "queue", 0x00040988: "log"}
MOST = 256 << 20
HEADER, PAGE = 72, 26
"""Bytes of DBMETA, and of a page's header."""
HASH_UNSORTED, OVERFLOW, LEAF, DUPLICATES, HASH = 2, 7, 5, 12, 13
"""Types of pages."""
KEYDATA, DUPLICATE, OVERFLOWS = 1, 2, 3
"""Types of items of btree pages; hash pages have the same, and 4 for duplicates elsewhere."""
LONGEST = 4096
MOST_CHAIN = 100_000


def _meta(order: str) -> Record:
    return Record(
        "berkeley_db",
        order,
        (
            Field("lsn_file", "I"),
            Field("lsn_offset", "I"),
            Field("page", "I"),
            Field("magic", "I", named(MAGICS)),
            Field("version", "I"),
            Field("page_size", "I"),
            Field("encryption", "B"),
            Field("type", "B"),
            Field("meta_flags", "B", hexadecimal),
            Field("unused", "B"),
            Field("free", "I", derived=True),
            Field("last_page", "I", derived=True),
            Field("partitions", "I"),
            Field("keys", "I", derived=True),
            Field("records", "I", derived=True),
            Field("flags", "I", hexadecimal),
            Field("uid", "20s", hexadecimal),
        ),
    )


class BerkeleyDb:
    """Metadata (uid: inode, device, time and process that made it), pairs by key, pages derived."""

    name = "berkeley_db"

    def recognises(self, head: bytes) -> bool:
        """A magic number at offset 12 of page 0, and a page size that is a power of two."""
        return len(head) >= 512 and _order(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Metadata, pairs, all pages behind the metadata as one digest."""
        order = _order(blob.read(0, HEADER))
        if order is None:
            raise FormatError("no metadata page", 0)
        reader = Reader(whole(blob, MOST), order)
        yield record_part("berkeley_db", "metadata", blob, 0, _meta(order))
        yield lines_part("berkeley_db.pair", "pairs", partial(_pairs, reader))
        yield packed("berkeley_db.pages", blob, (HEADER, blob.size - HEADER), "pairs")


def _order(head: bytes) -> str | None:
    for order, name in (("<", "little"), (">", "big")):
        magic, _, size = (
            int.from_bytes(head[at : at + 4], "little" if order == "<" else "big")
            for at in (12, 16, 20)
        )
        if name and magic in MAGICS and 512 <= size <= 65536 and not size & (size - 1):
            return order
    return None


def _pairs(reader: Reader) -> list[str]:
    """All pairs, sorted. A page with a number of items that is odd holds duplicates' values."""
    size = reader.number(20)
    rows = []
    for start in range(0, len(reader) - size + 1, size):
        kind = reader.number(start + 25, 1)
        if kind in (LEAF, HASH, HASH_UNSORTED):
            items = [_item(reader, start, size, number, kind) for number in _items(reader, start)]
            keys, values = items[::2], items[1::2]
            rows += [f"{key} => {value}" for key, value in zip(keys, values, strict=False)]
        elif kind == DUPLICATES:
            rows += [
                f"duplicate {_item(reader, start, size, number, LEAF)}"
                for number in _items(reader, start)
            ]
    return sorted(rows)


def _items(reader: Reader, start: int) -> range:
    return range(reader.number(start + 20, 2))


def _item(reader: Reader, start: int, size: int, number: int, page: int) -> str:
    at = reader.number(start + PAGE + 2 * number, 2)
    if page == LEAF:
        kind = reader.number(start + at + 2, 1) & 0x7F
        if kind in (OVERFLOWS, DUPLICATE):
            # BOVERFLOW: two unused, type, one unused, page, length
            return _overflow(
                reader, reader.number(start + at + 4), reader.number(start + at + 8), kind
            )
        return _told(reader.span(start + at + 3, reader.number(start + at, 2)))
    # items of a hash page lie from its end downwards, without their lengths
    end = reader.number(start + PAGE + 2 * (number - 1), 2) if number else size
    kind = reader.number(start + at, 1)
    if kind == OVERFLOWS:
        return _overflow(reader, reader.number(start + at + 4), reader.number(start + at + 8), kind)
    return _told(reader.span(start + at + 1, end - at - 1))


def _overflow(reader: Reader, page: int, length: int, kind: int) -> str:
    """The value that a chain of pages holds; duplicates are pages of their own."""
    if kind == DUPLICATE:
        return "duplicates"
    size = reader.number(20)
    pieces: list[bytes] = []
    for _ in range(MOST_CHAIN):
        if not page or length <= 0:
            return _told(b"".join(pieces))
        start = page * size
        used = min(reader.number(start + 22, 2), length)  # hf_offset: bytes on this page
        pieces.append(reader.span(start + PAGE, used))
        length -= used
        page = reader.number(start + 16)
    raise LimitError("a value on pages without end", page)


def _told(raw: bytes) -> str:
    if len(raw) <= LONGEST:
        return line_text(raw)
    import hashlib  # noqa: PLC0415 - long values are rare

    return f"[{len(raw)} bytes, sha256:{hashlib.sha256(raw).hexdigest()}]"
