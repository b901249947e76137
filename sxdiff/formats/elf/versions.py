"""Symbol versions: .gnu.version (one a symbol), .gnu.version_r (needed), .gnu.version_d (defined).

Source: LSB Core 5.0, 10.7 "Symbol Versioning".
"""

import struct
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Section
from sxdiff.formats.elf.names import Names
from sxdiff.formats.elf.symbols import Strings
from sxdiff.formats.elf.whole import whole
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Member, Span

HIDDEN, BASE = 0x8000, 1
MOST = 1 << 14
"""Versions that one file needs or defines."""
LONGEST = 4096
"""Characters of one name."""
MOST_SYMBOLS = 1 << 20
FLAGS = {1: "BASE", 2: "WEAK", 4: "INFO"}


def needed_versions(elf: ElfFile, index: int) -> Inside | None:
    """.gnu.version_r: each version by its library."""
    if elf.layout.sections[index].type != schema.SHT_GNU_VERNEED:
        return None
    return Inside("elf.version_needed", partial(_needed_facts, elf, index))


def defined_versions(elf: ElfFile, index: int) -> Inside | None:
    """.gnu.version_d: each version with those that it inherits."""
    if elf.layout.sections[index].type != schema.SHT_GNU_VERDEF:
        return None
    return Inside("elf.version_defined", partial(_defined_facts, elf, index))


def versions_of_symbols(elf: ElfFile, index: int) -> Inside | None:
    """.gnu.version: the version of each dynamic symbol."""
    if elf.layout.sections[index].type != schema.SHT_GNU_VERSYM:
        return None
    return Inside("elf.symbol_version", partial(_symbol_facts, elf, index))


def symbol_versions(elf: ElfFile) -> list[str]:
    """What follows each dynamic symbol's name: `@GLIBC_2.34`, `@@1.0` where it is the default,
    nothing where it has no version. Empty where the tables are damaged or missing."""
    try:
        known = _known(elf)
        section = next(one for one in elf.layout.sections if one.type == schema.SHT_GNU_VERSYM)
        content = elf.content(section)
        if content.size > 2 * MOST_SYMBOLS:
            return []
        numbers = _numbers(elf, content)
    except (FormatError, StopIteration):
        return []
    out = []
    for number in numbers:
        name, defined = known.get(number & ~HIDDEN, ("", False))
        mark = "@@" if defined and not number & HIDDEN else "@"
        out.append(mark + name if name and number & ~HIDDEN > BASE else "")
    return out


def _numbers(elf: ElfFile, content: Blob) -> tuple[int, ...]:
    data = content.read()
    return struct.unpack(f"{elf.layout.order}{len(data) // 2}H", data[: len(data) & ~1])


def _known(elf: ElfFile) -> dict[int, tuple[str, bool]]:
    """Names of version numbers, and whether this file defines them."""
    out: dict[int, tuple[str, bool]] = {}
    for section in elf.layout.sections:
        if section.type == schema.SHT_GNU_VERNEED:
            for _, library, row, name in _needed(elf, section, elf.content(section)):
                if row is not None and library:
                    out[row[2] & ~HIDDEN] = (name, False)
        elif section.type == schema.SHT_GNU_VERDEF:
            for _, row, names, _ in _defined(elf, section, elf.content(section)):
                if names:
                    out[row[2] & ~HIDDEN] = (names[0], True)
    return out


class _Names:
    """The names of versions and libraries, none of them longer than a name can be."""

    def __init__(self, strings: Strings) -> None:
        self._strings = strings

    def text(self, at: int) -> str:
        name = self._strings.text(at)
        if len(name) > LONGEST:
            raise LimitError(f"name of more than {LONGEST} characters", at)
        return name


def _strings(elf: ElfFile, section: Section) -> _Names:
    linked = elf.linked(section)
    if linked is None:
        raise FormatError("versions without a string table")
    return _Names(Strings(elf.content(linked)))


def _needed(
    elf: ElfFile, section: Section, blob: Blob
) -> Iterator[tuple[int, str, tuple[int, ...] | None, str]]:
    """Each Verneed as (offset, file, None, ""), followed by its versions as (offset, file,
    (vna_hash, vna_flags, vna_other, vna_name, vna_next), name)."""
    strings = _strings(elf, section)
    need = struct.Struct(elf.layout.order + "HHIII")
    aux = struct.Struct(elf.layout.order + "IHHII")
    at = count = 0
    while True:
        _, versions, file_at, first, following = need.unpack(blob.part(at, need.size).read())
        library = strings.text(file_at)
        yield at, library, None, ""
        place = at + first
        for _ in range(versions):
            count += 1
            if count > MOST:
                raise LimitError(f"more than {MOST} versions", place)
            row = aux.unpack(blob.part(place, aux.size).read())
            yield place, library, row, strings.text(row[3])
            place += row[4]
            if not row[4]:
                break
        if not following:
            return
        at += following
        count += 1
        if count > MOST:
            raise LimitError(f"more than {MOST} versions", at)


