"""DWARF line tables: which source line each instruction comes from.

Source: DWARF 5, section 6.2 "Line Number Information", with the headers of DWARF 2 to 4 (their
sections 6.2.4); 7.22 for the numbers. A row of the listing is one entry of the line table: what
its opcodes change, so that another choice of opcodes for the same change is layout.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf.dwarf_data import (
    Content,
    Debug,
    debug,
    numbers,
    sleb,
    string_end,
    uleb,
    unique,
)
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

MOST_HEADER = 16 << 20
"""Bytes of one header: its directories and files."""
MOST_RUN = 3 << 20
"""Bytes of line programs of one file that are run to find lines of addresses."""
MOST_NAMES = 64 << 20
"""Characters of the names of all directories and files of one file."""
MOST_TEXT = 64 << 20
"""Characters of the rows of a line program."""
MOST_READ = 1 << 20
"""Bytes of line programs that are listed of one file; later ones are told by their digests."""
MOST_PROGRAMS = 1 << 18
LONGEST = 1000
"""Characters of a file's name that are shown with a line."""

# standard opcodes (DWARF 5, table 7.25)
COPY, ADVANCE_PC, ADVANCE_LINE, SET_FILE, SET_COLUMN, NEGATE_STMT = 1, 2, 3, 4, 5, 6
BASIC_BLOCK, CONST_ADD_PC, FIXED_ADVANCE_PC, PROLOGUE_END, EPILOGUE_BEGIN = 7, 8, 9, 10, 11
SET_ISA = 12
# extended opcodes (table 7.26)
END_SEQUENCE, SET_ADDRESS, DEFINE_FILE, SET_DISCRIMINATOR = 1, 2, 3, 4
# content types (table 7.27) and the forms that go with them (table 7.6)
PATH, DIRECTORY_INDEX, TIMESTAMP, SIZE, MD5 = 1, 2, 3, 4, 5
STRINGS_OF_FORM = {0x0E: ".debug_str", 0x1F: ".debug_line_str"}
FIXED_FORMS = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}


@dataclass(slots=True)
class Entry:
    """A directory or a file of a header: where its bytes lie, its name and where that lies."""

    at: int
    size: int
    name: str
    refers: tuple[tuple[str, int], ...] = ()
    directory: int = 0
    more: str = ""


