"""Compiled Lua chunks of 5.1, 5.3 and 5.4: functions to any depth, with constants and lines.

Source: lundump.c, ldump.c and lobject.h of Lua 5.1.5, 5.3.6 and 5.4.6. A chunk is written in the
sizes and byte order of its machine, which the header says.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Literal

from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    text_of,
)

MAGIC = b"\x1bLua"
MOST_BYTES = 64 << 20
DEEPEST = 100
"""Nesting of functions; LUAI_MAXCCALLS is 200."""
START = (
    Field("magic", "4s", hexadecimal),
    Field("version", "B", hexadecimal),
    Field("format", "B"),
)
SIZES = (Field("size_of_int", "B"), Field("size_of_size_t", "B"), Field("size_of_instruction", "B"))
DATA = Field("data", "6s", hexadecimal)
HEADERS = {
    0x51: Record(
        "luac",
        "<",
        (
            *START,
            Field("endianness", "B"),
            *SIZES,
            Field("size_of_number", "B"),
            Field("integral", "B"),
        ),
    ),
    0x53: Record(
        "luac",
        "<",
        (
            *START,
            DATA,
            *SIZES,
            Field("size_of_integer", "B"),
            Field("size_of_number", "B"),
            Field("integer", "8s", hexadecimal),
            Field("number", "8s", hexadecimal),
            Field("upvalues", "B"),
        ),
    ),
    0x54: Record(
        "luac",
        "<",
        (
            *START,
            DATA,
            Field("size_of_instruction", "B"),
            Field("size_of_integer", "B"),
            Field("size_of_number", "B"),
            Field("integer", "8s", hexadecimal),
            Field("number", "8s", hexadecimal),
            Field("upvalues", "B"),
        ),
    ),
}
EXPECTED = {
    "format": 0,
    "size_of_int": 4,
    "size_of_instruction": 4,
    "size_of_number": 8,
    "size_of_integer": 8,
}
"""What every build of Lua on a common machine has; chunks of others are compared as bytes."""
PARAMETERS = ("parameters", "vararg", "stack")


class Luac:
    """Header facts, and a part for the main function with one for each inside it."""

    name = "luac"

    def recognises(self, head: bytes) -> bool:
        """Signature and a known version."""
        return len(head) > 12 and head.startswith(MAGIC) and head[4] in HEADERS

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads what is there
        """Header, then the main function."""
        if blob.size > MOST_BYTES:
            raise LimitError(f"chunk of more than {MOST_BYTES} bytes")
        version = blob.part(4, 1).read()[0]
        if version not in HEADERS:
            raise FormatError(f"no known version {version:#x}", 4)
        header = HEADERS[version]
        values = header.read(blob, 0)
        yield from header.facts(blob, 0)
        for name, expected in EXPECTED.items():
            if name in values and values[name] != expected:
                raise FormatError(f"{name} is {values[name]!r}, not {expected}", 0)
        wide = values.get("size_of_size_t", 8)
        if wide not in (4, 8):
            raise FormatError(f"size_of_size_t is {wide!r}", 0)
        little = values["endianness"] == 1 if version == 0x51 else values["integer"][:1] == b"\x78"  # type: ignore[index]  # a string of bytes
        reader = _Reader(blob, version, int(wide), "little" if little else "big")
        yield reader.function("main", header.size, 0, 0)[0]


class _Function:
    """What is collected of one function while it is read."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.parts: list[Fact | Member] = []


