"""ISO 9660 images, with Rock Ridge, Joliet and El Torito.

Source: ECMA-119 (4th edition): 8 (volume descriptors), 9 (directory records, path tables);
IEEE P1281 (SUSP 1.12) and P1282 (RRIP 1.12) for the system use area; Joliet Specification 1995;
"El Torito" Bootable CD-ROM Format Specification 1.0.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from sxdiff.formats.compression.stream import only_zeros
from sxdiff.formats.digest import digest_of
from sxdiff.formats.filesystems.tree import (
    Cursor,
    Metadata,
    Paths,
    Without,
    clear,
    covered,
    mode,
    nothing,
    volume,
)
from sxdiff.formats.record import Field, Raw, Record
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    Span,
    text_of,
)

SECTOR = 2048
SYSTEM_AREA = 16 * SECTOR
IDENTIFIER = b"CD001"
BOOT, PRIMARY, SUPPLEMENTARY, TERMINATOR = 0, 1, 2, 255
MOST_DESCRIPTORS = 64
JOLIET = (b"%/@", b"%/C", b"%/E")
LARGEST_DIRECTORY = 64 << 20
DIRECTORY, MULTI_EXTENT = 2, 128
MOST_CONTINUATIONS = 32
VERSION_SECTORS = 8
"""Sectors behind the descriptors in which mkisofs may have left its command line."""


def padded(value: Raw) -> Scalar:
    """Text that spaces fill up to its field's size."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    return text_of(raw.rstrip(b" "))


def padded_wide(value: Raw) -> Scalar:
    """The same in UCS-2, big-endian, as Joliet has it."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    try:
        return raw[: len(raw) & ~1].decode("utf-16-be").rstrip(" ") + raw[len(raw) & ~1 :].hex()
    except UnicodeDecodeError:
        return raw.hex()


def filler(value: Raw) -> Scalar:
    """Bytes that are mostly nothing."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    return f"{len(raw)} zeros" if not raw.strip(b"\0") else text_of(raw.rstrip(b"\0"))