@dataclass(slots=True)
class Program:
    """One line program: `at` to `end` in .debug_line, its opcodes from `start`."""

    at: int
    end: int
    start: int
    version: int
    wide: bool
    rows: list[Row]
    """The header's own fields, as rows that count from `at`."""
    step: int
    default_stmt: bool
    line_base: int
    line_range: int
    opcode_base: int
    lengths: bytes
    directories: list[Entry] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The last part of the name of the file that was compiled."""
        first = 0 if self.version >= 5 else 1
        if self.version >= 5 and len(self.files) > 1 and not self.files[0].name:
            first = 1
        return self.file(first)

    def file(self, number: int) -> str:
        """The last part of the name of a file by its number in the program."""
        place = number if self.version >= 5 else number - 1
        if 0 <= place < len(self.files):
            return self.files[place].name.rpartition("/")[2][:LONGEST] or f"file {number}"
        return f"file {number}"


def programs(known: Debug, name: str = ".debug_line") -> list[Program]:
    """All programs of a file, up to the first that is damaged."""
    kept = known.kept.get(name)
    if isinstance(kept, list):
        return kept
    out: list[Program] = []
    content = known.content(name)
    at = 0
    try:
        while at < content.size and len(out) < MOST_PROGRAMS:
            out.append(read_program(known, name, content, at))
            at = out[-1].end
    except (FormatError, IndexError):
        pass
    known.kept[name] = out
    return out


def program_at(known: Debug, at: int, name: str = ".debug_line") -> Program | None:
    """The program whose header starts at `at`; None where it is damaged."""
    kept = known.kept.setdefault(f"{name} by place", {})
    assert isinstance(kept, dict)  # noqa: S101 - made one line above
    if at not in kept:
        try:
            kept[at] = read_program(known, name, known.content(name), at)
        except (FormatError, IndexError):
            kept[at] = None
    found: Program | None = kept[at]
    return found


def read_program(known: Debug, name: str, content: Content, at: int) -> Program:
    """The header at `at`. Raises `FormatError` or `IndexError` where it is damaged."""
    order = known.order
    head = content.some(at, 64)
    number = numbers(head, known.order)
    length, place, word = number(0, 4), 4, 4
    if length == 0xFFFFFFFF:
        length, place, word = number(4, 8), 12, 8
    end = at + place + length
    version = number(place, 2)
    if not 2 <= version <= 5 or end > content.size or length < 12:
        raise FormatError(f"line program of version {version}, {length} bytes", at)
    told = f"version {version}"
    fixed = place
    place += 2
    if version >= 5:
        told += f", address_size {head[place]}, segment_selector_size {head[place + 1]}"
        place += 2
    size = number(place, word)
    start = at + place + word + size
    if start > end or size > MOST_HEADER:
        raise FormatError(f"line program's header of {size} bytes", at)
    rows = [
        Row((0, fixed), "unit_length"),
        Row((fixed, place - fixed), told),
        Row((place, word), "header_length"),
    ]
    fixed = place = place + word
    data = content.read(at, start - at)
    step = data[place]
    told = f"minimum_instruction_length {step}"
    place += 1
    if version >= 4:
        told += f", maximum_operations_per_instruction {data[place]}"
        place += 1
    line_base = int.from_bytes(data[place + 1 : place + 2], order, signed=True)
    line_range, opcode_base = data[place + 2], data[place + 3]
    default_stmt = bool(data[place])
    told += f", default_is_stmt {data[place]}, line_base {line_base}, line_range {line_range}"
    told += f", opcode_base {opcode_base}"
    place += 4
    lengths = data[place : place + max(0, opcode_base - 1)]
    place += max(0, opcode_base - 1)
    told += f", standard_opcode_lengths {' '.join(map(str, lengths))}"
    rows.append(Row((fixed, place - fixed), told))
    if not line_range:
        raise FormatError("line program with a line_range of 0", at)
    program = Program(
        at,
        end,
        start,
        version,
        word == 8,
        rows,
        step,
        default_stmt,
        line_base,
        line_range,
        opcode_base,
        lengths,
    )
    if version >= 5:
        place = _entries(known, name, data, at, place, word, program, program.directories)
        _entries(known, name, data, at, place, word, program, program.files)
    else:
        _old_entries(data, place, program)
    return program


def _old_entries(data: bytes, place: int, program: Program) -> None:
    """include_directories and file_names of DWARF 2 to 4."""
    while data[place]:
        end = string_end(data, place)
        program.directories.append(Entry(place, end + 1 - place, text_of(data[place:end])))
        place = end + 1
    place += 1
    while data[place]:
        start = place
        end = string_end(data, place)
        directory, place = uleb(data, end + 1)
        time, place = uleb(data, place)
        size, place = uleb(data, place)
        more = (f", time {time}" if time else "") + (f", size {size}" if size else "")
        name = text_of(data[start:end])
        program.files.append(Entry(start, place - start, name, (), directory, more))


def _entries(
    known: Debug,
    name: str,
    data: bytes,
    base: int,
    place: int,
    word: int,
    program: Program,
    out: list[Entry],
) -> int:
    """A table of entries of DWARF 5 at `place`; the offset behind it."""
    first = place
    pairs = data[place]
    place += 1
    formats: list[tuple[int, int]] = []
    for _ in range(pairs):
        kind, place = uleb(data, place)
        form, place = uleb(data, place)
        formats.append((kind, form))
    count, place = uleb(data, place)
    told = " ".join(f"{kind:#x}:{form:#x}" for kind, form in formats)
    what = "directories" if out is program.directories else "files"
    program.rows.append(Row((first, place - first), f"{count} {what}, format {told}"))
    if not formats or count > len(data):
        if count:
            raise FormatError(f"{count} entries of a line program", base + place)
        return place
    relocations = known.relocations(name)
    order = known.order
    for _ in range(count):
        entry = Entry(place, 0, "")
        more: list[str] = []
        for kind, form in formats:
            value: int | str
            section = STRINGS_OF_FORM.get(form)
            if section:
                value = int.from_bytes(data[place : place + word], order)
                if relocations:
                    value = relocations.get(base + place, (0, value))[1]
                place += word
                entry.refers += ((section, value),)
                value = known.content(section).string(value)
            elif form == 0x08:  # DW_FORM_string
                end = string_end(data, place)
                value = text_of(data[place:end])
                place = end + 1
            elif form in FIXED_FORMS:
                size = FIXED_FORMS[form]
                raw = data[place : place + size]
                value = raw.hex() if size == 16 else int.from_bytes(raw, order)
                place += size
            elif form == 0x0F:  # DW_FORM_udata
                value, place = uleb(data, place)
            elif form == 0x09:  # DW_FORM_block
                size, place = uleb(data, place)
                value = data[place : place + size].hex()
                place += size
            else:
                raise FormatError(f"form {form:#x} in a line program", base + place)
            if place > len(data):
                raise FormatError("entries of a line program outside of its header", base)
            if kind == PATH:
                entry.name = str(value)
                if not section:
                    more.append(str(value))
            elif kind == DIRECTORY_INDEX and isinstance(value, int):
                entry.directory = value
            else:
                what = {TIMESTAMP: "time", SIZE: "size", MD5: "MD5"}.get(kind, f"{kind:#x}")
                more.append(what if section else f"{what} {value}")
        if not known.may_read("names", len(entry.name) + sum(map(len, more)), MOST_NAMES):
            raise LimitError(f"names of line programs of more than {MOST_NAMES} characters")
        entry.size = place - entry.at
        entry.more = "".join(f", {one}" for one in more)
        out.append(entry)
    return place


def header_rows(program: Program, _blob: Blob) -> Iterator[Row]:
    """The header's fields, directories and files, as rows that count from its start."""
    rows = list(program.rows)
    inline = program.version < 5
    for number, one in enumerate(program.directories):
        told = f"directory {one.name}" if inline else f"directory {number}{one.more}"
        rows.append(Row((one.at, one.size), told, one.refers, one.name))
    for number, one in enumerate(program.files, not program.version >= 5):
        # a whole path may hold the directory of the build, which is told where it is kept
        told = one.name if inline else one.name.rpartition("/")[2]
        more = "" if inline and not one.more else one.more
        text = f"file {told}, directory {one.directory}{more}"
        rows.append(Row((one.at, one.size), text, one.refers, f"file {number} {one.name}"))
    rows.sort(key=lambda row: row.at)
    return iter(rows)


