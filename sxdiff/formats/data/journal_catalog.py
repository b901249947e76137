"""The message catalogue of systemd's journal, /var/lib/systemd/catalog/database: texts by message.

Source: systemd 252, src/libsystemd/sd-journal/catalog.c: struct CatalogHeader, CatalogItem.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGIC = b"RHHHKSLP"
MOST = 64 << 20
MOST_ITEMS = 200_000
ITEM = 56
HEADER = Record(
    "journal_catalog",
    "<",
    (
        Field("signature", "8s"),
        Field("compatible_flags", "I"),
        Field("incompatible_flags", "I"),
        Field("header_size", "Q"),
        Field("items", "Q", derived=True),
        Field("item_size", "Q"),
    ),
)


class JournalCatalog:
    """Header, a listing of the messages, tables derived."""

    name = "journal_catalog"

    def recognises(self, head: bytes) -> bool:
        """The signature."""
        return head.startswith(MAGIC) and len(head) >= HEADER.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, messages, one digest over items and texts."""
        reader = Reader(whole(blob, MOST))
        yield record_part("journal_catalog", "header", blob, 0, HEADER)
        yield lines_part("journal_catalog.message", "messages", partial(_messages, reader))
        span = (HEADER.size, blob.size - HEADER.size)
        yield packed("journal_catalog.tables", blob, span, "messages")


def _messages(reader: Reader) -> list[str]:
    start, count, size = (reader.number(at, 8) for at in (16, 24, 32))
    if size < ITEM:
        raise FormatError("items smaller than their fields", 32)
    if count > MOST_ITEMS:
        raise LimitError(f"{count} messages", 24)
    texts = start + size * count
    rows = []
    for at in range(start, texts, size):
        name = reader.span(at, 16).hex()
        language = line_text(reader.span(at + 16, 32).rstrip(b"\0"))
        text = line_text(reader.string(texts + reader.number(at + 48, 8)))
        rows.append(f"{name} {language or '-'}: {text}")
    return sorted(rows)