def both(value: Raw) -> Scalar:
    """7.2.3 and 7.3.3: a number in both byte orders."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    half = len(raw) // 2
    number = int.from_bytes(raw[:half], "little")
    return number if raw[half:] == number.to_bytes(half, "big") else raw.hex()


def long_date(value: Raw) -> Scalar:
    """8.4.26.1: sixteen digits, and quarters of an hour from UTC."""
    raw = bytes(value) if isinstance(value, bytes) else b""
    digits = raw[:16]
    if not re.fullmatch(rb"[0-9]{16}", digits):
        return raw.hex()
    if not digits.strip(b"0") and raw[16:] == b"\0":
        return "none"
    text = digits.decode()
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return f"{day}T{text[8:10]}:{text[10:12]}:{text[12:14]}.{text[14:]}{_zone(raw[16])}"


def short_date(raw: bytes) -> str:
    """9.1.5: years since 1900, month, day, hour, minute, second, zone."""
    year, month, day, hour, minute, second, zone = raw
    return f"{1900 + year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{_zone(zone)}"


def _zone(quarters: int) -> str:
    signed = quarters - 256 if quarters > 127 else quarters
    if signed == 0:
        return "Z"
    return f"{'-' if signed < 0 else '+'}{abs(signed) // 4:02}:{abs(signed) % 4 * 15:02}"


def _volume(kind: str, text: Callable[[Raw], Scalar]) -> Record:
    """8.4 and 8.5: the primary and the supplementary volume descriptor."""
    return Record(
        kind,
        ">",
        (
            Field("type", "B"),
            Field("identifier", "5s"),
            Field("version", "B"),
            Field("flags", "B"),
            Field("system", "32s", text),
            Field("volume", "32s", text),
            Field("unused", "8s", filler),
            Field("space_size", "8s", both, derived=True),
            Field("escape_sequences", "32s", filler),
            Field("set_size", "4s", both),
            Field("sequence_number", "4s", both),
            Field("block_size", "4s", both),
            Field("path_table_size", "8s", both, derived=True),
            Field("path_table", "4s", _little, derived=True),
            Field("optional_path_table", "4s", _little, derived=True),
            Field("big_path_table", "I", derived=True),
            Field("optional_big_path_table", "I", derived=True),
            Field("root_place", "18s", _hex, derived=True),
            Field("root_date", "7s", _date),
            Field("root_rest", "9s", _hex),
            Field("volume_set", "128s", text),
            Field("publisher", "128s", text),
            Field("preparer", "128s", text),
            Field("application", "128s", text),
            Field("copyright_file", "37s", text),
            Field("abstract_file", "37s", text),
            Field("bibliographic_file", "37s", text),
            Field("created", "17s", long_date),
            Field("modified", "17s", long_date),
            Field("expires", "17s", long_date),
            Field("effective", "17s", long_date),
            Field("structure_version", "B"),
            Field("reserved", "B"),
            Field("application_use", "512s", filler),
            Field("reserved_end", "653s", filler),
        ),
    )


def _little(value: Raw) -> Scalar:
    return int.from_bytes(value, "little") if isinstance(value, bytes) else value


def _hex(value: Raw) -> Scalar:
    return value.hex() if isinstance(value, bytes) else value


def _date(value: Raw) -> Scalar:
    return short_date(value) if isinstance(value, bytes) else value


VOLUME = _volume("iso9660.volume", padded)
WIDE_VOLUME = _volume("iso9660.volume", padded_wide)
BOOT_RECORD = Record(
    "iso9660.boot_record",
    "<",
    (
        Field("type", "B"),
        Field("identifier", "5s"),
        Field("version", "B"),
        Field("system", "32s", filler),
        Field("boot", "32s", filler),
        Field("catalog", "I", derived=True),
        Field("use", "1973s", filler),
    ),
)
VALIDATION = Record(
    "iso9660.boot_catalog",
    "<",
    (
        Field("header", "B"),
        Field("platform", "B"),
        Field("reserved", "H"),
        Field("manufacturer", "24s", filler),
        Field("checksum", "H", derived=True),
        Field("key", "H"),
    ),
)
ENTRY = Record(
    "iso9660.boot_entry",
    "<",
    (
        Field("indicator", "B"),
        Field("media", "B"),
        Field("segment", "H"),
        Field("system", "B"),
        Field("unused", "B"),
        Field("sectors", "H"),
        Field("place", "I", derived=True),
        Field("criteria", "20s", filler),
    ),
)
TIMES = ("created", "modified", "accessed", "changed", "backup", "expires", "effective")
"""RRIP 4.1.6: the time stamps of TF, by bit."""
LONG_FORM = 128


class Entry(NamedTuple):
    """One directory record: its bytes, what it says and where its content lies."""

    identifier: bytes
    directory: bool
    more: bool
    place: int
    size: int
    date: bytes
    name: bytes | None
    elsewhere: bool
    cursor: Cursor


class Tree(NamedTuple):
    """What the primary tree says, for the other trees to be told as its consequences."""

    by_place: dict[int, str]
    dates: dict[str, bytes]


class Iso9660:
    """Volume descriptors; the record and the content of each file by its path; tables."""

    name = "iso9660"

    def recognises(self, head: bytes) -> bool:
        """A primary volume descriptor in sector 16, or a boot record before it."""
        start = head[SYSTEM_AREA : SYSTEM_AREA + 7]
        return start[1:6] == IDENTIFIER and start[0] in (BOOT, PRIMARY) and start[6] == 1

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """One part, `volume`: all that the image holds."""
        yield volume("iso9660", blob, partial(_parts, limits))


def _parts(limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """System area, descriptors, the trees in the order of their directories, tables."""
    area = blob.part(0, SYSTEM_AREA)
    if not only_zeros(area):
        yield Member("system area", area, (0, SYSTEM_AREA), "iso9660.system_area", opaque=True)
    descriptors, end = _descriptors(blob)
    primary = next((at for at, kind in descriptors if kind == PRIMARY), None)
    if primary is None:
        raise FormatError("no primary volume descriptor", SYSTEM_AREA)
    yield from _version(blob, end)
    image = _Image(blob, limits, primary)
    catalogs = []
    for at, kind in descriptors:
        if kind == BOOT:
            catalogs.append(BOOT_RECORD.number(blob, at, "catalog"))
    first = {fact.kind: fact.value for fact in VOLUME.facts(blob, primary)}
    wide_at = next((at for at, _ in descriptors if blob.read(at + 88, 3) in JOLIET), None)
    second: dict[str, Scalar] = {}
    if wide_at is not None:
        second = {fact.kind: fact.value for fact in WIDE_VOLUME.facts(blob, wide_at)}
    tree = Tree(dict.fromkeys(catalogs, ""), {})
    numbers: dict[str, int] = {}
    for at, kind in sorted(descriptors, key=lambda row: row[0] != primary):
        span = at, SECTOR
        part = blob.part(*span)
        name = _name_of(part, kind)
        numbers[name] = numbers.get(name, 0) + 1
        if numbers[name] > 1:
            name += f" #{numbers[name]}"
        if kind in (PRIMARY, SUPPLEMENTARY):
            inside = Inside(
                "iso9660.volume",
                partial(_in_capitals, second) if at == primary else partial(_volume_facts, first),
            )
        elif kind == BOOT:
            inside = Inside("iso9660.boot_record", partial(_record_facts, BOOT_RECORD))
        else:
            yield Fact("iso9660.descriptor", digest_of(part), span, name)
            continue
        yield Member(name, part, span, inside=inside)
        if kind != BOOT:
            yield from image.tables(at)
            yield from image.tree(at, tree if at != primary else None, tree)
    for place in catalogs:
        yield from _catalog(blob, place)


def _descriptors(blob: Blob) -> tuple[list[tuple[int, int]], int]:
    """8.1: offset and type of each descriptor up to the terminator, and where that ends."""
    found = []
    at = SYSTEM_AREA
    while True:
        head = blob.part(at, SECTOR).read()[:7]
        if head[1:6] != IDENTIFIER:
            raise FormatError("descriptors without a terminator", at)
        found.append((at, head[0]))
        at += SECTOR
        if head[0] == TERMINATOR:
            return found, at
        if len(found) > MOST_DESCRIPTORS:
            raise LimitError(f"more than {MOST_DESCRIPTORS} volume descriptors", at)


def _version(blob: Blob, at: int) -> Iterator[Fact]:
    """The sector in which mkisofs and genisoimage say how they were called."""
    for place in range(at, at + VERSION_SECTORS * SECTOR, SECTOR):
        if blob.read(place, 4) == b"MKI ":
            raw = blob.part(place, SECTOR).read()
            yield Fact("iso9660.mkisofs", text_of(raw.rstrip(b"\0")), (place, SECTOR))


def _name_of(part: Blob, kind: int) -> str:
    if kind == SUPPLEMENTARY:
        joliet = part.read(88, 3) in JOLIET
        return "Joliet volume descriptor" if joliet else "supplementary volume descriptor"
    names = {PRIMARY: "primary volume descriptor", BOOT: "boot record", TERMINATOR: "terminator"}
    return names.get(kind, f"volume descriptor {kind}")


def _volume_facts(first: dict[str, Scalar], content: Blob) -> Iterator[Fact]:
    """The fields of a volume descriptor; those that repeat the `first` one's follow from it."""
    wide = content.read(88, 3) in JOLIET
    for fact in (WIDE_VOLUME if wide else VOLUME).facts(content, 0):
        alike = first.get(fact.kind) == fact.value
        yield Fact(fact.kind, fact.value, fact.at, derived=fact.derived or alike)


