"""Objects that CPython has marshalled, read as a tree of places: nothing is ever built or run.

Source: CPython's Python/marshal.c of 3.6 to 3.14 (marshal versions 4 and 5), which is its only
specification. `FLAG_REF` gives an object a number that a later `TYPE_REF` stands for; numbers
count from 0 in the order in which the flagged objects start.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sxdiff.model import FormatError, LimitError, Span, text_of

FLAG_REF = 0x80
REFERENCE = ord("r")
MOST_BYTES = 256 << 20
DEEPEST = 2000
"""MAX_MARSHAL_STACK_DEPTH of marshal.c."""
OPEN = -1
"""The end of an object that is not yet read to its end."""
LONGEST_DECIMAL = 200
"""Bytes of an integer that is told in decimal digits: they cost more than hex digits."""
BRIEF = 100
"""Characters of an element that are told in the text of what holds it."""

NUMBERED = ("argcount", "posonlyargcount", "kwonlyargcount", "nlocals", "stacksize", "flags")
OLD = ("code", "consts", "names", "varnames", "freevars", "cellvars", "filename", "name")
NEW = (
    *("code", "consts", "names", "localsplusnames", "localspluskinds"),
    *("filename", "name", "qualname"),
)
LINE = "firstlineno"
NUMBERS = frozenset({*NUMBERED, LINE})

SINGLE = {
    "N": "None",
    "F": "False",
    "T": "True",
    "S": "StopIteration",
    ".": "Ellipsis",
    "0": "NULL",
}
COUNTED = {"(": ("(", ")"), ")": ("(", ")"), "[": ("[", "]"), "<": ("set(", ")")}
COUNTED[">"] = ("frozenset(", ")")
SETS = "<>"
FIXED = {"i": 4, "I": 8, "g": 8, "y": 16}
SIZES = dict.fromkeys("sutaA(<>[", 4) | dict.fromkeys("zZ)", 1)
"""Bytes of the size behind the type byte, where there is one."""
NO_FIELDS: "Mapping[str, Item | Span]" = MappingProxyType({})


@dataclass(slots=True)
class Item:
    """One object: its type byte lies at `at`, what it says from `body` to `end`.

    `text` says its value; that of a reference is the value that it stands for (`target`).
    `fields` are a code object's: numbers as their spans, all else as items.
    """

    type: str
    flagged: bool
    at: int
    body: int = 0
    end: int = 0
    text: str = ""
    raw: bytes = b""
    elements: "Sequence[Item]" = ()
    fields: "Mapping[str, Item | Span]" = field(default_factory=lambda: NO_FIELDS)
    target: "Item | None" = None
    used: bool = False

    @property
    def value(self) -> "Item":
        """The object itself, where this is a reference to it."""
        return self.target or self


def code_fields(version: tuple[int, int]) -> tuple[str, ...]:
    """A code object's fields in their order (w_object of marshal.c, TYPE_CODE)."""
    numbers = [name for name in NUMBERED if name != "posonlyargcount" or version >= (3, 8)]
    if version >= (3, 11):
        numbers.remove("nlocals")
        return (*numbers, *NEW, LINE, "linetable", "exceptiontable")
    return (*numbers, *OLD, LINE, "linetable" if version >= (3, 10) else "lnotab")


@dataclass(slots=True)
class _Open:
    """An object whose elements are still being read: how many, or which fields, are left."""

    item: Item
    left: int
    elements: list[Item]
    fields: "dict[str, Item | Span]"
    names: tuple[str, ...] = ()


