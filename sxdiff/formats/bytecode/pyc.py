"""Compiled Python modules (.pyc) of CPython 3.6 to 3.14: header, and code objects to any depth.

Source: PEP 552 (header: magic number, flags, then time and size or hash of the source), PEP 3147
and CPython's Lib/importlib/_bootstrap_external.py (magic numbers), Objects/lnotab_notes.txt,
Objects/locations.md and Objects/exception_handling_notes.txt (tables), Python/marshal.c.

Whether an object is flagged as one that may be referred to depends on how many references to it
the compiler's process held: `pyc.reference_flags` counts those flags that nothing uses.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from sxdiff.formats.bytecode import python_opcodes
from sxdiff.formats.bytecode.marshal_reader import FLAG_REF, SETS, Item, Reader, code_fields
from sxdiff.formats.record import Field, Raw, Record, hexadecimal, utc
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    Limits,
    Listing,
    Member,
    Row,
    Scalar,
    Span,
    text_of,
)

VERSIONS = (
    # magic numbers from the first to the last of a version (_bootstrap_external.py)
    (3360, 3379, (3, 6)),
    (3390, 3394, (3, 7)),
    (3400, 3413, (3, 8)),
    (3420, 3425, (3, 9)),
    (3430, 3439, (3, 10)),
    (3450, 3495, (3, 11)),
    (3500, 3531, (3, 12)),
    (3550, 3571, (3, 13)),
    (3600, 3649, (3, 14)),
)
END = b"\r\n"
CHECKED = {
    0: "by the source's time and size",
    1: "by the source's hash, unchecked",
    3: "by the source's hash, checked",
}


def _checked(value: Raw) -> Scalar:
    return CHECKED.get(int(value), int(value))


FLAGS = Field("flags", "I", _checked)
SOURCE = (Field("mtime", "I", utc), Field("source_size", "I"))
BY_TIME = Record("pyc", "<", SOURCE)
BY_TIME_FLAGGED = Record("pyc", "<", (FLAGS, *SOURCE))
BY_HASH = Record("pyc", "<", (FLAGS, Field("source_hash", "8s", hexadecimal)))

CONSTANTS = frozenset({"LOAD_CONST", "RETURN_CONST", "KW_NAMES"})
NAMED = frozenset(
    {
        *("STORE_NAME", "DELETE_NAME", "LOAD_NAME", "STORE_ATTR", "DELETE_ATTR", "LOAD_ATTR"),
        *("STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_GLOBAL", "IMPORT_NAME", "IMPORT_FROM"),
        *("LOAD_METHOD", "LOAD_SUPER_ATTR", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_ANNOTATION"),
    }
)
LOCALS = frozenset(
    {"LOAD_FAST", "STORE_FAST", "DELETE_FAST", "LOAD_FAST_CHECK", "LOAD_FAST_AND_CLEAR"}
)
CELLS = frozenset(
    {
        *("MAKE_CELL", "LOAD_CLOSURE", "LOAD_DEREF", "STORE_DEREF", "DELETE_DEREF"),
        *("LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"),
    }
)
"""Opcodes whose argument is an index of the constants, names, locals, cells and free variables."""
STRINGS = frozenset({"filename", "name", "qualname"})
NUMBER_SHOWN: dict[str, Callable[[int], Scalar]] = {"flags": hex}


class Pyc:
    """Header facts, and a part for the module's code object with one for each inside it."""

    name = "pyc"

    def recognises(self, head: bytes) -> bool:
        """A magic number of these versions, and a code object behind the header."""
        version = _version(head[:4])
        at = 12 if version == (3, 6) else 16
        return version is not None and len(head) > at and head[at] & ~FLAG_REF == ord("c")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads what is there
        """Header, then the module. Raises `FormatError` where it is no code object."""
        magic = blob.part(0, 4).read()
        version = _version(magic)
        if version is None:
            raise FormatError("no magic number of a known version", 0)
        number = int.from_bytes(magic[:2], "little")
        yield Fact("pyc.magic", f"CPython {version[0]}.{version[1]} ({number})", (0, 4))
        header = BY_TIME
        if version > (3, 6):
            flags = blob.part(4, 1).read()[0]
            header = BY_HASH if flags & 1 else BY_TIME_FLAGGED
        yield from header.facts(blob, 4)
        start = 4 + header.size
        data = blob.read()
        reader = Reader(data, version)
        module = reader.read(start)
        if module.type != "c":
            raise FormatError("no code object behind the header", start)
        place = _Place(blob, data, module, code_fields(version), version, reader.idle)
        yield _member(place, module, _name(module), 0)


class _Place(NamedTuple):
    """The stream and its bytes, its module, the fields of its version's code objects, and how
    many flags of references nothing uses."""

    blob: Blob
    data: bytes
    module: Item
    fields: tuple[str, ...]
    version: tuple[int, int]
    idle: int