def _in_capitals(second: dict[str, Scalar], content: Blob) -> Iterator[Fact]:
    """The fields of the primary volume descriptor; what is Joliet's text in capital letters, the
    only ones that it may have, follows from that."""
    for fact in VOLUME.facts(content, 0):
        more = second.get(fact.kind)
        follows = isinstance(more, str) and more != fact.value and more.upper() == fact.value
        yield replace(fact, derived=fact.derived or follows)


def _record_facts(record: Record, content: Blob) -> Iterator[Fact]:
    return record.facts(content, 0)


def _catalog(blob: Blob, place: int) -> Iterator[Member]:
    """El Torito 2: the booting catalog of one sector."""
    span = place * SECTOR, SECTOR
    part = blob.part(*span)
    yield Member("boot catalog", part, span, inside=Inside("iso9660.boot_catalog", _catalog_facts))


def _catalog_facts(content: Blob) -> Iterator[Fact]:
    yield from VALIDATION.facts(content, 0)
    for number, at in enumerate(range(32, SECTOR, 32), 1):
        raw = content.part(at, 32).read()
        if not raw.strip(b"\0"):
            break
        if raw[0] in (0x00, 0x88):
            yield from ENTRY.facts(content, at, f"entry {number}")
        else:
            yield Fact("iso9660.boot_section", raw.hex(), (at, 32), f"entry {number}")