def program_rows(known: Debug, name: str, program: Program, blob: Blob) -> Iterator[Row]:
    """The entries of a line table whose opcodes are `blob`, as rows."""
    if not known.may_read("lines", blob.size, MOST_READ):
        told = f"{blob.size} bytes of a line table, not looked into: {digest_of(blob)}"
        yield Row((0, blob.size), told)
        return
    total = 0
    for start, end, address, told, file, line, _ in run(known, name, program, blob.read()):
        refers = (address,) if address else ()
        label = f"{program.file(file)}:{line}"
        total += len(told) + len(label)
        if total > MOST_TEXT:
            raise LimitError(f"line program of more than {MOST_TEXT} characters", start)
        yield Row((start, end - start), told, refers, label)


def run(
    known: Debug, name: str, program: Program, data: bytes
) -> Iterator[tuple[int, int, tuple[str, int] | None, str, int, int, bool]]:
    """Each entry of the line table: its bytes from, to (from the first opcode), its place as
    (section, offset), what it changes, file, line, and whether it ends a sequence."""
    order = known.order
    relocations = known.relocations(name)
    base, span = program.opcode_base, program.line_range
    line_base, step = program.line_base, program.step
    const_add = (255 - base) // span * step
    at = start = 0
    end = len(data)
    file = line = told_line = 1
    section: str | None = None
    address = 0
    changes: list[str] = []
    try:
        while at < end:
            opcode = data[at]
            at += 1
            if opcode >= base:
                line += line_base + (opcode - base) % span
                address += (opcode - base) // span * step
            elif opcode == COPY:
                pass
            elif opcode == 0:
                size, at = uleb(data, at)
                what, behind = data[at] if size else 0, at + size
                if behind > end:
                    raise FormatError("extended opcode outside of its program", at)
                if what == END_SEQUENCE:
                    yield start, behind, _at(section, address), "end of sequence", file, line, True
                    start = behind
                    file = line = told_line = 1
                    section, address = None, 0
                    changes = []
                elif what == SET_ADDRESS:
                    address = int.from_bytes(data[at + 1 : behind], order)
                    moved = relocations.get(program.start + at + 1)
                    if moved and moved[0] < len(known.elf.layout.sections):
                        section, address = known.elf.layout.sections[moved[0]].name, moved[1]
                    else:
                        found = known.place(address)
                        section, address = found if found else (None, address)
                    changes.append("address" if section else f"address {address:#x}")
                elif what == SET_DISCRIMINATOR:
                    value, _ = uleb(data, at + 1)
                    changes.append(f"discriminator {value}")
                else:
                    changes.append(f"opcode 0 {what} {data[at + 1 : behind].hex()}")
                at = behind
                continue
            elif opcode == ADVANCE_LINE:
                value, at = sleb(data, at)
                line += value
                continue
            elif opcode == SET_FILE:
                file, at = uleb(data, at)
                changes.append(f"file {file} {program.file(file)}")
                continue
            elif opcode == SET_COLUMN:
                value, at = uleb(data, at)
                changes.append(f"column {value}")
                continue
            elif opcode == ADVANCE_PC:
                value, at = uleb(data, at)
                address += value * step
                continue
            elif opcode == CONST_ADD_PC:
                address += const_add
                continue
            elif opcode == FIXED_ADVANCE_PC:
                moved = relocations.get(program.start + at)
                value = int.from_bytes(data[at : at + 2], order)
                address += moved[1] if moved else value
                at += 2
                continue
            elif opcode == NEGATE_STMT:
                changes.append("is_stmt")
                continue
            elif opcode == PROLOGUE_END:
                changes.append("prologue_end")
                continue
            elif opcode == EPILOGUE_BEGIN:
                changes.append("epilogue_begin")
                continue
            elif opcode == BASIC_BLOCK:
                changes.append("basic_block")
                continue
            else:
                values = []
                for _ in range(program.lengths[opcode - 1]):
                    value, at = uleb(data, at)
                    values.append(str(value))
                changes.append(f"opcode {opcode} {' '.join(values)}")
                continue
            told = f"line {line - told_line:+d}"
            if changes:
                told = f"{told}, {', '.join(changes)}"
                changes = []
            yield start, at, _at(section, address), told, file, line, False
            start = at
            told_line = line
    except IndexError as error:
        raise FormatError("opcode outside of its program", at) from error


