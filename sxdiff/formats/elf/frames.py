"""Tables for unwinding: .eh_frame (CIE and FDE) and .ARM.exidx, by the function they cover.

Source: LSB Core 5.0, 10.6.1 "The .eh_frame section"; DWARF 5, 6.4 "Call Frame Information" and
7.6 (LEB128); Exception Handling ABI for the Arm Architecture, section 6.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sxdiff.formats.elf import schema
from sxdiff.formats.elf.layout import ElfFile, Layout
from sxdiff.model import Blob, FormatError, Listing, Row

MOST_BYTES = 32 << 20
LONGEST = 256
"""Bytes of a record's program that are told in its row."""
OMITTED = 0xFF
CANNOT_UNWIND = 1
SIZES = {0: 0, 2: 2, 3: 4, 4: 8, 10: 2, 11: 4, 12: 8}
"""Bytes of each encoding's format; 0 is a pointer of the machine."""
SIGNED = {10, 11, 12}
RELATIVE = 0x10


def frames(elf: ElfFile, index: int) -> Listing | None:
    """One row a record. Addresses and sizes of functions are no part of what it says: they
    follow from the code."""
    section = elf.layout.sections[index]
    if section.size > MOST_BYTES or section.type == schema.SHT_NOBITS:
        return None
    if section.name == ".eh_frame":
        return Listing("elf.frame", partial(_records, elf, section.address))
    if elf.layout.machine == schema.EM_ARM and section.type == schema.SHT_ARM_EXIDX:
        return Listing("elf.frame", partial(_index_table, elf, section.address))
    return None


@dataclass(frozen=True, slots=True)
class _Cie:
    """How the FDEs of one CIE are encoded."""

    pointers: int = 0
    languages: int = OMITTED
    sized: bool = False


def function_records(elf: ElfFile, address: int, blob: Blob) -> Iterator[tuple[int, int]]:
    """Where each FDE's function starts, and where the FDE does in .eh_frame."""
    for row, function in _placed(elf, address, blob):
        if function is not None:
            yield function, row.at[0]


def _records(elf: ElfFile, address: int, blob: Blob) -> Iterator[Row]:
    for row, _ in _placed(elf, address, blob):
        yield row


def _placed(elf: ElfFile, address: int, blob: Blob) -> Iterator[tuple[Row, int | None]]:
    """Each record, and where the function of an FDE starts."""
    layout = elf.layout
    data = blob.read()
    known: dict[int, _Cie] = {}
    at = 0
    while at + 4 <= len(data):
        (size,) = struct.unpack_from(layout.order + "I", data, at)
        head = 4
        if size == 0xFFFFFFFF and at + 12 <= len(data):
            (size,) = struct.unpack_from(layout.order + "Q", data, at + 4)
            head = 12
        end = at + head + size
        if end > len(data):
            raise FormatError(f"record of {size} bytes reaches behind the end", at)
        if size < 4:
            yield Row((at, end - at), f"end {data[at + head : end].hex()}".rstrip()), None
            at = end
            continue
        (back,) = struct.unpack_from(layout.order + "I", data, at + head)
        body = at + head + 4
        if back:
            cie = known.get(at + head - back, _Cie())
            yield _fde(elf, cie, data, (at, body, end), address)
        else:
            text, known[at] = _cie(layout, data, body, end)
            yield Row((at, end - at), text), None
        at = end


def _program(data: bytes) -> str:
    """Call frame instructions in hex, without the `nop`s that fill the record."""
    program = data.rstrip(b"\0")
    return program[:LONGEST].hex() + ("..." if len(program) > LONGEST else "")


