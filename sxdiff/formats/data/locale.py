"""Compiled locales of glibc: the archive of all (locale-archive) and one category (LC_TIME ...).

Source: glibc's locale/locarchive.h and locale/localeinfo.h, struct locarhead, locrecent and
_nl_load_locale; locale/programs/locarchive.c, which writes the archive; categories in the order
of <bits/locale.h>.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Literal

from sxdiff.formats.digest import digest_of
from sxdiff.formats.parts import Names, Reader, bytes_part, lines_part, packed, part
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
    tables = _Tables(blob, reader, order, spans)

    def fields(content: Blob) -> Iterator[Fact]:
        for fact in header.facts(content, 0):
            yield replace(fact, check=tables.are_right) if fact.derived else fact

    yield part("locale", "header", blob, (0, header.size), fields)
    locales = sorted(_locales(reader, spans["names"]))
    yield lines_part("locale.locale", "locales", lambda: _lines(reader, locales))
    told: dict[Span, str] = {}
    for name, record in locales:
        for category, span in _categories(reader, record):
            if category != "LC_ALL" and span[1]:
                told.setdefault(span, f"{name}/{category}")
    for span, name in sorted(told.items()):  # in the order in which localedef added them
        yield Member(name, blob.part(*span), span)
    for name, span in spans.items():
        if span[1]:
            digest = digest_of(blob.part(*span))
            yield Fact(f"locale.{name}", digest, span, name, derived=True, check=tables.are_right)


class _Tables:
    """Whether an archive's tables say of its locales what they must, and nothing else."""

    def __init__(self, blob: Blob, reader: Reader, order: str, spans: Mapping[str, Span]) -> None:
        self._blob = blob
        self._reader = reader
        self._order: Literal["little", "big"] = "little" if order == "<" else "big"
        self._spans = spans
        self._right: bool | None = None

    def are_right(self) -> bool:
        """Both hash tables (localedef's insert_name and add_locale), strings, records."""
        if self._right is None:
            checks = self._header_is_right, self._names_are_right, self._sums_are_right
            self._right = all(check() for check in checks)
        return self._right

    def _used(self, table: str, size: int, mark: int) -> dict[int, bytes] | None:
        """The entries that are not empty, by their number; None where an empty one is not."""
        start, whole = self._spans[table]
        found = {}
        for number in range(whole // size):
            entry = self._reader.span(start + size * number, size)
            if any(entry[mark : mark + 4]):
                found[number] = entry
            elif any(entry):
                return None
        return found

    def _number(self, entry: bytes, at: int) -> int:
        return int.from_bytes(entry[at : at + 4], self._order)

    def _header_is_right(self) -> bool:
        """The tables lie one behind the other, and what is used of each is what it says."""
        spans = list(self._spans.values())
        if any(not 0 <= two[0] - sum(one) < 4 for one, two in pairwise(spans)):
            return False
        names, strings, records, sums = (self._reader.number(12 + 12 * at) for at in range(4))
        found = (
            self._used("names", 12, 8),
            self._used("records", RECORD, 0),
            self._used("sums", 20, 16),
        )
        text = self._reader.span(*self._spans["strings"]).rstrip(b"\0")
        counts = [None if one is None else len(one) for one in found]
        return counts == [names, records, sums] and strings == len(text) + 1

    def _names_are_right(self) -> bool:
        entries = self._used("names", 12, 8)
        if entries is None:
            return False
        strings, records = bytearray(self._spans["strings"][1]), Counter[int]()
        for number, entry in entries.items():
            value, place, record = (self._number(entry, at) for at in (0, 4, 8))
            name = self._reader.string(place)
            at = place - self._spans["strings"][0]
            here = strings[at : at + len(name) + 1]
            if value != _hash(name) or any(here) or not 0 <= at <= len(strings) - len(name) - 1:
                return False
            if not _is_met(value, number, self._spans["names"][1] // 12, entries):
                return False
            strings[at : at + len(name) + 1] = name + b"\0"
            records[record] += 1
        said = self._used("records", RECORD, 0)
        if said is None or self._reader.span(*self._spans["strings"]) != strings:
            return False
        start = self._spans["records"][0]
        counts = {start + RECORD * one: self._number(entry, 0) for one, entry in said.items()}
        return counts == records

    def _sums_are_right(self) -> bool:
        entries = self._used("sums", 20, 16)
        if entries is None:
            return False
        start, size = self._spans["records"]
        areas: dict[int, int] = {}
        for at in range(start, start + size, RECORD):
            # what is small lies in one piece, as LC_ALL, and has one sum
            spans = dict(_categories(self._reader, at))
            whole = spans["LC_ALL"]
            outside = [one for one in spans.values() if not _is_inside(one, whole)]
            areas.update(one for one in (whole, *outside) if one[1])
        if sorted(self._number(entry, 16) for entry in entries.values()) != sorted(areas):
            return False
        for number, entry in entries.items():
            place = self._number(entry, 16)
            content = self._blob.part(place, areas[place]).read()
            if hashlib.md5(content, usedforsecurity=False).digest() != entry[:16]:
                return False
            if not _is_met(_hash(entry[:16]), number, self._spans["sums"][1] // 20, entries):
                return False
        return True


def _is_inside(one: Span, other: Span) -> bool:
    return other[0] <= one[0] and sum(one) <= sum(other)


def _hash(key: bytes) -> int:
    """locale/programs/locarchive.c, archive_hashval."""
    value = len(key)
    for byte in key:
        value = ((value << 9 | value >> 23) + byte) & 0xFFFFFFFF
    return value or 0xFFFFFFFF


def _is_met(value: int, number: int, size: int, entries: Mapping[int, bytes]) -> bool:
    """Whether who looks for a hash comes to this entry before an empty one."""
    at, step = value % size, 1 + value % (size - 2)
    for _ in entries:
        if at == number:
            return True
        if at not in entries:
            return False
        at = (at + step) % size
    return False


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