def _at(section: str | None, address: int) -> tuple[str, int] | None:
    return (section, address) if section else None


def inside_lines(elf: ElfFile, index: int) -> Inside | None:
    """A teller: .debug_line by program, its header and its entries."""
    name = elf.layout.sections[index].name
    if name.partition(" ")[0] not in (".debug_line", ".debug_line.dwo"):
        return None
    return Inside("elf.line", partial(_parts, elf, name))


def _parts(elf: ElfFile, name: str, blob: Blob) -> Iterator[Fact | Member]:
    known = debug(elf)
    known.use(name, blob)
    for program, text in named_programs(known, name):
        header, opcodes = program.start - program.at, program.end - program.start
        yield Member(
            f"{text} (header)",
            blob.part(program.at, header),
            (program.at, header),
            "elf.line.header",
            inside=Listing("elf.line", partial(header_rows, program)),
        )
        yield Member(
            text,
            blob.part(program.start, opcodes),
            (program.start, opcodes),
            "elf.line.program",
            inside=Listing("elf.line", partial(program_rows, known, name, program)),
        )


def named_programs(known: Debug, section: str) -> Iterator[tuple[Program, str]]:
    """Programs with unique names: one met again gets ` #2`."""
    return unique((program, program.name) for program in programs(known, section))


