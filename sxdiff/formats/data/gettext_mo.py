"""Message catalogues of gettext (`.mo`), of both byte orders: messages by msgid.

Source: GNU gettext manual, 10.3 "The Format of GNU MO Files"; gettext's gmo.h for the system
dependent segments of minor revision 1 (told as bytes only).
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Names, Parts, Reader, of_magic, packed, part, whole
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span, text_of

MAGICS = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}
MOST = 64 << 20
"""Bytes of a catalogue."""
FIELDS = (
    Field("magic", "4s", hexadecimal),
    Field("revision", "I"),
    Field("strings", "I", derived=True),
    Field("originals", "I", derived=True),
    Field("translations", "I", derived=True),
    Field("hash_size", "I", derived=True),
    Field("hash_table", "I", derived=True),
)


class GettextMo:
    """Header, messages as one part (its facts are named by msgid), tables derived."""

    name = "gettext_mo"

    def recognises(self, head: bytes) -> bool:
        """The magic number, and a major revision that exists (0 and 1)."""
        order = MAGICS.get(head[:4])
        if order is None or len(head) < 28:
            return False
        return Reader(head, order).number(4) >> 16 in (0, 1)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, messages, then the tables that say where they lie."""
        order = of_magic(MAGICS, blob.part(0, 4).read())
        header = Record("gettext_mo", order, FIELDS)
        yield from header.facts(blob, 0)
        reader = Reader(whole(blob, MOST), order)
        count, ids, texts, hash_size, hashes = (reader.number(at) for at in range(8, 28, 4))
        blob.part(ids, count * 8)
        blob.part(texts, count * 8)
        spans = [
            [
                (reader.number(at + 4), reader.number(at))
                for at in range(table, table + 8 * count, 8)
            ]
            for table in (ids, texts)
        ]
        both = [*spans[0], *spans[1]]
        if sum(size for _, size in both) > 2 * blob.size:
            raise LimitError("strings overlap again and again")
        if both:
            start = min(at for at, _ in both)
            end = min(max(at + size + 1 for at, size in both), blob.size)
            yield part(
                "gettext_mo",
                "messages",
                blob,
                (start, end - start),
                partial(_messages, spans=spans, start=start),
            )
            yield packed("gettext_mo.table", blob, (ids, count * 8), "originals")
            yield packed("gettext_mo.table", blob, (texts, count * 8), "translations")
        if hash_size:
            yield packed("gettext_mo.table", blob, (hashes, hash_size * 4), "hashes")


def _messages(blob: Blob, spans: list[list[Span]], start: int) -> Parts:
    """Each msgid and its translation. The empty msgid's is the header entry, told by field."""
    reader = Reader(blob.read())
    names = Names()
    for (id_at, id_size), (at, size) in zip(*spans, strict=True):
        msgid, id_span = _string(reader, id_at - start, id_size)
        text, span = _string(reader, at - start, size)
        if not msgid:
            yield Fact("gettext_mo.msgid", "", id_span, "header entry")
            yield from _fields(text, span)
            continue
        name = names(text_of(msgid.replace(b"\4", b" | ").replace(b"\0", b" / ")))
        yield Fact("gettext_mo.msgid", text_of(msgid), id_span, name)
        yield Fact("gettext_mo.msgstr", text_of(text), span, name)


def _string(reader: Reader, at: int, size: int) -> tuple[bytes, Span]:
    """A string with its span, which holds the NUL behind it."""
    text = reader.span(at, size)
    if reader.data[at + size : at + size + 1] not in (b"\0", b""):
        raise FormatError("string without a NUL behind it", at + size)
    return text, (at, min(size + 1, len(reader) - at))


def _fields(text: bytes, span: Span) -> Iterator[Fact]:
    """The lines `POT-Creation-Date: ...` of the header entry."""
    at, names = span[0], Names()
    lines = text.split(b"\n")
    for number, line in enumerate(lines):
        size = len(line) + 1
        if number == len(lines) - 1:
            size = span[0] + span[1] - at
        key, colon, value = line.partition(b": ")
        if colon:
            name = names(text_of(key))
            yield Fact("gettext_mo.key", text_of(key), (at, len(key) + 2), name)
            told = (at + len(key) + 2, size - len(key) - 2)
            yield Fact("gettext_mo.field", text_of(value), told, name)
        elif size:
            yield Fact("gettext_mo.line", text_of(line), (at, size), names(f"line {number + 1}"))
        at += size
