"""Machine code of an ELF file: by function, and each function instruction by instruction.

Functions pair by their names, wherever they lie. Only those whose bytes differ are
disassembled; addresses in operands are told as what they point at, so that what merely follows
from code or data that moved is a consequence. Where no symbol names functions, a whole section
is one listing.

Source: gABI 4.1, "Symbol Table"; ELF for the Arm Architecture and for AArch64, "Mapping
symbols"; RISC-V psABI, "Mapping Symbol". Padding: GNU as documentation, ".p2align", and the
no-operations that it and LLVM write.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from sxdiff.formats.digest import digest_of
from sxdiff.formats.elf import schema
from sxdiff.formats.elf.dwarf_lines import source_of
from sxdiff.formats.elf.functions import function_starts
from sxdiff.formats.elf.instructions import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_PPC,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_SPARC,
    EM_SPARC32PLUS,
    EM_SPARCV9,
    EM_X86_64,
    PLACE,
    Image,
    Instruction,
    Stretch,
    instructions,
    knows,
)
from sxdiff.formats.elf.layout import ElfFile
from sxdiff.formats.elf.references import (
    SHF_EXECINSTR,
    Extent,
    References,
    Relocation,
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

FORMAT = "elf.code"
SHT_PROGBITS = 1
ET_EXEC = 2
"""Bytes of one file that are disassembled."""
MOST_UNNAMED = 4 << 20
"""Size of a section without functions up to which it is disassembled as a whole."""
SHOWN = 64
"""Bytes of padding that are told; a digest stands for more."""
ALIGNED = 8
"""Where code goes on behind padding in a function; compilers align loops to 8, 16 and 32."""
KEPT = "elf.code"

_X86_PADDING = re.compile(
    rb"(?:\xcc|\x90|\x00|\x66\x90"
    rb"|\x66*(?:\x2e)?\x0f\x1f(?:\x00|\x40.|\x44..|\x80....|\x84.....)"
    rb"|\x2e?\x8d(?:\x76\x00|\x74\x26\x00|[\xb6\xbf]\x00{4}|[\xb4\xbc][\x26\x27]\x00{4}))*",
    re.DOTALL,
)


def _words(*words: bytes) -> "re.Pattern[bytes]":
    return re.compile(b"(?:" + b"|".join(map(re.escape, words)) + b"|\x00)*")


_PADDING: Mapping[tuple[int, str], "re.Pattern[bytes]"] = {
    (EM_386, "<"): _X86_PADDING,
    (EM_X86_64, "<"): _X86_PADDING,
    (EM_AARCH64, "<"): _words(b"\x1f\x20\x03\xd5"),
    (EM_ARM, "<"): _words(
        b"\x00\xf0\x20\xe3", b"\x00\x00\xa0\xe1", b"\x00\xbf", b"\xaf\xf3\x00\x80", b"\xc0\x46"
    ),
    (EM_RISCV, "<"): _words(b"\x01\x00", b"\x13\x00\x00\x00"),
    (EM_PPC, ">"): _words(b"\x60\x00\x00\x00"),
    (EM_PPC64, ">"): _words(b"\x60\x00\x00\x00"),
    (EM_PPC64, "<"): _words(b"\x00\x00\x00\x60"),
    (EM_S390, ">"): _words(b"\x07\x07", b"\x07\x00"),
    (EM_SPARC, ">"): _words(b"\x01\x00\x00\x00"),
    (EM_SPARC32PLUS, ">"): _words(b"\x01\x00\x00\x00"),
    (EM_SPARCV9, ">"): _words(b"\x01\x00\x00\x00"),
}
_ZEROS = re.compile(rb"\x00*")


def inside(elf: ElfFile, index: int) -> Inside | Listing | None:
    """How to look into a section of machine code; None for every other section."""
    section = elf.layout.sections[index]
    if not section.flags & SHF_EXECINSTR or section.type != SHT_PROGBITS:
        return None
    if section.flags & schema.SHF_COMPRESSED or not section.size:
        return None
    code = elf.kept.get(KEPT)
    if not isinstance(code, _Code):
        code = elf.kept[KEPT] = _Code(elf)
    return Inside(FORMAT, partial(code.parts, index))


Refers: TypeAlias = tuple[tuple[str, int], ...]


class _Code:
    """The code of one file, and how much of it was disassembled."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        machine, order = elf.layout.machine, elf.layout.order
        self._references = References(elf, _PADDING.get((machine, order), _ZEROS))
        self._left = elf.limits.code_bytes
        self._starts: Sequence[int] | None = None
        self._image: Image | None = None
        self._relocations: dict[int, Sequence[Relocation]] = {}

    def parts(self, index: int, blob: Blob) -> Iterator[Fact | Member]:
        """Functions, what lies between them, and padding, of the section's content."""
        listed = knows(self._elf.layout.machine)
        source = source_of(self._elf, index)
        linked = self._elf.layout.type != schema.ET_REL
        base = self._elf.layout.sections[index].address if linked else None
        for extent in self._references.extents(index):
            at, size, name = extent.at, extent.size, extent.name
            if extent.padding:
                span = (at - extent.padding, extent.padding)
                pad = blob.part(*span)
                value = pad.read().hex() if pad.size <= SHOWN else digest_of(pad)
                yield Fact("elf.code.padding", value, span, name.removeprefix("after "), True)
            if not size:
                continue
            small = extent.known or size <= MOST_UNNAMED
            yield Member(
                name,
                blob.part(at, size),
                (at, size),
                FORMAT,
                opaque=True,
                inside=Listing(FORMAT, _Rows(self, index, extent)) if listed and small else None,
                symbols=(Symbol(0, size, name),) if extent.known else (),
                source=partial(_line, source, at) if source else None,
                address=None if base is None else base + at,
            )

    def cuts(self, index: int, extent: Extent) -> Sequence[int]:
        """Where functions start in an extent, as far as the table for unwinding says."""
        layout = self._elf.layout
        if layout.type == schema.ET_REL:
            return ()
        if self._starts is None:
            self._starts = function_starts(self._elf.blob, layout)
        first = layout.sections[index].address + extent.at
        low = bisect_right(self._starts, first)
        high = bisect_left(self._starts, first + extent.size)
        return [start - first for start in self._starts[low:high]]

    def rows(self, index: int, extent: Extent, blob: Blob) -> Iterator[Row]:
        """The instructions of one function, whose bytes are `blob`."""
        if blob.size > self._left:
            most = self._elf.limits.code_bytes
            raise LimitError(f"more than {most} bytes of code that differs")
        self._left -= blob.size
        layout = self._elf.layout
        section = layout.sections[index]
        relocatable = layout.type == schema.ET_REL
        base = 0 if relocatable else section.address
        data = blob.read()
        start = base + extent.at
        found = instructions(self.image, list(self._stretches(index, extent.at, base, data)), start)
        if layout.machine in (EM_386, EM_X86_64):
            found = list(_without_padding(found))
        here = (index, extent.name)
        said = (
            self._relocated(found, self._fixes(index), here)
            if relocatable
            else self._addressed(found, here)
        )
        label = extent.name if extent.known else ""
        stubs = section.name.startswith(".plt")
        for row, (text, refers, placed) in zip(found, said, strict=True):
            at = row.at - start
            if stubs and text.startswith("push "):
                text = "push index"  # noqa: PLW2901 - of a relocation: its place in the table
            elif not placed and not row.folded:
                # the bytes of an instruction may say more than its text
                raw = int.from_bytes(data[at : at + row.size], "big")
                refers = (("encoding", raw),)  # noqa: PLW2901
            yield Row(
                (at, row.size), text if text.isascii() else text_of(text.encode()), refers, label
            )

    def _addressed(
        self, found: Iterable[Instruction], here: tuple[int, str]
    ) -> Iterator[tuple[str, Refers, bool]]:
        """Instructions of a linked file as text, places, and whether they tell an address."""
        for row in found:
            if row.target is None or not row.template:
                yield row.text, (), False
                continue
            said = self._references.said(row.target, here)
            text, refers = said or (f"{row.target:#x}", ())
            yield row.template.replace(PLACE, text), refers, True

    def _relocated(
        self, found: Iterable[Instruction], fixes: Sequence[Relocation], here: tuple[int, str]
    ) -> Iterator[tuple[str, Refers, bool]]:
        """The same of a relocatable file: what a relocation says goes before the operand, which
        only waits for it."""
        starts = [fix.at for fix in fixes]
        for row in found:
            number = bisect_right(starts, row.at - 1)
            while number < len(fixes) and not fixes[number].symbol.name:
                number += 1  # R_RISCV_RELAX and the like say nothing of a place
            if number < len(fixes) and fixes[number].at < row.at + row.size:
                yield self._fixed(row, fixes[number], here)
            elif row.target is not None and row.template and row.relative:
                text, refers = self._references.place(here[0], row.target, here)
                yield row.template.replace(PLACE, text), refers, True
            else:
                yield row.text, (), False

    def _fixed(
        self, row: Instruction, fix: Relocation, here: tuple[int, str]
    ) -> tuple[str, Refers, bool]:
        machine = self._elf.layout.machine
        template = row.template
        addend = fix.addend
        if addend is None:
            addend = 0
            stored = self._references.stored(here[0], fix.at, 4)
            if machine == EM_386 and stored is not None:
                addend = stored - ((stored & 1 << 31) << 1)
                template = template or row.text.replace(f"{stored:#x}", PLACE)
            elif row.text.startswith(".word "):
                addend = stored or 0
        if row.relative and machine in (EM_X86_64, EM_386):
            addend += row.at + row.size - fix.at  # counted from the next instruction
        elif row.relative and machine == EM_S390:
            addend -= fix.at - row.at
        symbol = fix.symbol
        template = template or f"{row.text} {PLACE}"
        if symbol.owner:
            text, refers = self._references.place(symbol.owner, symbol.value + addend, here)
        else:
            text, refers = symbol.name + (f"+{addend:#x}" if addend else ""), ()
        return template.replace(PLACE, text), refers, True

    def _fixes(self, index: int) -> Sequence[Relocation]:
        known = self._relocations.get(index)
        if known is None:
            known = self._relocations[index] = self._references.relocations(index)
        return known

    @property
    def image(self) -> Image:
        """What tells addresses from numbers."""
        if self._image is None:
            layout, places = self._elf.layout, self._references
            low = min((one.address for one in layout.sections if one.is_loaded), default=0)
            self._image = Image(
                layout.machine,
                layout.width,
                layout.order,
                places.holds,
                # where the image starts at 0, small numbers would be taken for addresses
                layout.type == ET_EXEC and low >= 0x1000,
                {} if layout.type == schema.ET_REL else places.bases,
                places.got,
                places.word,
            )
        return self._image

    def _stretches(self, index: int, at: int, base: int, data: bytes) -> Iterator[Stretch]:
        """The content from `at`, cut where mapping symbols say that the mode changes."""
        marks = self._references.marks(index)
        mode, number = self._first_mode(index), 0
        if marks:
            number = bisect_right(marks, at, key=lambda mark: mark[0])
            mode = marks[number - 1][1] if number else mode
        start, end = at, at + len(data)
        while start < end:
            stop = min(end, marks[number][0]) if number < len(marks) else end
            if stop > start:
                yield Stretch(base + start, data[start - at : stop - at], mode)
            start = max(start, stop)
            if number < len(marks):
                mode = marks[number][1]
            number += 1

    def _first_mode(self, index: int) -> str:
        """Whether code of ARM without mapping symbols is Thumb: as its entry point says."""
        if self._elf.layout.machine != EM_ARM:
            return "x"
        entry = self._elf.layout.header[3]
        return "t" if entry & 1 and self._elf.layout.sections[index].name != ".plt" else "a"


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a stretch of code: all, or those of some functions (`places.Partly`)."""

    code: _Code
    index: int
    extent: Extent

    def __call__(self, blob: Blob) -> Iterator[Row]:
        return self.code.rows(self.index, self.extent, blob)

    def cuts(self) -> Sequence[int]:
        """Offsets at which rows may start anew."""
        return self.code.cuts(self.index, self.extent)

    def some(self, blob: Blob, start: int, end: int) -> Iterator[Row]:
        """The rows of `blob`, the content from one cut to another."""
        part = replace(self.extent, at=self.extent.at + start, size=end - start)
        for row in self.code.rows(self.index, part, blob):
            yield replace(row, at=(row.at[0] + start, row.at[1]))


def _line(source: Callable[[int], str | None], start: int, at: int) -> str | None:
    """The source line of an offset in a function; damaged debugging information names none."""
    try:
        return source(start + at)
    except FormatError:
        return None


def _without_padding(found: Iterable[Instruction]) -> Iterator[Instruction]:
    """Each run of no-operations up to an aligned place as one row, however many they are."""
    run: list[Instruction] = []
    for row in found:
        if row.text.startswith(_NOTHING):
            run.append(row)
            continue
        yield from _joined(run)
        run = []
        yield row
    yield from _joined(run)


_NOTHING = ("nop", "data16 nop", "cs nop", "data16 cs nop", "xchg ax, ax", "int3")


def _joined(run: Sequence[Instruction]) -> Iterator[Instruction]:
    end = run[-1].at + run[-1].size if run else 0
    if run and end % ALIGNED == 0:
        yield Instruction(run[0].at, end - run[0].at, "padding", folded=True)
    else:
        yield from run
