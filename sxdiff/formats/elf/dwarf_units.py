"""DWARF units: .debug_info and .debug_types by unit, DIE and attribute.

Source: DWARF 5, section 7.5 "Format of Debugging Information", and the same section of DWARF 2
to 4; GNU split DWARF ("Fission") for `.dwo` sections before DWARF 5. A unit is told in two
parts, its header with the unit's own DIE, and the DIEs below, so that what only moved in the
first (an offset of a string) does not cost reading the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf import dwarf_schema as schema
from sxdiff.formats.elf.dwarf_data import Content, Debug, debug, numbers, sleb, uleb, unique
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Listing,
    Member,
    Row,
    Symbol,
    text_of,
)

if TYPE_CHECKING:
    from sxdiff.formats.elf.layout import ElfFile

MOST_UNITS = 1 << 18
MOST_HEAD = 64 << 10
"""Bytes of a unit's header and own DIE."""
MOST_READ = 4 << 20
"""Bytes of DIEs that are read of one file; units beyond them are told by their digests."""
LARGE = 17
"""Bits of the size of a unit from which on a DIE is one row (128 KiB), else each attribute is."""
MOST_TEXT = 48 << 20
"""Characters of the rows of a unit."""
LONGEST = 1000
"""Characters of a name that is shown where something refers to it."""
MOST_STRINGS = 1 << 14
"""Strings of a unit that are kept while it is read."""
MOST_ABBREVIATIONS = 1 << 16
MOST_DIE = 8 << 10
"""Bytes of a DIE that is looked at to name it."""
MOST_ATTRIBUTES = 4
"""For each byte of DIEs: some take no byte, so that a few bytes can ask for any number."""
HEAD = " (unit)"
"""What follows a unit's name for its header and own DIE."""
DEPTH = 8
"""References followed to name a DIE that has no name of its own."""
SHOWN = 64
"""Bytes of a block that are told; its digest stands for longer ones."""

Attribute: TypeAlias = tuple[int, int, int, int, str]
"""An attribute of an abbreviation: its number, class of value, size, constant and text."""
Place: TypeAlias = tuple[str, int]


class Abbreviation:
    """What the DIEs of one code look like."""

    __slots__ = ("attributes", "children", "forms", "name", "tag")

    def __init__(self, tag: int, children: bool, forms: list[tuple[int, int, int]]) -> None:
        self.tag = tag
        self.name = schema.tag_name(tag)
        self.children = children
        self.forms = forms
        self.attributes: list[Attribute] | None = None


class Abbreviations:
    """The table at one offset of .debug_abbrev, read as far as its codes are asked for."""

    def __init__(self, content: Content, at: int) -> None:
        if not 0 <= at < content.size:
            raise FormatError(f"no abbreviations at {at:#x}")
        self._content = content
        self._start = self._at = at
        self._size = 4 << 10
        self._data = content.some(at, self._size)
        self._known: dict[int, Abbreviation] = {}
        self._ended = False

    def get(self, code: int) -> Abbreviation:
        """The abbreviation of a code. Raises `FormatError` where there is none."""
        known = self._known.get(code)
        while known is None:
            if self._ended or len(self._known) > MOST_ABBREVIATIONS:
                raise FormatError(f"no abbreviation {code}")
            self._read()
            known = self._known.get(code)
        return known

    def _read(self) -> None:
        while True:
            try:
                found = read_abbreviation(self._data, self._at - self._start)
                break
            except IndexError as error:
                if self._start + len(self._data) >= self._content.size:
                    raise FormatError("abbreviations without an end", self._start) from error
                self._size *= 4
                self._data = self._content.some(self._start, self._size)
        if found is None:
            self._ended = True
            return
        code, one, end = found
        self._known.setdefault(code, one)
        self._at = self._start + end


