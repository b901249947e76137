"""WebAssembly modules and components: sections, functions, data, names, producers.

Source: WebAssembly Core Specification 2.0, chapter 5 "Binary Format" and appendix "Custom
Sections"; the tool conventions' ProducersSection.md and BuildId.md. Numbers are LEB128.
"""

from collections.abc import Callable, Iterator
from functools import partial

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

MAGIC = b"\0asm"
HEADER = Record("wasm", "<", (Field("magic", "4s", hexadecimal), Field("version", "I")))
MODULE = 1
SECTIONS = {
    1: "type",
    2: "import",
    3: "function",
    4: "table",
    5: "memory",
    6: "global",
    7: "export",
    8: "start",
    9: "element",
    10: "code",
    11: "data",
    12: "data count",
    13: "tag",
}
CUSTOM, IMPORT, EXPORT, CODE, DATA = 0, 2, 7, 10, 11
KINDS = ("function", "table", "memory", "global", "tag")
TEXTS = frozenset({"sourceMappingURL", "external_debug_info"})
MOST_SECTIONS = 100_000
MOST_BYTES = 512 << 20


class Wasm:
    """Header facts; a member for each section, named by its kind or its custom name."""

    name = "wasm"

    def recognises(self, head: bytes) -> bool:
        """Magic number and a version field: 1 of a module, 1 in its upper half of a component."""
        return head.startswith(MAGIC) and len(head) >= 8 and head[5] == 0 and head[6] <= 1

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads what is there
        """Sections in the order of the file; a name met again gets ` #2`."""
        if blob.size > MOST_BYTES:
            raise LimitError(f"module of more than {MOST_BYTES} bytes")
        yield from HEADER.facts(blob, 0)
        module = HEADER.number(blob, 0, "version") == MODULE
        reader = _Reader(blob.read())
        sections = list(_sections(reader, module))
        names = _Names(reader, sections if module else [])
        met: dict[str, int] = {}
        for identity, name, head, at, end in sections:
            met[name] = met.get(name, 0) + 1
            told = name if met[name] == 1 else f"{name} #{met[name]}"
            header = reader.data[head:at].hex()
            yield Fact("wasm.section_header", header, (head, at - head), told, derived=True)
            yield Member(
                told,
                blob.part(at, end - at),
                (at, end - at),
                "wasm.section",
                opaque=True,
                inside=_inside(identity, name, names) if module else None,
            )


class _Reader:
    """Numbers and names at offsets of `data`."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, at: int, size: int) -> bytes:
        found = self.data[at : at + size]
        if len(found) < size:
            raise FormatError(f"{size} bytes wanted", at)
        return found

    def number(self, at: int) -> tuple[int, int]:
        """An unsigned LEB128 number of at most 64 bits, and the offset behind it."""
        value = shift = 0
        while shift < 70:
            byte = self.take(at, 1)[0]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                return value, at
        raise FormatError("number of more than 64 bits", at)

    def name(self, at: int) -> tuple[str, int]:
        size, at = self.number(at)
        return text_of(self.take(at, size)), at + size


def _sections(reader: _Reader, module: bool) -> Iterator[tuple[int, str, int, int, int]]:
    """Each section's number, name, and where its header, content and end lie."""
    at = HEADER.size
    for _ in range(MOST_SECTIONS):
        if at >= len(reader.data):
            return
        identity = reader.data[at]
        size, start = reader.number(at + 1)
        end = start + size
        reader.take(start, size)
        name = SECTIONS.get(identity, f"section {identity}") if module else f"section {identity}"
        if identity == CUSTOM:
            name, content = reader.name(start)
            name = name or "custom"
            if content > end:
                raise FormatError("name of a section behind its end", start)
            start = content
        yield identity, name, at, start, end
        at = end
    raise LimitError(f"more than {MOST_SECTIONS} sections")


