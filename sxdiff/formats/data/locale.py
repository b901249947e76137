"""Compiled locales of glibc: the archive of all (locale-archive) and one category (LC_TIME ...).

Source: glibc's locale/locarchive.h and locale/localeinfo.h, struct locarhead, locrecent and
_nl_load_locale; categories in the order of <bits/locale.h>.
"""

from collections.abc import Iterator

from sxdiff.formats.parts import Names, Reader, bytes_part, lines_part, packed, record_part
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member, Span, text_of

ARCHIVE = 0xDE020109
CATEGORIES = (
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_ALL",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
)
MAGICS = {
    0x20031115 ^ number: name
    for number, name in enumerate(CATEGORIES)
    if name not in ("LC_ALL", "LC_CTYPE", "LC_COLLATE")
} | {0x20090720: "LC_CTYPE", 0x20051014 ^ 3: "LC_COLLATE", 0x20031115: "LC_CTYPE"}
"""Magic numbers of categories (localeinfo.h, LIMAGIC)."""
MOST_TABLES = 64 << 20
MOST_ITEMS = 4096
RECORD = 4 + 8 * len(CATEGORIES)
TABLES = ("names", "strings", "records", "sums")


class Locale:
    """An archive: which locale has which categories, a member for each. A category: its items."""

    name = "locale"

    def recognises(self, head: bytes) -> bool:
        """The archive's magic number in either byte order, or a category's."""
        return _is_archive(head) or _category_order(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """By what it is."""
        if _is_archive(blob.read(0, 56)):
            yield from _archive(blob)
        else:
            yield from _category(blob)


def _is_archive(head: bytes) -> bool:
    magic = ARCHIVE.to_bytes(4, "little"), ARCHIVE.to_bytes(4, "big")
    return len(head) >= 56 and head[:4] in magic


def _archive(blob: Blob) -> Iterator[Fact | Member]:
    """A category that several locales share is told under the first by name."""
    order = "<" if blob.part(0, 1).read() == b"\x09" else ">"
    header = _header(order)
    yield record_part("locale", "header", blob, 0, header)
    numbers = Reader(blob.part(0, header.size).read(), order)
    sizes = {"names": 12, "strings": 1, "records": RECORD, "sums": 20}
    spans: dict[str, Span] = {}
    for place, name in enumerate(TABLES):
        at = numbers.number(8 + 12 * place)
        spans[name] = (at, numbers.number(16 + 12 * place) * sizes[name])
        blob.part(*spans[name])
    end = max(sum(span) for span in spans.values())
    if end > MOST_TABLES:
        raise LimitError(f"tables up to {end}")
    reader = Reader(blob.read(0, end), order)
    locales = sorted(_locales(reader, spans["names"]))
    yield lines_part("locale.locale", "locales", lambda: _lines(reader, locales))
    told: set[Span] = set()
    for name, record in locales:
        for category, span in _categories(reader, record):
            if category != "LC_ALL" and span not in told and span[1]:
                told.add(span)
                yield Member(f"{name}/{category}", blob.part(*span), span)
    for name, span in spans.items():
        if span[1]:
            yield packed(f"locale.{name}", blob, span, name)


def _header(order: str) -> Record:
    return Record(
        "locale",
        order,
        (
            Field("magic", "I", hexadecimal),
            Field("serial", "I"),
            *(
                Field(f"{table}_{what}", "I", derived=True)
                for table in TABLES
                for what in ("offset", "used", "size")
            ),
        ),
    )


def _locales(reader: Reader, span: Span) -> Iterator[tuple[str, int]]:
    for at in range(span[0], sum(span), 12):
        if reader.number(at + 8):
            yield text_of(reader.string(reader.number(at + 4))), reader.number(at + 8)


def _categories(reader: Reader, record: int) -> Iterator[tuple[str, Span]]:
    for number, category in enumerate(CATEGORIES):
        at = record + 4 + 8 * number
        yield category, (reader.number(at), reader.number(at + 4))


def _lines(reader: Reader, locales: list[tuple[str, int]]) -> Iterator[str]:
    """Each locale with the first locale of which it has a category."""
    first: dict[Span, str] = {}
    for name, record in locales:
        yield f"{name}: {reader.number(record)} references"
        for category, span in _categories(reader, record):
            if category != "LC_ALL":
                yield f"{name}: {category} of {first.setdefault(span, name)}"


def _category(blob: Blob) -> Iterator[Fact | Member]:
    """Items in their order: each lies from its offset to the next one's."""
    order = _category_order(blob.read(0, 12))
    if order is None:
        raise FormatError("no category of a locale", 0)
    reader = Reader(blob.read(0, 8 + 4 * MOST_ITEMS), order)
    yield Fact("locale.magic", MAGICS[reader.number(0)], (0, 4))
    count = reader.number(4)
    yield Fact("locale.items", count, (4, 4), derived=True)
    places = [reader.number(8 + 4 * number) for number in range(count)]
    names = Names()
    for number, (at, end) in enumerate(zip(places, [*places[1:], blob.size], strict=True)):
        if end < at:
            raise FormatError("items do not ascend", 8 + 4 * number)
        if end > at:
            yield bytes_part("locale.item", names(f"item {number}"), blob, (at, end - at))
    yield packed("locale.offsets", blob, (8, 4 * count), "offsets")


def _category_order(head: bytes) -> str | None:
    """The byte order, where this is a category."""
    if len(head) < 12:
        return None
    for order in "<>":
        reader = Reader(head[:12], order)
        count = reader.number(4)
        if reader.number(0) in MAGICS and 0 < count <= MOST_ITEMS:
            first = reader.number(8)
            return order if 8 + 4 * count <= first <= 16 + 4 * count else None
    return None