def read_abbreviation(data: bytes, at: int) -> tuple[int, Abbreviation, int] | None:
    """The declaration at `at`: its code, what it says, the offset behind it; None at the end of
    a table. Raises `IndexError` where it has no end."""
    code, at = uleb(data, at)
    if not code:
        return None
    tag, at = uleb(data, at)
    children = data[at]
    at += 1
    forms: list[tuple[int, int, int]] = []
    while True:
        name, form = data[at], data[at + 1]
        if name < 0x80 and form < 0x80:
            at += 2
        else:
            name, at = uleb(data, at)
            form, at = uleb(data, at)
        constant = 0
        if form == schema.IMPLICIT_CONST:
            constant, at = sleb(data, at)
        if not name and not form:
            return code, Abbreviation(tag, bool(children), forms), at
        forms.append((name, form, constant))


class Unit:
    """One unit: `at` to `end` in its section, its own DIE at `start`, those below at `below`."""

    def __init__(self, known: Debug, section: str, content: Content, at: int) -> None:
        head = content.some(at, 40)
        number = numbers(head, known.order)
        length, place, word = number(0, 4), 4, 4
        if length == 0xFFFFFFFF:
            length, place, word = number(4, 8), 12, 8
        self.known, self.section, self.at, self.word = known, section, at, word
        self.end = at + place + length
        self.version = version = number(place, 2)
        if not 2 <= version <= 5 or self.end > content.size or length < 7:
            raise FormatError(f"unit of version {version}, {length} bytes", at)
        self.header = [Row((0, place), "unit_length"), Row((place, 2), f"version {version}")]
        place += 2
        base = section.partition(" ")[0]
        self.kind = 2 if base.startswith(".debug_types") else 1
        if version >= 5:
            self.kind, self.address_size = head[place], head[place + 1]
            told = f"unit_type {self.kind:#x}, address_size {self.address_size}"
            self.header.append(Row((place, 2), told))
            place += 2
        abbreviations = number(place, word)
        self.header.append(Row((place, word), "debug_abbrev_offset"))
        place += word
        if version < 5:
            self.address_size = head[place]
            self.header.append(Row((place, 1), f"address_size {self.address_size}"))
            place += 1
        self.signature = 0
        if self.kind in (2, 6):  # DW_UT_type, DW_UT_split_type
            self.signature = number(place, 8)
            self.header.append(Row((place, 8), f"type_signature {self.signature:#018x}"))
            self.header.append(Row((place + 8, word), "type_offset"))
            place += 8 + word
        elif version >= 5 and self.kind in (4, 5):  # DW_UT_skeleton, DW_UT_split_compile
            self.header.append(Row((place, 8), "dwo_id"))
            place += 8
        self.start = at + place
        self.dwo = base.endswith(".dwo")
        suffix = ".dwo" if self.dwo else ""
        self.strings = ".debug_str" + suffix
        self._string_offsets = ".debug_str_offsets" + suffix
        self.relocations = relocations = known.relocations(section)
        where = next(row.at[0] for row in self.header if row.text == "debug_abbrev_offset")
        if relocations:
            abbreviations = relocations.get(at + where, (0, abbreviations))[1]
        tables = known.kept.setdefault(f"abbreviations{suffix}", {})
        assert isinstance(tables, dict)  # noqa: S101 - made one line above
        if abbreviations not in tables:
            if len(tables) > 256:
                tables.clear()
            source = known.content(".debug_abbrev" + suffix)
            tables[abbreviations] = Abbreviations(source, abbreviations)
        self.abbreviations: Abbreviations = tables[abbreviations]
        self.root: dict[int, int | str] = {}
        self._string_places: list[tuple[int, int, int]] = []
        self.tag = 0
        self.below = self.start
        self._content = content
        self._labels: dict[int, str] = {}
        self._strings_read: dict[tuple[int, int], str] = {}
        self._read_root()

    def _read_root(self) -> None:
        """The unit's own DIE: values of attributes that say something of the whole unit."""
        at = self.start
        data = self._content.some(at, min(256, self.end - at))
        try:
            self._read_values(data)
        except IndexError:
            data = self._content.some(at, min(MOST_HEAD, self.end - at))
            try:
                self._read_values(data)
            except IndexError as error:
                raise FormatError("unit without a DIE", self.at) from error

    def _read_values(self, data: bytes) -> None:
        code, at = uleb(data, 0)
        self.root = {}
        if not code:
            self.below = self.start + at
            return
        one = self.abbreviations.get(code)
        self.tag = one.tag
        strings: list[tuple[int, int, int]] = []
        for name, kind, size, constant, _ in self.plan(one):
            where = at
            value, at = self.value(data, at, kind, size, constant)
            if kind == schema.STRING_AT:
                strings.append((name, where, constant))
            elif kind == schema.STRING_INDEX:
                strings.append((name, where, 0))
            if isinstance(value, int):
                self.root.setdefault(name, value)
            elif kind == schema.STRING:
                self.root.setdefault(name, text_of(value))
        if at > len(data):
            raise IndexError
        self.below = self.start + at
        self._string_places = strings

    def string_places(self) -> Iterator[tuple[int, str, int]]:
        """Strings of the unit's own DIE that lie in another section: (attribute, section, offset
        there)."""
        for name, where, section in self._string_places:
            offset: int | str | None = self.root[name]
            if isinstance(offset, int) and not section:
                offset = self.string_at(offset)
                if offset is not None:
                    yield name, self.strings, offset
            elif isinstance(offset, int):
                moved = self.relocations.get(self.start + where, (0, offset))[1]
                yield name, self.string_section(section), moved

    def string_section(self, form: int) -> str:
        """The section of strings of a form."""
        return ".debug_line_str" if form == schema.LINE_STRP else self.strings

    @property
    def name(self) -> str:
        """The last part of the unit's file name: what stays where the build's directory does
        not."""
        if self.kind in (2, 6):
            return f"type {self.signature:016x}"
        value = self.root.get(schema.NAME)
        if isinstance(value, str):
            text = value
        else:
            text = next(
                (
                    self.known.content(section).string(offset)
                    for name, section, offset in self.string_places()
                    if name == schema.NAME
                ),
                "",
            )
        text = text.rpartition("/")[2]
        if not text:
            return schema.tag_name(self.tag).removeprefix("DW_TAG_").replace("_", " ")
        return text

    def indexed(self, index: int) -> str:
        """The string of an index."""
        at = self.string_at(index)
        return self.known.content(self.strings).string(at)[:LONGEST] if at is not None else ""

    def string_at(self, index: int) -> int | None:
        """The offset of the string of an index (DWARF 5, 7.26)."""
        base = self.root.get(schema.STR_OFFSETS_BASE)
        if not isinstance(base, int) or self.known.relocatable:
            base = (4 if self.word == 4 else 12) + 4 if self.version >= 5 else 0
        at = base + index * self.word
        moved = self.known.relocations(self._string_offsets).get(at)
        if moved:
            return moved[1]
        found = self.known.content(self._string_offsets).some(at, self.word)
        return int.from_bytes(found, self.known.order) if len(found) == self.word else None

    def address_at(self, index: int) -> int | None:
        """The address of an index in .debug_addr (DWARF 5, 7.27)."""
        base = self.root.get(schema.ADDR_BASE, self.root.get(schema.GNU_ADDR_BASE))
        if not isinstance(base, int) or self.dwo:
            return None
        size = self.address_size
        found = self.known.content(".debug_addr").some(base + index * size, size)
        return int.from_bytes(found, self.known.order) if len(found) == size else None

    def plan(self, one: Abbreviation) -> list[Attribute]:
        """How the attributes of an abbreviation are read in this unit."""
        if one.attributes is None:
            one.attributes = [
                self._attribute(name, form, constant) for name, form, constant in one.forms
            ]
        return one.attributes

    def _attribute(self, name: int, form: int, constant: int) -> Attribute:
        found = schema.FORMS.get(form)
        if found is None:
            raise FormatError(f"form {form:#x}")
        kind, size = found
        if size == schema.WORD:
            size = self.word
            if form == 0x10 and self.version == 2:  # DW_FORM_ref_addr
                size = self.address_size
        elif size == schema.ADDRESS_SIZE:
            size = self.address_size
        if kind == schema.BLOCK and self.version < 4 and name in EXPRESSIONS:
            kind = schema.EXPRESSION
        if kind == schema.UINT and self.version < 4 and size >= 4 and name in schema.OLD_OFFSETS:
            kind = schema.SECTION_OFFSET
        if kind == schema.STRING_AT:
            constant = form
        if form == schema.FLAG_PRESENT:
            constant = 1
        return name, kind, size, constant, schema.attribute_name(name)

    def value(
        self, data: bytes, at: int, kind: int, size: int, constant: int
    ) -> tuple[int | bytes, int]:
        """The value at `at` and the offset behind it."""
        if kind in _NUMBERS:
            if size:
                return int.from_bytes(data[at : at + size], self.known.order), at + size
            return uleb(data, at)
        if kind == schema.CONSTANT:
            return constant, at
        if kind == schema.STRING:
            end = data.find(b"\0", at)
            if end < 0:
                raise IndexError
            return data[at:end], end + 1
        if kind in (schema.EXPRESSION, schema.BLOCK):
            if size:
                length = int.from_bytes(data[at : at + size], self.known.order)
                at += size
            else:
                length, at = uleb(data, at)
            if at + length > len(data):
                raise IndexError
            return data[at : at + length], at + length
        if kind == schema.ULEB:
            return uleb(data, at)
        if kind == schema.SLEB:
            return sleb(data, at)
        if kind == schema.HEX:
            return data[at : at + size], at + size
        raise FormatError("indirect form", at)

    def header_rows(self, blob: Blob) -> Iterator[Row]:
        """The header and the unit's own DIE, as rows that count from the unit's start."""
        yield from self.header
        base = self.start - self.at
        data = blob.read()
        try:
            yield from self._die(data, base, self.at, "", False)[0]
        except IndexError as error:
            raise FormatError("DIE outside of its unit", self.at) from error

    def rows(self, blob: Blob) -> Iterator[Row]:
        """The DIEs below the unit's own, as rows that count from their start."""
        if not self.known.may_read("DIEs", blob.size, MOST_READ):
            # a listing of one row: thousands of places that moved would tell no more
            told = f"{blob.size} bytes of DIEs, not looked into: {digest_of(blob)}"
            yield Row((0, blob.size), told)
            return
        whole = blob.size.bit_length() > LARGE
        data = blob.read()
        at, end, total, attributes = 0, len(data), 0, 0
        labels = [schema.tag_name(self.tag)]
        while at < end:
            if not data[at]:
                yield Row((at, 1), "end of DIEs", (), labels.pop())
                at += 1
                if not labels:
                    break  # what lies behind is padding, or no DIE's
                continue
            try:
                found, at, one, label = self._die(data, at, self.below, labels[-1], whole)
            except IndexError as error:
                raise FormatError("DIE outside of its unit", self.below + at) from error
            yield from found
            attributes += len(one.attributes or ())
            if attributes > MOST_ATTRIBUTES * (end + 1000):
                raise LimitError(f"{attributes} attributes in {at} bytes", self.below)
            total += len(label) + sum(len(row.text) for row in found)
            if total > MOST_TEXT:
                raise LimitError(f"DIEs of more than {MOST_TEXT} characters", self.below + at)
            if one.children:
                labels.append(label)

    def _die(
        self, data: bytes, at: int, base: int, above: str, whole: bool
    ) -> tuple[list[Row], int, Abbreviation, str]:
        """The rows of the DIE at `at` of bytes that start at `base` of the section, one for each
        attribute or one as a `whole`; the offset behind it, its abbreviation and label. `above`
        is the label of the DIE that holds it."""
        start = at
        code = data[at]
        at += 1
        if code >= 0x80:
            code, at = uleb(data, start)
        one = self.abbreviations.get(code)
        order = self.known.order
        behind = at
        tag = one.name
        named = ""
        told: list[tuple[int, int, str, str, tuple[Place, ...]]] = []
        for name, kind, size, constant, attribute in one.attributes or self.plan(one):
            where = at
            text = ""
            refers: tuple[Place, ...] = ()
            value: int | bytes
            if kind == schema.UINT:
                at += size
                number = data[where] if size == 1 else int.from_bytes(data[where:at], order)
                if name not in schema.WITHOUT_VALUE:
                    text = str(number)
            elif kind == schema.CONSTANT:
                continue  # it lies in .debug_abbrev
            elif kind == schema.STRING_AT:
                at += size
                number = int.from_bytes(data[where:at], order)
                refers = ((self.string_section(constant), number),)
                if name == schema.NAME:
                    named = self._string(base + where, number, constant)
            elif kind == schema.REFERENCE and size:
                at += size
                text = self.label(self.at + int.from_bytes(data[where:at], order))
            else:
                if kind == schema.INDIRECT:
                    form, at = uleb(data, at)
                    _, kind, size, constant, _ = self._attribute(name, form, 0)  # noqa: PLW2901
                value, at = self.value(data, at, kind, size, constant)
                text, refers = self._told(name, kind, constant, value)
                if name == schema.NAME:
                    if kind == schema.STRING_INDEX and isinstance(value, int):
                        named = self.indexed(value)
                    else:
                        named = text
            told.append((where, at, attribute, text, refers))
        if at > len(data):
            raise IndexError
        label = f"{tag} {named}" if named else ""
        label = label or self._label_of(one, data, behind, base, DEPTH) or tag
        # a DIE's name is its own row's text, so that DIEs go with those of their name; the
        # unit's own DIE is left without: its name is a path
        own = label if above else tag
        if above and one.tag in _INNER:
            label = f"{label} in {above.rpartition(' in ')[2]}"
        if whole:
            words = [
                f"{attribute} {text}" if text else attribute for _, _, attribute, text, _ in told
            ]
            places = tuple(place for one_of in told for place in one_of[4])
            text = f"{own}: {', '.join(words)}" if words else own
            return [Row((start, at - start), text, places, label)], at, one, label
        rows = [Row((start, behind - start), own, (), label)]
        for where, end, attribute, text, refers in told:
            text = f"{tag} {attribute} {text}" if text else f"{tag} {attribute}"  # noqa: PLW2901
            rows.append(Row((where, end - where), text, refers, label))
        return rows, at, one, label

    def _string(self, where: int, at: int, form: int) -> str:
        """The string that the offset `at`, itself at `where` in the section, means."""
        if self.relocations:
            at = self.relocations.get(where, (0, at))[1]
        known = self._strings_read.get((form, at))
        if known is None:
            if len(self._strings_read) > MOST_STRINGS:
                self._strings_read.clear()
            known = self.known.content(self.string_section(form)).string(at)[:LONGEST]
            self._strings_read[form, at] = known
        return known

    def _told(
        self, name: int, kind: int, constant: int, value: int | bytes
    ) -> tuple[str, tuple[Place, ...]]:
        """A value's text, and the places that it refers to."""
        if isinstance(value, bytes):
            if kind == schema.STRING:
                return text_of(value), ()
            if kind == schema.EXPRESSION or (kind == schema.BLOCK and name in EXPRESSIONS):
                return expression(self.known, value, self.word, self.address_size)
            return value.hex(), ()
        if kind == schema.STRING_AT:
            return "", ((self.string_section(constant), value),)
        if kind == schema.REFERENCE:
            return self.label(self.at + value), ()
        if kind == schema.SECTION_OFFSET:
            if name == schema.STMT_LIST:
                return "", ((".debug_line.dwo" if self.dwo else ".debug_line", value),)
            return "", ()
        if kind == schema.ADDRESS:
            place = self.known.place(value)
            return ("", (place,)) if place else (f"{value:#x}", ())
        if kind == schema.STRING_INDEX:
            offset = self.string_at(value)
            return ("", ((self.strings, offset),)) if offset is not None else (f"#{value}", ())
        if kind == schema.ADDRESS_INDEX:
            address = self.address_at(value)
            place = self.known.place(address) if address is not None else None
            return ("", (place,)) if place else (f"#{value}", ())
        if kind == schema.UNIT_REFERENCE:
            other = unit_over(self.known, self.section, value)
            return (other.label(value) if other else ""), ()
        if kind in (schema.ELSEWHERE, schema.LIST_INDEX):
            return "", ()
        return str(value), ()

    def label(self, at: int, depth: int = DEPTH) -> str:
        """The tag and name of the DIE at an offset of the section: `DW_TAG_base_type int`."""
        key = at * 16 + depth
        known = self._labels.get(key)
        if known is not None:
            return known
        if not self.start <= at < self.end or depth <= 0:
            return "?"
        self._labels[key] = "?"  # of a DIE that refers to itself
        try:
            size = min(512, self.end - at)
            data = self._content.some(at, size)
            try:
                label = self._label_at(data, at, depth)
            except IndexError:
                label = self._label_at(self._content.some(at, MOST_DIE), at, depth)
        except (FormatError, IndexError):
            label = "?"
        self._labels[key] = label
        return label

    def _label_at(self, data: bytes, base: int, depth: int) -> str:
        code, at = uleb(data, 0)
        if not code:
            return "?"
        one = self.abbreviations.get(code)
        return self._label_of(one, data, at, base, depth) or one.name

    def _label_of(
        self, one: Abbreviation, data: bytes, at: int, base: int, depth: int
    ) -> str | None:
        """The label of a DIE by its attributes at `at`; None where nothing names it."""
        found: str | None = None
        for name, kind, size, constant, _ in self.plan(one):
            if name not in _NAMING:
                if kind in _NUMBERS and size:
                    at += size
                elif kind == schema.INDIRECT:
                    return None
                else:
                    _, at = self.value(data, at, kind, size, constant)
                continue
            where = at
            value, at = self.value(data, at, kind, size, constant)
            if name == schema.NAME:
                if kind == schema.STRING_AT and isinstance(value, int):
                    text = self._string(base + where, value, constant)
                elif kind == schema.STRING_INDEX and isinstance(value, int):
                    text = self.indexed(value)
                else:
                    text = text_of(value) if isinstance(value, bytes) else ""
                if text:
                    return f"{one.name} {text}"
            elif kind == schema.REFERENCE and isinstance(value, int):
                target = self.label(self.at + value, depth - 1)
                if name == schema.TYPE:
                    if one.tag not in _VARIABLES:
                        found = f"{one.name} of {target}"
                elif target.startswith("DW_TAG"):
                    found = f"{one.name} {target.partition(' ')[2]}"
        return found if found is None or len(found) < 1000 else f"{found[:1000]}..."