def symbols_of_lines(elf: ElfFile, name: str) -> list[Symbol]:
    """Symbols of .debug_line: each program."""
    return [
        Symbol(program.at, program.end - program.at, text)
        for program, text in named_programs(debug(elf), name)
    ]


def source_of(elf: ElfFile, index: int) -> Callable[[int], str | None] | None:
    """What gives the source line (`main.c:12`) of an offset in section `index`; None where the
    file has no line tables. Programs are run when it is first asked, and once for a file."""
    known = debug(elf)
    if elf.named(".debug_line") is None:
        return None
    name = elf.layout.sections[index].name
    return lambda at: _lines_of(known).line(name, at)


def _lines_of(known: Debug) -> Lines:
    kept = known.kept.get("lines")
    if not isinstance(kept, Lines):
        kept = known.kept["lines"] = Lines(known)
    return kept


class Lines:
    """The line tables of a file, run as far as they were asked for."""

    def __init__(self, known: Debug) -> None:
        self._known = known
        self._left = MOST_RUN
        self._next = 0
        self._run: set[int] = set()
        self._found: dict[str, _Table] = {}
        self._ranges: tuple[list[int], list[tuple[int, int]]] | None = None

    def line(self, section: str, at: int) -> str | None:
        """The line of an offset in a section."""
        table = self._found.setdefault(section, _Table())
        told = table.line(at)
        if told:
            return told
        hint = self._hint(section, at)
        if hint is not None and hint not in self._run:
            self._take(program_at(self._known, hint))
            told = table.line(at)
            if told:
                return told
        found = programs(self._known)
        # twice as many each time: a table is sorted anew when more has come
        while self._next < len(found) and self._left > 0:
            behind = 2 * self._next + 1
            for program in found[self._next : behind]:
                if program.at not in self._run:
                    self._take(program)
            self._next = behind
            told = table.line(at)
            if told:
                return told
        return None

    def _hint(self, section: str, at: int) -> int | None:
        """The program of the unit that says it has this address."""
        target = self._known.elf.named(section)
        if target is None or self._known.relocatable:
            return None
        if self._ranges is None:
            from sxdiff.formats.elf.dwarf_tables import line_ranges  # noqa: PLC0415 - it needs lines

            found = sorted(line_ranges(self._known))
            self._ranges = [one[0] for one in found], [one[1:] for one in found]
        address = target.address + at
        number = bisect_right(self._ranges[0], address) - 1
        if number >= 0 and address < self._ranges[1][number][0]:
            return self._ranges[1][number][1]
        return None

    def _take(self, program: Program | None) -> None:
        if program is None:
            return
        self._run.add(program.at)
        size = program.end - program.start
        if size > self._left:
            self._left = 0
            return
        self._left -= size
        content = self._known.content(".debug_line")
        try:
            data = content.read(program.start, size)
            for _, _, place, _, file, line, last in run(self._known, ".debug_line", program, data):
                if place:
                    table = self._found.setdefault(place[0], _Table())
                    table.add(place[1], 0 if last else line, program, file)
        except FormatError:
            return


class _Table:
    """The lines of one section, by offset."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int]] = []
        self._sorted: list[tuple[int, int, int]] = []
        self._starts = array("Q")
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}

    def add(self, at: int, line: int, program: Program, file: int) -> None:
        name = program.file(file)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        # of several entries at one place the last one holds; an end yields to any other
        self._rows.append((at, line, number))

    def line(self, at: int) -> str | None:
        """The last entry at or before `at`, where no sequence ends between them."""
        if len(self._rows) != len(self._sorted):
            # stable: entries of one place keep their order, but ends come first
            self._sorted = sorted(self._rows, key=lambda row: (row[0], row[1] != 0))
            self._rows = list(self._sorted)
            self._starts = array("Q", (row[0] & (2**64 - 1) for row in self._sorted))
        place = bisect_right(self._starts, at) - 1
        if place < 0:
            return None
        _, line, number = self._sorted[place]
        return f"{self._names[number]}:{line}" if line else None