class _Image:
    """One image's trees."""

    def __init__(self, blob: Blob, limits: Limits, primary: int) -> None:
        self.blob = blob
        self.limits = limits
        size = int.from_bytes(blob.read(primary + 128, 2), "little")
        if size not in (512, 1024, 2048):
            raise FormatError(f"blocks of {size} bytes", primary + 128)
        self.block = size
        self.skip: int | None = None
        self._told: set[Span] = set()
        self._areas: list[Span] = []

    def tables(self, at: int) -> Iterator[Fact]:
        """9.4: the path tables of one volume, which follow from its directories."""
        size = int.from_bytes(self.blob.read(at + 132, 4), "little")
        for offset, order in ((140, "little"), (144, "little"), (148, "big"), (152, "big")):
            place = int.from_bytes(
                self.blob.read(at + offset, 4), "little" if order == "little" else "big"
            )
            if place and size:
                yield from self._covered("iso9660.path_table", place * self.block, size, nothing)

    def _covered(
        self, kind: str, at: int, size: int, without: Without | None = None
    ) -> Iterator[Fact]:
        """Bytes that are told elsewhere, once."""
        span = at, size
        if size and span not in self._told:
            self._told.add(span)
            yield covered(kind, self.blob, span, without=without)

    def tree(self, at: int, first: Tree | None, tree: Tree) -> Iterator[Fact | Member]:
        """All files of one volume. `first` is the primary tree, where this is another one;
        `tree` is what the primary one fills."""
        wide = self.blob.read(at + 88, 3) in JOLIET
        root_at = int.from_bytes(self.blob.read(at + 158, 4), "little") * self.block
        root_size = int.from_bytes(self.blob.read(at + 166, 4), "little")
        paths = Paths()
        kind = "inode" if first is None else "joliet" if wide else "supplementary"
        entries = self._entries(root_at, root_size, first is None)
        own = next(entries, None)
        if own is None or own.identifier != b"\0":
            raise FormatError("root without itself", root_at)
        yield from self._covered("iso9660.directory", root_at, root_size, _without_times)
        yield from self._continuations()
        if first is None:
            tree.dates["/"] = own.date
        yield from self._metadata(own, "/", kind, first)
        open_ones = [("", entries, {root_at})]
        while open_ones:
            folder, entries, above = open_ones[-1]
            entry = next(entries, None)
            if entry is None:
                open_ones.pop()
                continue
            if entry.identifier in (b"\0", b"\1"):
                continue
            path = paths.below(folder, _name(entry, wide), len(open_ones))
            told = path
            if first is not None:
                known = first.by_place.get(entry.place) if entry.size else None
                told = known or (path if path in first.dates else f"{kind}:{path}")
            extents = [(entry.place * self.block, entry.size)]
            while entry.more and (following := next(entries, None)):
                extents.append((following.place * self.block, following.size))
                entry = entry._replace(more=following.more)
            if first is None:
                tree.dates[path] = entry.date
            yield from self._metadata(entry, told, kind, first)
            yield from self._continuations()
            start, size = extents[0]
            if entry.directory:
                if start in above:
                    raise FormatError("directory inside itself", start)
                yield from self._covered("iso9660.directory", start, size, _without_times)
                below = self._entries(start, size, first is None)
                open_ones.append((path, below, above | {start}))
                continue
            if first is not None or not any(size for _, size in extents) or entry.elsewhere:
                continue
            if tree.by_place.get(entry.place) == "":  # the boot catalog, told by its entries
                continue
            tree.by_place.setdefault(entry.place, path)
            if len(extents) == 1:
                yield Member(path, self.blob.part(start, size), (start, size))
            else:
                parts = [self.blob.part(*extent) for extent in extents]
                for extent in extents:
                    yield from self._covered("iso9660.extent", *extent)
                yield Member(path, partial(_joined, parts))

    def _metadata(
        self, entry: Entry, path: str, kind: str, first: Tree | None
    ) -> Iterator[Fact | Member]:
        """What a record says; what says the same as the primary tree follows from that."""
        facts = entry.cursor.facts
        if first is not None and first.dates.get(path) == entry.date:
            facts = [
                Fact(fact.kind, fact.value, fact.at, fact.name, derived=True)
                if fact.kind == "iso9660.record.date"
                else fact
                for fact in facts
            ]
        if first is not None:
            facts = [_other(fact, kind, entry, path) for fact in facts]
        yield from Metadata.of(facts).parts(path, "iso9660")

    def _entries(self, at: int, size: int, system_use: bool) -> Iterator[Entry]:
        """9.1: the records of one directory; none crosses a sector's end."""
        if size > LARGEST_DIRECTORY:
            raise LimitError(f"directory of {size} bytes", at)
        data = self.blob.part(at, size).read()
        place = 0
        while place < size:
            length = data[place]
            if not length:  # nothing more fits into this sector
                place += SECTOR - place % SECTOR
                continue
            raw = data[place : place + length]
            if length < 34 or len(raw) < length or len(raw) < 33 + raw[32]:
                raise FormatError("damaged directory record", at + place)
            yield self._entry(raw, at + place, system_use)
            place += length

    def _entry(self, raw: bytes, at: int, system_use: bool) -> Entry:
        used = 33 + raw[32] + (1 - raw[32] % 2)
        if raw[32:34] == b"\1\0" and system_use and self.skip is None:
            # SUSP 5.3: SP in the root's own record says that the protocol is spoken
            self.skip = next((i for i in (0, 14) if raw[used + i : used + i + 2] == b"SP"), None)
            self.skip = -1 if self.skip is None else self.skip
        use: list[tuple[int, bytes]] = []
        if system_use and self.skip is not None and self.skip >= 0:
            start = used + (self.skip if raw[32:34] != b"\1\0" or self.skip else 0)
            use = list(self._system_use(raw[start:], start, at))
        extended = b"".join(entry for place, entry in use if place < 0)
        cursor = Cursor("iso9660.record", raw + extended)

        def field(name: str, size: int, show: Callable[[bytes], Scalar], derived: bool) -> bytes:
            data = cursor.take(size)
            if data:
                cursor.tell(name, show(data), size, derived)
            return data

        plain = partial(int.from_bytes, byteorder="little")
        field("length", 1, plain, True)
        attributes = field("attribute_length", 1, plain, False)
        place = int.from_bytes(field("place", 8, both, True)[:4], "little") + attributes[0]
        size = int.from_bytes(field("size", 8, both, True)[:4], "little")
        entries = [entry for _, entry in use]
        modified = _modified(entries)
        date = cursor.data[cursor.at : cursor.at + 7]
        field("date", 7, short_date, modified == date)
        flags = field("flags", 1, plain, False)[0]
        field("unit_size", 1, plain, False)
        field("gap", 1, plain, False)
        field("volume", 4, both, False)
        field("identifier_length", 1, plain, True)
        name = _joined_name(entries)
        identifier = field("identifier", raw[32], text_of, name is not None)
        field("padding", min(used, len(raw)) - cursor.at, _hexed, True)
        known = {place: entry for place, entry in use if place >= 0}
        while cursor.at < len(raw):
            here = known.get(cursor.at)
            if here is None:
                following = [place for place in known if place > cursor.at] or [len(raw)]
                field("system_use", min(following) - cursor.at, _hexed, False)
            else:
                _susp(cursor, here)
        for _, entry in (row for row in use if row[0] < 0):
            _susp(cursor, entry)
        return Entry(
            identifier,
            bool(flags & DIRECTORY),
            bool(flags & MULTI_EXTENT),
            place,
            size,
            date,
            name,
            any(entry[:2] == b"CL" for entry in entries),
            cursor,
        )

    def _system_use(self, data: bytes, start: int, at: int) -> Iterator[tuple[int, bytes]]:
        """SUSP 4: the entries of a system use area, each with its offset in the record; -1 where
        it lies in a continuation area."""
        base: int | None = start
        for _ in range(MOST_CONTINUATIONS):
            following: Span | None = None
            place = 0
            while place + 4 <= len(data):
                size = data[place + 2]
                entry = data[place : place + size]
                if size < 4 or len(entry) < size:
                    break
                yield (base + place if base is not None else -1), entry
                if entry[:2] == b"CE" and size >= 28:
                    block, offset, length = (
                        int.from_bytes(entry[i : i + 4], "little") for i in (4, 12, 20)
                    )
                    following = block * self.block + offset, length
                place += size
                if entry[:2] == b"ST":
                    break
            if following is None:
                return
            if following[1] > LARGEST_DIRECTORY >> 6:
                raise LimitError(f"continuation area of {following[1]} bytes", at)
            self._areas.append(following)
            data, base = self.blob.part(*following).read(), None
        raise FormatError("system use area without end", at)

    def _continuations(self) -> Iterator[Fact]:
        """The continuation areas met since this was asked last."""
        areas, self._areas = self._areas, []
        for span in areas:
            yield from self._covered("iso9660.continuation", *span, _without_system_times)