def _cie(layout: Layout, data: bytes, at: int, end: int) -> tuple[str, _Cie]:
    """A CIE's text, without the place of its personality routine."""
    version = data[at : at + 1]
    stop = data.find(b"\0", at + 1, end)
    if stop < 0 or not version:
        raise FormatError("CIE without an augmentation", at)
    augmentation = data[at + 1 : stop].decode("latin-1")
    at = stop + 1
    if augmentation.startswith("eh"):
        at += layout.width // 8
    code, at = _number(data, at, end)
    data_align, at = _number(data, at, end)
    if version == b"\1":
        register, at = data[at : at + 1], at + 1
    else:
        number, at = _number(data, at, end)
        register = bytes([number & 0xFF])
    text = f"CIE {augmentation!r} version {version.hex()} factors {code} {data_align}"
    text += f" return {register.hex()}"
    pointers, languages, sized = 0, OMITTED, False
    for letter in augmentation:
        if letter == "z":
            sized = True
            size, at = _number(data, at, end)
            following = at + size
        elif letter in "RLP":
            encoding = data[at] if at < end else OMITTED
            at += 1
            text += f" {letter} {encoding:#x}"
            if letter == "R":
                pointers = encoding
            elif letter == "L":
                languages = encoding
            else:
                at += _size(layout, encoding)
        elif letter not in "SBG":
            break
    if sized:
        at = following
    return f"{text} {_program(data[at:end])}", _Cie(pointers, languages, sized)


def _fde(
    elf: ElfFile, cie: _Cie, data: bytes, span: tuple[int, int, int], address: int
) -> tuple[Row, int | None]:
    """An FDE's text: its function, where a symbol names it, and its program."""
    start, at, end = span
    layout = elf.layout
    size = _size(layout, cie.pointers)
    name = function = None
    if size and at + 2 * size <= end:
        signed = cie.pointers & 15 in SIGNED or cie.pointers & RELATIVE
        value = int.from_bytes(data[at : at + size], layout.byteorder, signed=bool(signed))
        if cie.pointers & 0x70 == RELATIVE:
            value += address + at
        function = value & ((1 << layout.width) - 1)
        if layout.type != schema.ET_REL:
            name = _symbol(elf, value)
        at += 2 * size
        if cie.sized:
            length, at = _number(data, at, end)
            at += length  # the place of the table of exceptions
    text = f"FDE {name or ''}".rstrip()
    return Row((start, end - start), f"{text} {_program(data[at:end])}", (), name or ""), function


def _symbol(elf: ElfFile, address: int) -> str | None:
    """The symbol at `address`; a number of a function would say no more than its place."""
    name = elf.name_at(address)
    return None if name is None or name.startswith("function ") else name


def _size(layout: Layout, encoding: int) -> int:
    if encoding == OMITTED:
        return 0
    return SIZES.get(encoding & 15, 0) or layout.width // 8


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A LEB128 number without its sign, and where the next one starts."""
    value = shift = 0
    while at < end and shift < 70:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    raise FormatError("number without an end", at)


def _index_table(elf: ElfFile, address: int, blob: Blob) -> Iterator[Row]:
    """Pairs of words: where a function starts, and how to unwind it."""
    data = blob.read()
    words = struct.unpack(f"{elf.layout.order}{len(data) // 8 * 2}I", data[: len(data) & ~7])
    for number in range(0, len(words), 2):
        at = number * 4
        name = _symbol(elf, _address(words[number], address + at))
        unwinding = words[number + 1]
        refers: tuple[tuple[str, int], ...] = ()
        if unwinding == CANNOT_UNWIND:
            text = "cannot unwind"
        elif unwinding & 0x80000000:
            text = f"{unwinding:#010x}"
        else:
            place = elf.place_of(_address(unwinding, address + at + 4))
            text = f"-> {place[0].name}" if place else f"{unwinding:#x}"
            refers = ((place[0].name, place[1]),) if place else ()
        yield Row((at, 8), f"{text} {name or ''}".rstrip(), refers, name or "")


def _address(word: int, here: int) -> int:
    """The address that a place-relative number of 31 bits says."""
    offset = word & 0x7FFFFFFF
    return (here + (offset - 0x80000000 if offset & 0x40000000 else offset)) & 0xFFFFFFFF
