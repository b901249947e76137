"""How an input is changed. What is random comes from a seed, so that a test can repeat it.

`damaged` knows nothing of formats. `changed_elf` changes an ELF file field by field, by the tables
of the specification, so that what follows from a count or an offset is reached.
"""

import random
from collections.abc import Callable, Iterator

from bench.fuzz.targets import SEPARATOR, pair, sides
from sxdiff.formats.elf import schema

Change = Callable[[bytes, random.Random], bytes]

_EXTREMES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, -1, 1 << 63)
_WIDTHS = (1, 2, 4, 8)
_ODD = ("\u00b2".encode(), "\u0663".encode(), b"-1", b"0x", b"9" * 20, b"9" * 5000, b"\n", b"\r\n")
"""Texts that some readers of numbers or lines take for what they are not."""


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut off, or with some bytes overwritten, inserted, removed or repeated anywhere."""
    if not data or chance.random() < 0.1:
        return data[: chance.randrange(len(data) + 1)]
    other = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at, size = chance.randrange(len(other) + 1), chance.choice((1, 2, 4, 8, 30))
        new = (
            b"\xff" * size,
            bytes(size),
            chance.randbytes(size),
            bytes(other[at : at + size]) * 2,
        )
        kept = chance.choice((size, size, 0))
        other[at : at + kept] = chance.choice(new)
    return bytes(other)


def changed(target: str, data: bytes, chance: random.Random, any_change: Change) -> bytes:
    """`data` changed as is right for the target; `any_change` is for what has no structure."""

    def inner(part: bytes) -> bytes:
        if part.startswith(b"\x7fELF") and chance.random() < 0.8:
            return changed_elf(part, chance)
        return any_change(part, chance)

    if target == "look":
        a, b = sides(data)
        which = chance.random()
        if which < 0.1:
            return pair(a, inner(a))
        return pair(a, inner(b)) if which < 0.7 else pair(inner(a), b)
    if target == "finders" and SEPARATOR in data:
        a, _, b = data[1:].partition(SEPARATOR)
        a, b = (inner(a), b) if chance.random() < 0.5 else (a, inner(b))
        first = data[:1] if chance.random() < 0.9 else chance.randbytes(1)
        return first + a + SEPARATOR + b
    return inner(data)


Place = tuple[int, int]
"""Offset and size of a field."""


def changed_elf(data: bytes, chance: random.Random) -> bytes:
    """An ELF file with some fields of its tables, or bytes of one section, changed."""
    other = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        tables = list(_tables(data))
        places = chance.choice(tables) if tables else []
        if not places:
            return damaged(data, chance)
        at, size = chance.choice(places)
        if at + size > len(other):
            continue
        order = "little" if data[5:6] == b"\1" else "big"
        value = int.from_bytes(other[at : at + size], order)  # type: ignore[arg-type]  # one of two
        new = chance.choice(
            (
                chance.choice(_EXTREMES),
                value + chance.choice((-1, 1, 8, -8)),
                value ^ 1 << chance.randrange(8 * size),
                len(data) - chance.choice((0, 1, size)),
                chance.randrange(len(data)),
                value * 2,
            )
        )
        other[at : at + size] = (new % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]
    return bytes(other)


def _tables(data: bytes) -> Iterator[list[Place]]:
    """Places of fields, a list for each table: the headers, symbols, relocations, tags, and the
    sections whose own fields depend on their kind (units of DWARF, notes)."""
    width, order = 64 if data[4:5] == b"\2" else 32, "<" if data[5:6] == b"\1" else ">"
    header = schema.table(schema.HEADER, width, order)
    if len(data) < 16 + header.size:
        return
    yield list(_fields(header, 16, 1, len(data))) + [(at, 1) for at in range(4, 9)]
    row = header.row.unpack_from(data, 16)
    value = dict(zip((field.name for field in schema.HEADER), row, strict=True))
    segments = schema.PROGRAM_HEADER_64 if width == 64 else schema.PROGRAM_HEADER_32
    if value["e_phnum"]:
        some = schema.table(segments, width, order)
        yield list(_fields(some, value["e_phoff"], value["e_phnum"], len(data)))
    section = schema.table(schema.SECTION_HEADER, width, order)
    count = min(value["e_shnum"], 200)
    yield list(_fields(section, value["e_shoff"], count, len(data)))
    symbol = schema.SYMBOL_64 if width == 64 else schema.SYMBOL_32
    compressed = schema.COMPRESSION_HEADER_64 if width == 64 else schema.COMPRESSION_HEADER_32
    for number in range(count):
        at = value["e_shoff"] + number * section.size
        if at + section.size > len(data):
            return
        head = section.row.unpack_from(data, at)
        kind, flags, offset, size = head[1], head[2], head[4], head[5]
        fields = {2: symbol, 11: symbol, 6: schema.DYNAMIC_ENTRY, 9: schema.RELOCATION}
        fields[4] = schema.RELOCATION_WITH_ADDEND
        if kind in (0, 8) or not size or offset + size > len(data):
            continue
        if flags & 0x800:
            yield list(_fields(schema.table(compressed, width, order), offset, 1, len(data)))
        elif kind in fields:
            some = schema.table(fields[kind], width, order)
            yield list(_fields(some, offset, min(size // some.size, 500), len(data)))
        else:
            # the first bytes are where units, tables and notes have their sizes and versions
            near = min(size, 48)
            yield [(offset + at, n) for n in _WIDTHS for at in range(near) if at + n <= size]
            far = range(0, size, max(1, size // 200))
            yield [(offset + at, n) for n in (1, 2) for at in far if at + n <= size]


def _fields(table: schema.Table, at: int, rows: int, end: int) -> Iterator[Place]:
    for number in range(rows):
        base = at + number * table.size
        if base + table.size > end:
            return
        yield from ((base + start, size) for start, size in table.spans)