class _Reader:
    def __init__(
        self, blob: Blob, version: int, wide: int, order: Literal["little", "big"]
    ) -> None:
        self._blob = blob
        self._data = blob.read()
        self._version = version
        self._wide = wide
        self._order: Literal["little", "big"] = order

    def function(self, name: str, at: int, base: int, depth: int) -> tuple[Member, int]:
        """The function at `at` as a part of what starts at `base`, and the offset behind it."""
        if depth > DEEPEST:
            raise LimitError(f"functions nested more than {DEEPEST} deep", at)
        function = _Function(at)
        if self._version == 0x51:
            end = self._function_51(function, at, depth)
        else:
            end = self._function_53(function, at, depth)
        size = end - at
        member = Member(
            name,
            self._blob.part(at, size),
            (at - base, size),
            "luac.function",
            inside=Inside("luac", lambda _: iter(function.parts)),
        )
        return member, end

    def _function_51(self, into: _Function, at: int, depth: int) -> int:
        """LoadFunction of Lua 5.1."""
        at = self._source(into, at)
        at = self._lines_defined(into, at)
        at = self._bytes_facts(into, ("upvalues", *PARAMETERS), at)
        at = self._table(into, "code", at, self._instruction)
        at = self._table(into, "constants", at, self._constant)
        at = self._functions(into, at, depth)
        at = self._table(into, "lines", at, self._int_row)
        at = self._table(into, "locals", at, self._local)
        return self._table(into, "upvalue names", at, self._string_row)

    def _function_53(self, into: _Function, at: int, depth: int) -> int:
        """LoadFunction of Lua 5.3 and 5.4."""
        at = self._source(into, at)
        at = self._lines_defined(into, at)
        at = self._bytes_facts(into, PARAMETERS, at)
        at = self._table(into, "code", at, self._instruction)
        at = self._table(into, "constants", at, self._constant)
        at = self._table(into, "upvalues", at, self._upvalue)
        at = self._functions(into, at, depth)
        if self._version == 0x54:
            at = self._table(into, "lines", at, self._line)
            at = self._table(into, "absolute lines", at, self._absolute)
        else:
            at = self._table(into, "lines", at, self._int_row)
        at = self._table(into, "locals", at, self._local)
        return self._table(into, "upvalue names", at, self._string_row)

    def _source(self, into: _Function, at: int) -> int:
        raw, end = self._string(at)
        told = None if raw is None else text_of(raw)
        start = end - len(raw or b"")
        if self._version == 0x51 and raw is not None:
            start = end - len(raw) - 1
        head, size = self._data[at:start].hex(), start - at
        into.parts.append(
            Fact("luac.source_size", head, (at - into.start, size), derived=told is not None)
        )
        into.parts.append(Fact("luac.source", told, (start - into.start, end - start)))
        return end

    def _lines_defined(self, into: _Function, at: int) -> int:
        for name in ("line_defined", "last_line_defined"):
            value, end = self._int(at)
            into.parts.append(Fact(f"luac.{name}", value, (at - into.start, end - at)))
            at = end
        return at

    def _bytes_facts(self, into: _Function, names: tuple[str, ...], at: int) -> int:
        for name in names:
            into.parts.append(Fact(f"luac.{name}", self._take(at, 1)[0], (at - into.start, 1)))
            at += 1
        return at

    def _table(
        self, into: _Function, name: str, at: int, each: Callable[[int], tuple[str, int]]
    ) -> int:
        """A count and its entries, read once; the offset behind them."""
        start = at
        count, at = self._count(at)
        rows = [Row((0, at - start), name)]
        for _ in range(count):
            text, end = each(at)
            rows.append(Row((at - start, end - at), text))
            at = end
        size = at - start
        kind = f"luac.{name.replace(' ', '_')}"
        into.parts.append(
            Member(
                name,
                self._blob.part(start, size),
                (start - into.start, size),
                kind,
                inside=Listing(kind, lambda _: iter(rows)),
            )
        )
        return at

    def _functions(self, into: _Function, at: int, depth: int) -> int:
        start = at
        count, at = self._count(at)
        head = (start - into.start, at - start)
        into.parts.append(Fact("luac.functions", count, head, derived=True))
        for number in range(1, count + 1):
            member, at = self.function(f"function {number}", at, into.start, depth + 1)
            into.parts.append(member)
        return at

    # --- entries -------------------------------------------------------------------------------

    def _instruction(self, at: int) -> tuple[str, int]:
        value = int.from_bytes(self._take(at, 4), self._order)
        if self._version == 0x54:
            return f"opcode {value & 0x7F} {value >> 7:#x}", at + 4
        return f"opcode {value & 0x3F} {value >> 6:#x}", at + 4

    def _constant(self, at: int) -> tuple[str, int]:
        """lobject.h: 0 nil, 1 boolean (5.4: 1 false, 17 true), 3 number, 4 string; from 5.3 on
        bit 4 tells the variants."""
        kind, at = self._take(at, 1)[0], at + 1
        if kind == 0 or (self._version == 0x54 and kind in (1, 17)):
            return {0: "nil", 1: "false", 17: "true"}[kind], at
        if kind == 1:
            return f"boolean {self._take(at, 1)[0]}", at + 1
        # the variants changed places in 5.4
        float_kind = {0x51: 3, 0x53: 3, 0x54: 19}[self._version]
        if kind == float_kind:
            raw = self._take(at, 8)
            (value,) = struct.unpack("<d" if self._order == "little" else ">d", raw)
            if value != value:  # noqa: PLR0124 - not a number: many bytes mean it
                return f"nan {raw.hex()}", at + 8
            return repr(value), at + 8
        if kind in (3, 19) and self._version != 0x51:
            value = int.from_bytes(self._take(at, 8), self._order, signed=True)
            return f"integer {value}", at + 8
        if kind in (4, 20):
            text, at = self._string_row(at)
            return text if kind == 4 else f"long {text}", at
        raise FormatError(f"no type {kind} of a constant", at - 1)

    def _upvalue(self, at: int) -> tuple[str, int]:
        size = 3 if self._version == 0x54 else 2
        return " ".join(map(str, self._take(at, size))), at + size

    def _line(self, at: int) -> tuple[str, int]:
        return f"{int.from_bytes(self._take(at, 1), 'little', signed=True):+d}", at + 1

    def _absolute(self, at: int) -> tuple[str, int]:
        place, at = self._int(at)
        line, at = self._int(at)
        return f"{place} {line}", at

    def _int_row(self, at: int) -> tuple[str, int]:
        value, at = self._int(at)
        return str(value), at

    def _local(self, at: int) -> tuple[str, int]:
        name, at = self._string_row(at)
        first, at = self._int(at)
        last, at = self._int(at)
        return f"{name} {first} {last}", at

    def _string_row(self, at: int) -> tuple[str, int]:
        raw, end = self._string(at)
        if raw is None:
            return "none", end
        return repr(text_of(raw)), end

    # --- loadInt, loadString of each version -----------------------------------------------------

    def _string(self, at: int) -> tuple[bytes | None, int]:
        """A string and the offset behind it; None where it is written as none."""
        if self._version == 0x54:
            size, at = self._varint(at)
        elif self._version == 0x53 and self._take(at, 1) != b"\xff":
            size, at = self._data[at], at + 1
        else:
            at += self._version == 0x53
            size = int.from_bytes(self._take(at, self._wide), self._order)
            at += self._wide
        if not size:
            return None, at
        if self._version == 0x51:  # with its final zero
            raw = self._take(at, size)
            if raw[-1]:
                raise FormatError("string without its final zero", at + size - 1)
            return raw[:-1], at + size
        return self._take(at, size - 1), at + size - 1

    def _int(self, at: int) -> tuple[int, int]:
        if self._version == 0x54:
            return self._varint(at)
        return int.from_bytes(self._take(at, 4), self._order, signed=True), at + 4

    def _count(self, at: int) -> tuple[int, int]:
        count, end = self._int(at)
        if not 0 <= count <= len(self._data) - end:
            raise FormatError(f"{count} entries in fewer bytes", at)
        return count, end

    def _varint(self, at: int) -> tuple[int, int]:
        """Groups of seven bits, the highest first; the last has its highest bit set."""
        value = 0
        for place in range(at, at + 10):
            byte = self._take(place, 1)[0]
            value = value << 7 | byte & 0x7F
            if byte & 0x80:
                return value, place + 1
        raise FormatError("number of more than 70 bits", at)

    def _take(self, at: int, size: int) -> bytes:
        found = self._data[at : at + size]
        if len(found) < size:
            raise FormatError(f"chunk ends early: {size} bytes wanted", at)
        return found
