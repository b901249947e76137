"""JSON as it is written (RFC 8259): values with the bytes that spell them, in their order.

Nothing is lost that a reader may see: keys that occur twice, the order of keys, numbers as their
source text. `json` of the standard library drops all three.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sxdiff.model import FormatError, LimitError, Limits, Scalar, Span

_MOST_VALUES = 250_000

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERAL = re.compile(rb"true|false|null")
_LITERALS: dict[bytes, Scalar] = {b"true": True, b"false": False, b"null": None}
_MOST_DIGITS = 18
"""Integers up to this length are integers in the report; others keep their source text."""

_INDENTS = {b"": "", b"\t": "a tab", **{b" " * n: f"{n} spaces" for n in (1, 2, 3, 4, 8)}}


@dataclass(frozen=True, slots=True)
class Json:
    """One value. `at` spans its first to its last byte in the document."""

    kind: str
    """ "object", "array", "string", "number" or "literal"."""
    at: Span
    value: Scalar = None
    """Of a string its text, of a number its integer or source text, of a literal itself."""
    members: tuple[tuple[str, Span, "Json"], ...] = ()
    """Of an object: key, span of the key, value."""
    items: tuple["Json", ...] = ()


Step: TypeAlias = str | int


def parse(raw: bytes, limits: Limits) -> Json:
    """The document as a tree. Raises FormatError where it is no JSON, LimitError beyond limits."""
    if len(raw) > limits.document_bytes:
        raise LimitError(f"{len(raw)} bytes of JSON are beyond {limits.document_bytes}")
    return _Parser(raw, limits.document_depth).document()


def scan(raw: bytes, limits: Limits) -> Iterator[tuple[str, Json]]:
    """Every value of the document with its JSON pointer (RFC 6901), containers first."""
    pending = [("", parse(raw, limits))]
    while pending:
        pointer, value = pending.pop()
        yield pointer, value
        below = [(pointer_to(pointer, key), item) for key, _, item in value.members]
        below += [(pointer_to(pointer, i), item) for i, item in enumerate(value.items)]
        pending += reversed(below)


def pointer_to(pointer: str, step: Step) -> str:
    """The JSON pointer of what lies one step below (RFC 6901, section 3)."""
    return f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"


class _Parser:
    def __init__(self, raw: bytes, depth: int) -> None:
        self._raw = raw
        self._depth = depth
        self._at = 0
        self._left = _MOST_VALUES

    def document(self) -> Json:
        value = self._value(0)
        self._skip_space()
        if self._at != len(self._raw):
            raise FormatError("JSON: bytes behind the document", self._at)
        return value

    def _skip_space(self) -> int:
        """The next byte that is no space; -1 at the end."""
        found = _SPACE.match(self._raw, self._at)
        self._at = found.end() if found else self._at
        return self._raw[self._at] if self._at < len(self._raw) else -1

    def _value(self, depth: int) -> Json:
        self._left -= 1
        if self._left < 0:
            raise LimitError(f"JSON: more than {_MOST_VALUES} values", self._at)
        first = self._skip_space()
        begin = self._at
        if first in (0x7B, 0x5B):
            if depth >= self._depth:
                raise LimitError(f"JSON: nested deeper than {self._depth} levels", begin)
            return self._object(depth + 1) if first == 0x7B else self._array(depth + 1)
        if first == 0x22:
            return Json("string", *self._string())
        if found := _LITERAL.match(self._raw, begin):
            self._at = found.end()
            return Json("literal", (begin, self._at - begin), _LITERALS[found[0]])
        if found := _NUMBER.match(self._raw, begin):
            self._at = found.end()
            text = found[0].decode("ascii")
            whole = text.removeprefix("-").isdigit() and len(text) <= _MOST_DIGITS
            exact = whole and text != "-0"
            return Json("number", (begin, len(text)), int(text) if exact else text)
        raise FormatError("JSON: a value is missing", begin)

    def _string(self) -> tuple[Span, str]:
        begin = self._at
        found = _STRING.match(self._raw, begin)
        if not found:
            raise FormatError("JSON: a string has no end or holds a control character", begin)
        self._at = found.end()
        try:
            text = found[0].decode()
            value = json.loads(text) if "\\" in text else text[1:-1]
            value.encode()
        except UnicodeError:
            raise FormatError("JSON: a string is no Unicode text", begin) from None
        return (begin, self._at - begin), value

    def _object(self, depth: int) -> Json:
        begin = self._at
        self._at += 1
        members: list[tuple[str, Span, Json]] = []
        if self._skip_space() == 0x7D:
            self._at += 1
            return Json("object", (begin, self._at - begin))
        while True:
            if self._skip_space() != 0x22:
                raise FormatError("JSON: a key is missing", self._at)
            key_at, key = self._string()
            if self._skip_space() != 0x3A:
                raise FormatError("JSON: a colon is missing", self._at)
            self._at += 1
            members.append((key, key_at, self._value(depth)))
            if self._ends(0x7D):
                return Json("object", (begin, self._at - begin), members=tuple(members))

    def _array(self, depth: int) -> Json:
        begin = self._at
        self._at += 1
        items: list[Json] = []
        if self._skip_space() == 0x5D:
            self._at += 1
            return Json("array", (begin, self._at - begin))
        while True:
            items.append(self._value(depth))
            if self._ends(0x5D):
                return Json("array", (begin, self._at - begin), items=tuple(items))

    def _ends(self, closing: int) -> bool:
        """After an element: is this the end, or does a comma follow?"""
        byte = self._skip_space()
        if byte not in (closing, 0x2C):
            raise FormatError("JSON: a comma or the end is missing", self._at)
        self._at += 1
        return byte == closing


def _tokens(tree: Json) -> list[tuple[Span, int, str]]:
    """(span, depth, role) of every key, scalar and bracket, in their order."""
    out: list[tuple[Span, int, str]] = []

    def walk(value: Json, depth: int) -> None:
        begin, size = value.at
        if value.kind not in ("object", "array"):
            out.append((value.at, depth, "value"))
            return
        empty = " empty" if not value.members and not value.items else ""
        out.append(((begin, 1), depth, f"open{empty}"))
        for _, key_at, item in value.members:
            out.append((key_at, depth + 1, "key"))
            walk(item, depth + 1)
        for item in value.items:
            walk(item, depth + 1)
        out.append(((begin + size - 1, 1), depth, f"close{empty}"))

    walk(tree, 0)
    return out


def gaps(raw: bytes, tree: Json) -> list[bytes]:
    """What stands between the tokens: white space, commas, colons; at last what ends the text."""
    found, end = [], 0
    for (begin, size), _, _ in _tokens(tree):
        found.append(raw[end:begin])
        end = begin + size
    return [*found, raw[end:]]


def _gaps_of(tree: Json, indent: bytes, colon: bytes, comma: bytes) -> list[bytes]:
    """The gaps that a writer of this style leaves."""
    found: list[bytes] = []
    before = ""
    for _, depth, role in _tokens(tree):
        line = b"\n" + indent * depth if indent else b""
        if before in ("", "open empty"):
            gap = b""
        elif before == "key":
            gap = colon
        elif before == "open" or role.startswith("close"):
            gap = line
        else:
            gap = b"," + (line or comma)
        found.append(gap)
        before = role
    return found


def style(raw: bytes, tree: Json) -> str:
    """How the document is laid out, in words; of two documents in one style no space differs."""
    found = gaps(raw, tree)
    end = found.pop()
    closing = f", {end.decode()!r} at the end" if end else ""
    for indent, words in _INDENTS.items():
        for colon, comma in ((b":", b""), (b": ", b" ")):
            if _gaps_of(tree, indent, colon, comma) == found:
                tight = colon == b":"
                if indent:
                    return f"indented by {words}{', tight colons' if tight else ''}{closing}"
                return ("compact" if tight else "on one line, with spaces") + closing
    digest = hashlib.sha256(b"\0".join(found)).hexdigest()
    return f"white space of no common style ({digest[:16]}){closing}"