def _other(fact: Fact, kind: str, entry: Entry, path: str) -> Fact:
    """A fact of a tree that is not the primary one. Where it has the same name for a file, that
    is a consequence."""
    what = fact.kind.split(".", 2)[2]
    if what != "identifier":
        return replace(fact, kind=f"iso9660.{kind}.{what}")
    name = _name(entry, kind == "joliet")
    told = _wide(entry.identifier) if kind == "joliet" else fact.value
    alike = text_of(name) == path.rpartition("/")[2]
    return replace(fact, kind=f"iso9660.{kind}.{what}", value=told, derived=alike)


def _wide(identifier: bytes) -> Scalar:
    """Joliet's UCS-2, big-endian; an odd byte in hex."""
    try:
        return identifier[: len(identifier) & ~1].decode("utf-16-be") + (
            identifier[len(identifier) & ~1 :].hex()
        )
    except UnicodeDecodeError:
        return identifier.hex()


def _hexed(data: bytes) -> Scalar:
    return data.hex()


def _joined(parts: list[Blob]) -> Iterator[bytes]:
    for part in parts:
        for at in range(0, part.size, 1 << 20):
            yield part.read(at, 1 << 20)


def _name(entry: Entry, wide: bool) -> bytes:
    """The name that a system shows: Rock Ridge's, else the identifier without its version."""
    if entry.name:
        return entry.name.replace(b"/", b"\\x2f")
    name = entry.identifier
    if wide:
        name = name[: len(name) & ~1].decode("utf-16-be", "replace").encode("utf-8", "replace")
    name = re.sub(rb";[0-9]+\Z", b"", name)
    return name if wide else name.removesuffix(b".")