class _Names:
    """The names of functions, by their numbers in the code section."""

    def __init__(self, reader: _Reader, sections: list[tuple[int, str, int, int, int]]) -> None:
        self._imported = 0
        self._named: dict[int, str] = {}
        for identity, name, _, at, end in sections:
            try:
                if identity == IMPORT:
                    self._imported += sum(
                        text.startswith("function ") for _, text in _imports(reader, at, end)
                    )
                elif identity == EXPORT:
                    self._exports(reader, at)
                elif identity == CUSTOM and name == "name":
                    self._functions(reader, at, end)
            except FormatError:
                continue  # numbers do where names are damaged

    def _exports(self, reader: _Reader, at: int) -> None:
        count, at = reader.number(at)
        for _ in range(count):
            name, at = reader.name(at)
            kind, index = reader.take(at, 1)[0], reader.number(at + 1)
            at = index[1]
            if kind == 0:
                self._named.setdefault(index[0], name)

    def _functions(self, reader: _Reader, at: int, end: int) -> None:
        while at < end:
            kind = reader.take(at, 1)[0]
            size, at = reader.number(at + 1)
            if kind == 1:
                count, place = reader.number(at)
                for _ in range(count):
                    index, place = reader.number(place)
                    name, place = reader.name(place)
                    self._named[index] = name
            at += size

    def of(self, number: int) -> str:
        """The name of the function that is `number` in the code section."""
        return self._named.get(self._imported + number, "") or f"function {number}"


def _imports(reader: _Reader, at: int, end: int) -> Iterator[tuple[int, str]]:
    """(size, text) of each import: functions, tables, memories, globals, tags."""
    count, at = reader.number(at)
    for _ in range(count):
        start = at
        module, at = reader.name(at)
        name, at = reader.name(at)
        kind, at = reader.take(at, 1)[0], at + 1
        place = at
        if kind == 0:
            _, at = reader.number(at)
        elif kind in (1, 2):
            at += kind == 1  # element type
            flags, at = reader.number(at)
            for _ in range(2 if flags & 1 else 1):
                _, at = reader.number(at)
        elif kind in (3, 4):
            at += 2
        else:
            raise FormatError(f"no kind {kind} of an import", at)
        if at > end:
            raise FormatError("import behind its section's end", at)
        told = f"{KINDS[kind]} {module!r}.{name!r} {reader.take(place, at - place).hex()}"
        yield at - start, told


def _inside(identity: int, name: str, names: _Names) -> "Inside | Listing | None":
    if identity == CODE:
        return Inside("wasm.code", partial(_functions, names))
    if identity == DATA:
        return Inside("wasm.data", _segments)
    if identity == IMPORT:
        return Listing("wasm.import", partial(_rows, _import_rows))
    if identity == EXPORT:
        return Listing("wasm.export", partial(_rows, _export_rows))
    if identity == CUSTOM and name == "name":
        return Listing("wasm.names", partial(_rows, _name_rows))
    if identity == CUSTOM and name == "producers":
        return Listing("wasm.producers", partial(_rows, _producer_rows))
    if identity == CUSTOM and name in TEXTS:
        return Inside("wasm", _text)
    if identity == CUSTOM and name == "build_id":
        return Inside("wasm", _build_id)
    return None


def _functions(names: _Names, blob: Blob) -> Iterator[Fact | Member]:
    """The code section: functions, each behind its size."""
    reader = _Reader(blob.read())
    count, at = reader.number(0)
    yield Fact("wasm.functions", reader.data[:at].hex(), (0, at), derived=True)
    met: dict[str, int] = {}
    for number in range(count):
        size, start = reader.number(at)
        name = names.of(number)
        met[name] = met.get(name, 0) + 1
        name = name if met[name] == 1 else f"{name} #{met[name]}"
        header = reader.data[at:start].hex()
        yield Fact("wasm.function_size", header, (at, start - at), name, derived=True)
        yield Member(name, blob.part(start, size), (start, size), "wasm.function", opaque=True)
        at = start + size