class Reader:
    """Reads the object at an offset of `data`; without recursion, so that none is too deep."""

    def __init__(self, data: bytes, version: tuple[int, int]) -> None:
        if len(data) > MOST_BYTES:
            raise LimitError(f"marshalled data of more than {MOST_BYTES} bytes")
        self._data = data
        self._fields = code_fields(version)
        self._known: list[Item] = []

    @property
    def idle(self) -> int:
        """Objects read so far that are flagged and that no reference stands for."""
        return sum(not item.used for item in self._known)

    def read(self, at: int) -> Item:
        """The object at `at`. Raises `FormatError` where the bytes are no such object."""
        root = item = self._start(at)
        stack: list[_Open] = []
        opened = self._opened(item) if item.end == OPEN else None
        while True:
            at = item.end
            if opened:
                stack.append(opened)
                at = item.body
                if len(stack) > DEEPEST:
                    raise LimitError(f"objects nested more than {DEEPEST} deep", item.at)
            while stack:  # go on with the innermost object that still lacks an element
                inner = stack[-1]
                if inner.names:
                    at = self._numbers(inner, at)
                if inner.left:
                    break
                stack.pop()
                inner.item.end = at
                self._close(inner.item)
            else:
                return root
            item = self._start(at)
            if inner.names:
                inner.fields[inner.names[-inner.left]] = item
                inner.left -= 1
            elif inner.item.type != "{":
                inner.elements.append(item)
                inner.left -= 1
            elif item.type == "0":
                inner.left = 0  # the end of a dict
            else:
                inner.elements.append(item)
            opened = self._opened(item) if item.end == OPEN else None

    def _numbers(self, opened: _Open, at: int) -> int:
        """Take the numbers that come next in a code object; the offset behind them."""
        while opened.left and opened.names[-opened.left] in NUMBERS:
            self._bytes(at, 4)
            opened.fields[opened.names[-opened.left]] = (at, 4)
            opened.left -= 1
            at += 4
        return at

    def _opened(self, item: Item) -> _Open:
        """What is still to be read of an object that has just started."""
        count = 1
        names: tuple[str, ...] = ()
        if item.type == "c":
            count, names = len(self._fields), self._fields
        elif item.type == ":":
            count = 3
        elif item.type != "{":
            size = SIZES[item.type]
            count = self._number(item.body - size, size)
            if count > len(self._data) - item.body:
                raise FormatError(f"{count} elements in fewer bytes", item.at)
        out = _Open(item, count, [], {}, names)
        item.elements, item.fields = out.elements, out.fields
        return out

    def _start(self, at: int) -> Item:
        """The object whose type byte lies at `at`: whole, or with all that goes before its
        elements and `OPEN` as its end."""
        data = self._data
        if at >= len(data):
            raise FormatError("marshalled object ends early", at)
        byte = data[at]
        if byte == REFERENCE:  # every second object: no more calls than it needs
            return self._reference(at)
        kind = chr(byte & ~FLAG_REF)
        item = Item(kind, byte >= FLAG_REF, at, at + 1, 0, "", b"", (), NO_FIELDS)
        if byte >= FLAG_REF:
            self._known.append(item)
        if kind in "zZ" and at + 1 < len(data):
            item.body = at + 2
            item.end = end = at + 2 + data[at + 1]
            item.raw = raw = data[at + 2 : end]
            if end > len(data):
                raise FormatError(f"string ends early: {data[at + 1]} bytes wanted", at + 2)
            item.text = _string_text(raw)
        elif size := SIZES.get(kind):
            count = self._number(at + 1, size)
            item.body += size
            if kind in COUNTED:
                item.end = OPEN
            else:
                item.raw = self._bytes(item.body, count)
                item.end = item.body + count
                item.text = ("b" if kind == "s" else "") + _string_text(item.raw)
        elif kind in "c{:":
            item.end = OPEN
        else:
            self._plain(item)
        return item

    def _plain(self, item: Item) -> None:
        """A number, or an object that its type says alone."""
        kind, at = item.type, item.body
        item.end = at
        if kind in SINGLE:
            item.text = SINGLE[kind]
        elif kind in FIXED:
            item.raw = self._bytes(at, FIXED[kind])
            item.end = at + FIXED[kind]
            item.text = _number_text(kind, item.raw)
        elif kind == "l":
            digits = int.from_bytes(self._bytes(at, 4), "little", signed=True)
            item.raw = self._bytes(at + 4, 2 * abs(digits))
            item.end = at + 4 + len(item.raw)
            item.text = _long_text(item.raw, digits < 0)
        elif kind in "fx":
            for _ in range(2 if kind == "x" else 1):
                size = 1 + self._number(item.end, 1)
                item.raw += self._bytes(item.end, size)
                item.end += size
            item.text = f"{'float' if kind == 'f' else 'complex'} {text_of(item.raw)}"
        else:
            raise FormatError(f"no type {item.type!r} of marshalled objects", item.at)

    def _reference(self, at: int) -> Item:
        raw = self._data[at + 1 : at + 5]
        number = int.from_bytes(raw, "little")
        if len(raw) < 4 or number >= len(self._known):
            raise FormatError(f"reference to object {number} of {len(self._known)}", at)
        named = self._known[number]
        named.used = True
        whole = named.target or named
        text = whole.text or "itself"
        return Item("r", False, at, at + 1, at + 5, text, raw, (), NO_FIELDS, whole)

    def _close(self, item: Item) -> None:
        """The text of an object whose elements are all read."""
        if item.type == "c":
            name = item.fields.get("qualname", item.fields["name"])
            item.text = f"code object {text_of(name.value.raw) if isinstance(name, Item) else ''}"
        elif item.type == "{":
            item.text = _joined("{", item.elements, "}")
        elif item.type == ":":
            item.text = _joined("slice(", item.elements, ")")
        else:
            start, end = COUNTED[item.type]
            # a set's order follows from the seed of strings' hashes, up to 3.10
            item.text = _joined(start, item.elements, end, item.type not in SETS)

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._bytes(at, size), "little")

    def _bytes(self, at: int, size: int) -> bytes:
        found = self._data[at : at + size]
        if len(found) < size:
            raise FormatError(f"marshalled object ends early: {size} bytes wanted", at)
        return found


def _joined(start: str, elements: Sequence[Item], end: str, in_order: bool = True) -> str:
    told = [_brief(element) for element in elements]
    return start + ", ".join(told if in_order else sorted(told)) + end


def _brief(item: Item) -> str:
    """An element's text; a long one's start and digest, so that references to references to
    references cannot grow without bounds."""
    text = item.text
    if item.value.type == "c":
        text = f"{text[:BRIEF]} at {item.value.at:#x}"
    if len(text) <= BRIEF:
        return text
    return f"{text[:BRIEF]}... sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _string_text(raw: bytes) -> str:
    try:
        return repr(raw.decode())
    except UnicodeDecodeError:  # bytes that are no text, or a lone surrogate
        return f"({raw.hex()})"


def _number_text(kind: str, raw: bytes) -> str:
    if kind in "iI":
        return str(int.from_bytes(raw, "little", signed=True))
    values = struct.unpack(f"<{len(raw) // 8}d", raw)
    if any(value != value for value in values):  # noqa: PLR0124 - not a number: many bytes mean it
        return f"nan {raw.hex()}"
    return repr(values[0] if kind == "g" else complex(*values))


def _long_text(raw: bytes, negative: bool) -> str:
    """Digits of 15 bits, the lowest first. Decimal only where that is short: it costs."""
    if any(byte & 0x80 for byte in raw[1::2]) or raw[-2:] == b"\0\0":
        return f"long {'-' if negative else ''}{raw.hex()}"  # not as CPython writes it
    if len(raw) > LONGEST_DECIMAL:
        return f"long {'-' if negative else ''}{raw.hex()}"
    value = 0
    for at in range(len(raw) - 2, -1, -2):
        value = value << 15 | int.from_bytes(raw[at : at + 2], "little")
    return f"{-value if negative else value}"