def _joined_name(entries: list[bytes]) -> bytes | None:
    """RRIP 4.1.4: the name, from one or more NM."""
    names = [entry[5:] for entry in entries if entry[:2] == b"NM" and len(entry) > 5]
    return b"".join(names) or None


def _modified(entries: list[bytes]) -> bytes | None:
    """RRIP 4.1.6: the short time of the last change."""
    for entry in entries:
        if entry[:2] == b"TF" and len(entry) > 5 and entry[4] & 2 and not entry[4] & LONG_FORM:
            at = 5 + 7 * (entry[4] & 1)
            return entry[at : at + 7]
    return None


def _susp(cursor: Cursor, entry: bytes) -> None:
    """One entry of the system use area: head, then its fields."""
    sign = entry[:2]
    end = cursor.at + len(entry)
    name = sign.decode().lower() if sign.isalnum() else sign.hex()
    cursor.take(4)
    cursor.tell(f"{name}.head", entry[:4].hex(), 4, derived=True)

    def number(field: str, derived: bool = False) -> None:
        if cursor.at + 8 <= end:
            cursor.tell(field, both(cursor.take(8)), 8, derived)

    if sign == b"PX":
        if cursor.at + 8 <= end:
            told = both(cursor.take(8))
            cursor.tell("mode", mode(told) if isinstance(told, int) else told, 8)
        number("links", derived=True)
        number("uid")
        number("gid")
        number("serial", derived=True)
    elif sign == b"TF" and len(entry) > 4:
        flags = cursor.take(1)[0]
        cursor.tell("times", f"{flags:#x}", 1)
        size = 17 if flags & LONG_FORM else 7
        for bit, field in enumerate(TIMES):
            if flags >> bit & 1 and cursor.at + size <= end:
                raw = cursor.take(size)
                cursor.tell(field, long_date(raw) if size == 17 else short_date(raw), size)
    elif sign in (b"CE", b"CL", b"PL"):
        rest = cursor.take(end - cursor.at)
        cursor.tell(name, rest.hex(), len(rest), derived=True)
    rest = cursor.take(end - cursor.at)
    if rest:
        shown = text_of(rest) if sign in (b"NM", b"ER") else _link(rest) if sign == b"SL" else None
        cursor.tell(SHOWN.get(sign, name), shown or rest.hex(), len(rest), derived=sign == b"NM")


