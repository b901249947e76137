"""JSON as it is written (RFC 8259): values with the bytes that spell them, in their order.

Nothing is lost that a reader may see: keys that occur twice, the order of keys, numbers as their
source text. `json` of the standard library drops all three.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from sxdiff.model import FormatError, LimitError, Limits, Scalar, Span

_MOST_VALUES = 250_000

_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_VALUE = re.compile(
    rb"[ \t\n\r]*(?:(?P<string>"
    + _STRING.pattern
    + rb")|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    rb"|(?P<object>\{)|(?P<array>\[)|(?P<literal>true|false|null))"
)
_KEY = re.compile(rb"[ \t\n\r]*(" + _STRING.pattern + rb")[ \t\n\r]*:")
_BEHIND = re.compile(rb"[ \t\n\r]*([,}\]])")
_LITERALS: dict[bytes, Scalar] = {b"true": True, b"false": False, b"null": None}
_MOST_DIGITS = 18
"""Integers up to this length are integers in the report; others keep their source text."""

_INDENTS = {b"": "", b"\t": "a tab", **{b" " * n: f"{n} spaces" for n in (1, 2, 3, 4, 8)}}


class Json(NamedTuple):
    """One value. `at` spans its first to its last byte in the document."""

    kind: str
    """ "object", "array", "string", "number" or "literal"."""
    at: Span
    value: Scalar = None
    """Of a string its text, of a number its integer or source text, of a literal itself."""
    members: "tuple[tuple[str, Span, Json], ...]" = ()
    """Of an object: key, span of the key, value."""
    items: "tuple[Json, ...]" = ()


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
        if self._space() != len(self._raw):
            raise FormatError("JSON: bytes behind the document", self._space())
        return value

    def _space(self) -> int:
        """Where the next byte is that is no space."""
        found = _SPACE.match(self._raw, self._at)
        return found.end() if found else self._at

    def _value(self, depth: int) -> Json:
        self._left -= 1
        if self._left < 0:
            raise LimitError(f"JSON: more than {_MOST_VALUES} values", self._at)
        found = _VALUE.match(self._raw, self._at)
        if not found:
            begin = self._space()
            if self._raw[begin : begin + 1] == b'"':
                raise FormatError("JSON: a string has no end or holds a control character", begin)
            raise FormatError("JSON: a value is missing", begin)
        kind = found.lastgroup
        begin, end = found.span(found.lastindex or 0)
        self._at = end
        at = (begin, end - begin)
        if kind == "string":
            return Json("string", at, _text(found["string"], begin))
        if kind == "number":
            text = found["number"].decode("ascii")
            whole = text.removeprefix("-").isdigit() and len(text) <= _MOST_DIGITS
            exact = whole and text != "-0"
            return Json("number", at, int(text) if exact else text)
        if kind == "literal":
            return Json("literal", at, _LITERALS[found["literal"]])
        if depth >= self._depth:
            raise LimitError(f"JSON: nested deeper than {self._depth} levels", begin)
        return self._object(begin, depth + 1) if kind == "object" else self._array(begin, depth + 1)

    def _object(self, begin: int, depth: int) -> Json:
        raw = self._raw
        members: list[tuple[str, Span, Json]] = []
        if self._closes(b"}"):
            return Json("object", (begin, self._at - begin))
        while True:
            found = _KEY.match(raw, self._at)
            if not found:
                raise self._no_key()
            key_at, key_end = found.span(1)
            key = _text(found[1], key_at)
            self._at = found.end()
            members.append((key, (key_at, key_end - key_at), self._value(depth)))
            if self._ends(b"}"):
                return Json("object", (begin, self._at - begin), members=tuple(members))

    def _no_key(self) -> FormatError:
        """What is wrong where no key and colon stand."""
        begin = self._space()
        if self._raw[begin : begin + 1] != b'"':
            return FormatError("JSON: a key is missing", begin)
        found = _STRING.match(self._raw, begin)
        if not found:
            return FormatError("JSON: a string has no end or holds a control character", begin)
        self._at = found.end()
        return FormatError("JSON: a colon is missing", self._space())

    def _array(self, begin: int, depth: int) -> Json:
        items: list[Json] = []
        if self._closes(b"]"):
            return Json("array", (begin, self._at - begin))
        while True:
            items.append(self._value(depth))
            if self._ends(b"]"):
                return Json("array", (begin, self._at - begin), items=tuple(items))

    def _closes(self, closing: bytes) -> bool:
        """Whether there is nothing before the end."""
        end = self._space() + 1
        if self._raw[end - 1 : end] != closing:
            return False
        self._at = end
        return True

    def _ends(self, closing: bytes) -> bool:
        """After an element: is this the end, or does a comma follow?"""
        found = _BEHIND.match(self._raw, self._at)
        if not found or found[1] not in (closing, b","):
            raise FormatError("JSON: a comma or the end is missing", self._space())
        self._at = found.end()
        return found[1] == closing


def _text(spelled: bytes, at: int) -> str:
    """What a string with its quotes says."""
    try:
        text = spelled.decode()
        if "\\" not in text:
            return text[1:-1]
        value: str = json.loads(text)
        value.encode()
    except UnicodeError:
        raise FormatError("JSON: a string is no Unicode text", at) from None
    return value


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
