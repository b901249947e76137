"""Indexes of kernel modules, as depmod writes them (modules.dep.bin, modules.alias.bin ...).

Source: kmod 30, libkmod/libkmod-index.c: "Disk format". All numbers are big-endian.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, whole
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGIC = b"\xb0\x07\xf4\x57"
MOST = 64 << 20
MOST_ROWS = 900_000
PREFIX, VALUES, CHILDREN, OFFSET = 0x80000000, 0x40000000, 0x20000000, 0x0FFFFFFF


class KmodIndex:
    """A listing of all keys with their values; the trie derived."""

    name = "kmod_index"

    def recognises(self, head: bytes) -> bool:
        """The magic number and major version 2."""
        return len(head) >= 12 and head.startswith(MAGIC + b"\0\2")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Version, keys, one digest over the trie."""
        reader = Reader(whole(blob, MOST), ">")
        version = f"{reader.number(4, 2)}.{reader.number(6, 2)}"
        yield Fact("kmod_index.magic", MAGIC.hex(), (0, 4))
        yield Fact("kmod_index.version", version, (4, 4))
        yield lines_part("kmod_index.key", "keys", partial(_keys, reader))
        yield packed("kmod_index.trie", blob, (8, blob.size - 8), "keys")


def _keys(reader: Reader) -> list[str]:
    rows: list[str] = []
    waiting = [(reader.number(8), b"")]
    while waiting:
        node, key = waiting.pop()
        at = node & OFFSET
        if not at:
            raise FormatError("node at the file's start", 8)
        if node & PREFIX:
            prefix = reader.string(at)
            key += prefix
            at += len(prefix) + 1
        if node & CHILDREN:
            first, last = reader.number(at, 1), reader.number(at + 1, 1)
            at += 2
            for letter in range(first, last + 1):
                child = reader.number(at)
                if child:
                    waiting.append((child, key + bytes([letter])))
                at += 4
        if node & VALUES:
            count, at = reader.number(at), at + 4
            for _ in range(count):
                text = reader.string(at + 4)
                rows.append(f"{line_text(key)} => {line_text(text)} ({reader.number(at)})")
                at += 4 + len(text) + 1
                if len(rows) > MOST_ROWS:
                    raise LimitError(f"more than {MOST_ROWS} values", at)
    return sorted(rows)