_NUMBERS = frozenset(
    {
        schema.UINT,
        schema.STRING_AT,
        schema.STRING_INDEX,
        schema.REFERENCE,
        schema.SECTION_OFFSET,
        schema.ADDRESS,
        schema.ADDRESS_INDEX,
        schema.UNIT_REFERENCE,
        schema.ELSEWHERE,
        schema.LIST_INDEX,
    }
)
"""Classes of values that are a number of a fixed size, or LEB128 where that is 0."""
_NAMING = frozenset({schema.NAME, schema.TYPE, schema.ABSTRACT_ORIGIN, schema.SPECIFICATION})
_INNER = frozenset({0x05, 0x0B, 0x0D, 0x18, 0x21, 0x28, 0x34, 0x48, 0x49, 0x1D})
"""Tags that say little without what holds them: parameters, blocks, members, variables, calls."""
_VARIABLES = frozenset({0x05, 0x0D, 0x2E, 0x34, 0x1D, 0x48, 0x49, 0x21, 0x15})
EXPRESSIONS = frozenset(
    {0x02, 0x19, 0x2A, 0x38, 0x40, 0x46, 0x48, 0x4A, 0x4D, 0x50}
    | {0x7D, 0x7E, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86}
    | {0x2111, 0x2112, 0x2113, 0x2114}
)
"""Attributes whose blocks are expressions."""