def _version(magic: bytes) -> tuple[int, int] | None:
    number = int.from_bytes(magic[:2], "little")
    found = (version for first, last, version in VERSIONS if first <= number <= last)
    return next(found, None) if magic[2:] == END else None


def _name(code: Item) -> str:
    name = code.fields.get("qualname", code.fields["name"])
    return (text_of(name.value.raw) if isinstance(name, Item) else "") or "?"


def _member(place: _Place, code: Item, name: str, base: int) -> Member:
    """A code object as a part of what starts at `base`."""
    size = code.end - code.at
    return Member(
        name,
        place.blob.part(code.at, size),
        (code.at - base, size),
        "pyc.code",
        inside=Inside("pyc", lambda _: _parts(place, code)),
    )


def _parts(place: _Place, code: Item) -> Iterator[Fact | Member]:
    """A code object's fields in their order, then the code objects among its constants."""
    base = code.at
    yield Fact("pyc.encoding", _header(code), (0, 1), "code object", derived=True)
    if code is place.module:
        yield Fact("pyc.reference_flags", place.idle)
    for name in place.fields:
        field = code.fields[name]
        if not isinstance(field, Item):
            raw = place.data[field[0] : sum(field)]
            number = int.from_bytes(raw, "little", signed=True)
            shown = NUMBER_SHOWN.get(name, int)(number)
            # the table of lines around a function says where it starts
            derived = name == "firstlineno" and code is not place.module
            yield Fact(f"pyc.{name}", shown, (field[0] - base, field[1]), derived=derived)
        elif name in STRINGS:
            yield from _string(place, code, name, field)
        else:
            yield _table(place, code, name, field)
    consts = code.fields["consts"]
    met: dict[str, int] = {}
    for item in consts.elements if isinstance(consts, Item) else ():
        if item.type == "c":
            name = _name(item)
            met[name] = met.get(name, 0) + 1
            yield _member(place, item, name if met[name] == 1 else f"{name} #{met[name]}", base)


def _string(place: _Place, code: Item, name: str, item: Item) -> Iterator[Fact]:
    """A name: its text, and how it is written. A reference says what is told elsewhere."""
    refers = item.target is not None
    base, start = code.at, item.end if refers else item.body
    yield Fact("pyc.encoding", _header(item), (item.at - base, start - item.at), name, derived=True)
    at: Span | None = None if refers else (start - base, item.end - start)
    derived = refers
    if name == "filename":
        # one name for all code objects, written in the first that is whole: told of the module
        whole = place.module.fields["filename"]
        text = item.value.raw
        if code is place.module:
            derived, at = False, (item.value.body - base, len(text))
        elif isinstance(whole, Item):
            derived = derived or text == whole.value.raw
    yield Fact(f"pyc.{name}", text_of(item.value.raw), at, derived=derived)


def _header(item: Item) -> str:
    """The type byte, and the number of a reference, as marshal.c calls them."""
    what = f"type {item.type!r}"
    if item.target is not None:
        what += f" to object {int.from_bytes(item.raw, 'little')}"
    elif item.raw:
        what += f", {len(item.raw)} bytes"
    return f"{what}, flagged" if item.flagged else what


def _table(place: _Place, code: Item, name: str, item: Item) -> Member:
    """A tuple or bytes as rows, the first of which is its type and size."""
    size = item.end - item.at
    base = code.at
    rows = ROWS.get(name)
    if name == "code":
        rows = partial(_instructions, _Operands(code, place.version))
    if name == "linetable" and "exceptiontable" not in place.fields:
        rows = _line_pairs  # 3.10
    return Member(
        name,
        place.blob.part(item.at, size),
        (item.at - base, size),
        f"pyc.{name}",
        inside=Listing(f"pyc.{name}", partial(_rows, item, rows)),
    )


def _rows(
    item: Item, rows: "Callable[[bytes], Iterable[tuple[int, str]]] | None", _: Blob
) -> Iterator[Row]:
    base = item.at
    if item.target is not None:
        whole = item.target
        empty = whole.type in "()s" and not whole.elements and not whole.raw
        yield Row((0, item.end - base), _kind(whole) if empty else whole.text)
        return
    yield Row((0, item.body - base), _kind(item))
    if item.type != "s" or rows is None:
        for element in item.elements:
            if element.type in SETS:
                yield from _set_rows(element, base)
            else:
                yield Row((element.at - base, element.end - element.at), element.text)
        if not item.elements:
            yield Row((item.body - base, item.end - item.body), item.text)
        return
    at = item.body - base
    for size, text in rows(item.raw):
        yield Row((at, size), text)
        at += size


def _set_rows(item: Item, base: int) -> Iterator[Row]:
    """A set as a row each element, so that another order is told as such."""
    yield Row((item.at - base, item.body - item.at), f"set of {len(item.elements)}")
    for element in item.elements:
        yield Row((element.at - base, element.end - element.at), f"in the set: {element.text}")