def _needed_facts(elf: ElfFile, index: int, blob: Blob) -> Iterator[Fact | Member]:
    order = elf.layout.order
    names = Names()
    library = ""
    entries = list(_needed(elf, elf.layout.sections[index], blob))
    heads = [*(place for place, entry in enumerate(entries) if entry[2] is None), len(entries)]
    counts = {entries[one][0]: two - one - 1 for one, two in pairwise(heads)}
    for at, file, row, version in entries:
        if row is None:
            library = names.unique(file)
            number, count, _, first, following = struct.unpack(
                order + "HHIII", blob.part(at, 16).read()
            )
            yield Fact("elf.version_needed.vn_version", number, (at, 2), library)
            right = count == counts[at]
            yield Fact("elf.version_needed.vn_cnt", count, (at + 2, 2), library, derived=right)
            yield _place("vn_file", (at + 4, 4), library, blob)
            yield Fact("elf.version_needed.vn_aux", first, (at + 8, 4), library, derived=True)
            yield Fact("elf.version_needed.vn_next", following, (at + 12, 4), library, derived=True)
            continue
        name = names.unique(f"{file} {version}")
        flags = schema.flags_text(row[1], FLAGS)
        yield Fact("elf.version_needed.vna_hash", f"{row[0]:#x}", (at, 4), name, derived=True)
        yield Fact("elf.version_needed.vna_flags", flags, (at + 4, 2), name)
        yield Fact("elf.version_needed.vna_other", row[2], (at + 6, 2), name, derived=True)
        yield Fact("elf.version_needed.vna_name", row[3], (at + 8, 4), name, derived=True)
        yield Fact("elf.version_needed.vna_next", row[4], (at + 12, 4), name, derived=True)


def _place(field: str, at: Span, name: str, blob: Blob) -> Fact:
    """The offset of a string: it follows from the string table."""
    told = blob.part(*at).read().hex()
    return Fact(f"elf.version_needed.{field}", told, at, name, derived=True)


def _defined(
    elf: ElfFile, section: Section, blob: Blob
) -> Iterator[tuple[int, tuple[int, ...], list[str], list[int]]]:
    """Each Verdef as (offset, its row, names: its own, then those it inherits; their offsets)."""
    strings = _strings(elf, section)
    define = struct.Struct(elf.layout.order + "HHHHIII")
    aux = struct.Struct(elf.layout.order + "II")
    at = count = 0
    while True:
        row = define.unpack(blob.part(at, define.size).read())
        place = at + row[5]
        names: list[str] = []
        places: list[int] = []
        for _ in range(row[3]):
            count += 1
            if count > MOST:
                raise LimitError(f"more than {MOST} versions", place)
            name_at, following = aux.unpack(blob.part(place, aux.size).read())
            names.append(strings.text(name_at))
            places.append(place)
            place += following
            if not following:
                break
        yield at, row, names, places
        if not row[6]:
            return
        at += row[6]
        count += 1
        if count > MOST:
            raise LimitError(f"more than {MOST} versions", at)


def _defined_facts(elf: ElfFile, index: int, blob: Blob) -> Iterator[Fact | Member]:
    told = Names()
    kind = "elf.version_defined"
    for at, row, names, places in _defined(elf, elf.layout.sections[index], blob):
        name = told.unique(names[0] if names else f"version {row[2]}")
        yield Fact(f"{kind}.vd_version", row[0], (at, 2), name)
        yield Fact(f"{kind}.vd_flags", schema.flags_text(row[1], FLAGS), (at + 2, 2), name)
        yield Fact(f"{kind}.vd_ndx", row[2], (at + 4, 2), name, derived=True)
        yield Fact(f"{kind}.vd_cnt", row[3], (at + 6, 2), name, derived=row[3] == len(names))
        yield Fact(f"{kind}.vd_hash", f"{row[4]:#x}", (at + 8, 4), name, derived=True)
        yield Fact(f"{kind}.vd_aux", row[5], (at + 12, 4), name, derived=True)
        yield Fact(f"{kind}.vd_next", row[6], (at + 16, 4), name, derived=True)
        for place, inherited in zip(places, names, strict=True):
            spot = blob.part(place, 8).read().hex()
            yield Fact(f"{kind}.vda_place", spot, (place, 8), name, derived=True)
            yield Fact(f"{kind}.vda_name", inherited, None, name)


def _symbol_facts(elf: ElfFile, index: int, blob: Blob) -> Iterator[Fact | Member]:
    known = _known(elf)
    section = elf.layout.sections[index]
    named = elf.symbol_names(section.link)
    names = Names()
    numbers = _numbers(elf, blob)
    for place, number in enumerate(numbers):
        name = names.unique(named[place] if place < len(named) else f"symbol {place}")
        plain = number & ~HIDDEN
        version = known.get(plain, (f"version {plain}", False))[0]
        shown = version if plain > BASE else ("global" if plain else "local")
        if number & HIDDEN:
            shown += ", hidden"
        yield Fact("elf.symbol_version", shown, (place * 2, 2), name)
    if numbers:
        yield whole("elf.symbol_version.layout", blob.part(0, len(numbers) * 2))