def expression(
    known: Debug, data: bytes, word: int, address_size: int, depth: int = 0
) -> tuple[str, tuple[Place, ...]]:
    """A DWARF expression as text, and the places whose addresses it holds."""
    told: list[str] = []
    refers: list[Place] = []
    at = 0
    try:
        while at < len(data):
            code = data[at]
            at += 1
            words = [schema.operation_name(code)]
            for operand in schema.OPERANDS.get(code, ""):
                if operand in "1248":
                    size = int(operand)
                    if code != 0xFA:  # DW_OP_GNU_parameter_ref: an offset
                        words.append(str(int.from_bytes(data[at : at + size], known.order)))
                    at += size
                elif operand == "u":
                    value, at = uleb(data, at)
                    words.append(str(value))
                elif operand == "s":
                    value, at = sleb(data, at)
                    words.append(str(value))
                elif operand == "a":
                    value = int.from_bytes(data[at : at + address_size], known.order)
                    at += address_size
                    place = known.place(value)
                    if place:
                        refers.append(place)
                    else:
                        words.append(f"{value:#x}")
                elif operand == "o":
                    at += word
                elif operand == "r":
                    _, at = uleb(data, at)
                else:
                    if operand == "B":
                        size, at = data[at], at + 1
                    else:
                        size, at = uleb(data, at)
                    inner = data[at : at + size]
                    at += size
                    if code in (0xA3, 0xF3) and depth < 4:
                        text, more = expression(known, inner, word, address_size, depth + 1)
                        words.append(f"({text})")
                        refers += more
                    else:
                        words.append(inner.hex())
            told.append(" ".join(words))
    except (IndexError, FormatError):
        return data.hex(), ()
    if at > len(data):
        return data.hex(), ()
    return "; ".join(told), tuple(refers)