def _segments(blob: Blob) -> Iterator[Fact | Member]:
    """The data section: segments, each behind its mode, its place and its size."""
    reader = _Reader(blob.read())
    count, at = reader.number(0)
    yield Fact("wasm.segments", reader.data[:at].hex(), (0, at), derived=True)
    for number in range(count):
        name, start = f"segment {number}", at
        mode, at = reader.number(at)
        if mode > 2:
            raise FormatError(f"no mode {mode} of a data segment", start)
        if mode == 2:
            _, at = reader.number(at)
        if mode != 1:
            at = _expression(reader, at)
        yield Fact("wasm.segment", reader.data[start:at].hex(), (start, at - start), name)
        size, place = reader.number(at)
        header = reader.data[at:place].hex()
        yield Fact("wasm.segment_size", header, (at, place - at), name, derived=True)
        yield Member(name, blob.part(place, size), (place, size), "wasm.data", opaque=True)
        at = place + size


def _expression(reader: _Reader, at: int) -> int:
    """The end of a constant expression: constants, globals and sums, up to `end`."""
    while True:
        opcode = reader.take(at, 1)[0]
        at += 1
        if opcode == 0x0B:
            return at
        if opcode in (0x23, 0x41, 0x42):
            _, at = reader.number(at)
        elif opcode not in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
            raise FormatError(f"opcode {opcode:#x} in a segment's place", at - 1)


def _text(blob: Blob) -> Iterator[Fact]:
    text, end = _Reader(blob.read()).name(0)
    yield Fact("wasm.text", f"{text} ({blob.read(0, end).hex()[:4]})", (0, end))


def _build_id(blob: Blob) -> Iterator[Fact]:
    yield Fact("wasm.build_id", blob.read().hex(), (0, blob.size), derived=True)


Rows = Iterator[tuple[int, str]]


def _rows(rows: Callable[[_Reader], Rows], blob: Blob) -> Iterator[Row]:
    """Rows from sizes; what does not read as rows is told as the bytes that it is."""
    at = 0
    for size, text in rows(_Reader(blob.read())):
        yield Row((at, size), text)
        at += size


def _import_rows(reader: _Reader) -> Rows:
    _, at = reader.number(0)
    yield at, "imports"
    yield from _imports(reader, 0, len(reader.data))


def _export_rows(reader: _Reader) -> Rows:
    count, at = reader.number(0)
    yield at, "exports"
    for _ in range(count):
        name, place = reader.name(at)
        kind = reader.take(place, 1)[0]
        index, end = reader.number(place + 1)
        yield end - at, f"{KINDS[kind] if kind < len(KINDS) else kind} {index} {name!r}"
        at = end


def _name_rows(reader: _Reader) -> Rows:
    """Maps of names: of the module (0), functions (1), globals (7), data (9); others as bytes."""
    at = 0
    while at < len(reader.data):
        kind = reader.data[at]
        size, start = reader.number(at + 1)
        content = reader.take(start, size)
        yield start - at, f"names of kind {kind}"
        at = start + size
        if kind == 0 or kind in (2, 3):  # locals are maps of maps
            yield size, content.hex()
            continue
        count, place = reader.number(start)
        yield place - start, "map"
        for _ in range(count):
            begin = place
            index, place = reader.number(place)
            name, place = reader.name(place)
            if place > at:
                raise FormatError("name behind its map's end", place)
            yield place - begin, f"{index} {name!r}"
        if place < at:
            yield at - place, reader.data[place:at].hex()


def _producer_rows(reader: _Reader) -> Rows:
    count, at = reader.number(0)
    yield at, "fields"
    for _ in range(count):
        start = at
        field, at = reader.name(at)
        values, at = reader.number(at)
        yield at - start, field
        for _ in range(values):
            start = at
            name, at = reader.name(at)
            version, at = reader.name(at)
            yield at - start, f"{field}: {name} {version}"