SHOWN = {b"NM": "name", b"ER": "extension", b"SL": "target", b"PN": "device"}


def _link(data: bytes) -> str | None:
    """RRIP 4.1.3: the components of a symbolic link's target, as far as plain."""
    at, out, plain = 1, [], data[:1] == b"\0"
    while at + 2 <= len(data):
        flags, size = data[at], data[at + 1]
        component = {0: data[at + 2 : at + 2 + size], 2: b".", 4: b"..", 8: b""}.get(flags)
        if component is None or (flags and size):
            plain = False
            break
        out.append(component)
        at += 2 + size
    return text_of(b"/".join(out)) if plain and at == len(data) else None


def _without_times(data: bytearray) -> None:
    """Clear the dates of a directory's records (9.1.5), and those of Rock Ridge."""
    at = 0
    while at < len(data):
        size = data[at]
        if size < 34 or at + size > len(data):
            at += SECTOR - at % SECTOR  # no record crosses the end of a sector
            continue
        clear(data, at + 18, 7)
        named = 33 + data[at + 32]
        use = memoryview(data)[at + named + named % 2 : at + size]
        _clear_system_times(use)
        at += size


def _without_system_times(data: bytearray) -> None:
    _clear_system_times(memoryview(data))


def _clear_system_times(area: memoryview) -> None:
    """Rock Ridge 4.1.6 `TF`: flags, then times."""
    at = 0
    while at + 5 <= len(area):
        size = area[at + 2]
        if size < 4 or at + size > len(area):
            return
        if area[at : at + 2].tobytes() == b"TF":
            area[at + 5 : at + size] = bytes(max(0, size - 5))
        at += size