def units(known: Debug, name: str = ".debug_info") -> list[Unit]:
    """All units of a section, up to the first that is damaged."""
    kept = known.kept.get(name)
    if isinstance(kept, list):
        return kept
    out: list[Unit] = []
    content = known.content(name)
    at = 0
    try:
        while at < content.size and len(out) < MOST_UNITS:
            out.append(Unit(known, name, content, at))
            at = out[-1].end
    except (FormatError, IndexError):
        pass
    known.kept[name] = out
    return out


def unit_over(known: Debug, name: str, at: int) -> Unit | None:
    """The unit that holds the byte at `at`."""
    found = units(known, name)
    low, high = 0, len(found)
    while low < high:
        middle = (low + high) // 2
        if found[middle].at <= at:
            low = middle + 1
        else:
            high = middle
    return found[low - 1] if low and at < found[low - 1].end else None


def inside_units(elf: ElfFile, index: int) -> Inside | None:
    """A teller: .debug_info and .debug_types by unit."""
    name = elf.layout.sections[index].name
    known = (".debug_info", ".debug_types", ".debug_info.dwo", ".debug_types.dwo")
    if name.partition(" ")[0] not in known:
        return None
    return Inside("elf.dwarf", partial(_parts, elf, name))


def _parts(elf: ElfFile, name: str, blob: Blob) -> Iterator[Fact | Member]:
    known = debug(elf)
    known.use(name, blob)
    for unit, name_of_unit in named_units(known, name):
        head, below = unit.below - unit.at, unit.end - unit.below
        yield Member(
            f"{name_of_unit}{HEAD}",
            blob.part(unit.at, head),
            (unit.at, head),
            "elf.dwarf.unit",
            inside=Listing("elf.dwarf", unit.header_rows),
        )
        if below:
            yield Member(
                name_of_unit,
                blob.part(unit.below, below),
                (unit.below, below),
                "elf.dwarf.dies",
                inside=Listing("elf.dwarf", unit.rows),
            )


def named_units(known: Debug, name: str) -> Iterator[tuple[Unit, str]]:
    """Units with unique names: one met again gets ` #2`."""
    return unique((unit, unit.name) for unit in units(known, name))


def symbols_of_units(elf: ElfFile, name: str) -> list[Symbol]:
    """Symbols of .debug_info: each unit."""
    return [
        Symbol(unit.at, unit.end - unit.at, text) for unit, text in named_units(debug(elf), name)
    ]