def _kind(item: Item) -> str:
    return {"(": "tuple", ")": "tuple", "s": "bytes"}.get(item.type, item.type)


class _Operands:
    """What the arguments of a code object's instructions stand for."""

    def __init__(self, code: Item, version: tuple[int, int]) -> None:
        self.names = python_opcodes.names(version)
        self.cached = version >= (3, 11)
        self._version = version
        new = version >= (3, 11)
        locals_, cells = ("localsplusnames",) * 2 if new else ("varnames", "")
        self._tables = dict.fromkeys(CONSTANTS, _texts(code, "consts"))
        self._tables |= dict.fromkeys(NAMED, _texts(code, "names"))
        self._tables |= dict.fromkeys(LOCALS, _texts(code, locals_))
        free = _texts(code, cells) if new else _texts(code, "cellvars") + _texts(code, "freevars")
        self._tables |= dict.fromkeys(CELLS, free)

    def text(self, name: str, argument: int) -> str:
        """The argument by what it stands for, and the bits that are flags beside it."""
        table = self._tables.get(name)
        if table is None:
            return str(argument)
        shift = 0
        if name == "LOAD_SUPER_ATTR":
            shift = 2
        elif name == "LOAD_GLOBAL":
            shift = self._version >= (3, 11)
        elif name == "LOAD_ATTR":
            shift = self._version >= (3, 12)
        index, flags = argument >> shift, argument & ((1 << shift) - 1)
        told = table[index] if index < len(table) else f"#{index}"
        return f"{told} +{flags}" if shift else told


def _texts(code: Item, name: str) -> list[str]:
    """The texts of a tuple's elements."""
    item = code.fields.get(name)
    return [one.text for one in item.value.elements] if isinstance(item, Item) else []


def _instructions(operands: _Operands, code: bytes) -> Iterator[tuple[int, str]]:
    """Two bytes each since 3.6: an opcode and an argument; since 3.11 zeros behind it, which the
    interpreter uses as a cache. An argument's higher bytes are told with the lowest."""
    at = higher = 0
    while at + 1 < len(code):
        size = 2
        while operands.cached and code[at + size : at + size + 2] == b"\0\0":
            size += 2
        name = operands.names.get(code[at], f"opcode {code[at]}")
        argument = higher << 8 | code[at + 1]
        if name == "EXTENDED_ARG":
            higher = argument & 0xFFFFFF
            yield 2, name
            at += 2
            continue
        higher = 0
        yield size, f"{name} {operands.text(name, argument)}"
        at += size


def _line_pairs(table: bytes) -> Iterator[tuple[int, str]]:
    """Up to 3.9 (lnotab_notes.txt): steps of bytes and of lines; 3.10 (PEP 626): the same, and
    -128 for no line."""
    for at in range(0, len(table) - 1, 2):
        lines = int.from_bytes(table[at + 1 : at + 2], "little", signed=True)
        yield 2, f"{table[at]} bytes, {lines:+d} lines"


def _line_table(table: bytes) -> Iterator[tuple[int, str]]:
    """Since 3.11 (locations.md): entries whose first byte has its highest bit set:
    bits 3 to 6 are the form, 0 to 2 the number of instructions less one."""
    at = 0
    while at < len(table):
        end = at + 1
        while end < len(table) and not table[end] & 0x80:
            end += 1
        first = table[at]
        if first & 0x80:
            text = f"{(first & 7) + 1} units, form {first >> 3 & 15}, {table[at + 1 : end].hex()}"
        else:
            text = table[at:end].hex()
        yield end - at, text
        at = end


def _handlers(table: bytes) -> Iterator[tuple[int, str]]:
    """Since 3.11 (exception_handling_notes.txt): entries that start where the highest bit is
    set, of four numbers in groups of six bits, the highest first."""
    at = 0
    while at < len(table):
        end = at + 1
        while end < len(table) and not table[end] & 0x80:
            end += 1
        yield end - at, _handler(table[at:end])
        at = end


def _handler(entry: bytes) -> str:
    numbers, number = [], 0
    for byte in entry:
        number = number << 6 | byte & 0x3F
        if not byte & 0x40:
            numbers.append(number)
            number = 0
    if len(numbers) != 4 or entry[-1] & 0x40 or not entry[0] & 0x80:
        return entry.hex()
    start, size, target, depth = numbers
    told = f"{start}+{size} to {target}, depth {depth >> 1}{', lasti' if depth & 1 else ''}"
    # a number may be written with more groups than it needs
    return told if len(entry) == _shortest(numbers) else f"{told} ({entry.hex()})"


def _shortest(numbers: list[int]) -> int:
    return sum(max(1, -(-number.bit_length() // 6)) for number in numbers)


ROWS: dict[str, Callable[[bytes], Iterable[tuple[int, str]]]] = {
    "lnotab": _line_pairs,
    "linetable": _line_table,
    "exceptiontable": _handlers,
}
