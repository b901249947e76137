"""Basic values of ASN.1 in DER, as a tree that names its parts: what certificates are made of.

Source: ITU-T X.690 (02/2021), 8 "Basic encoding rules" and 10 "Distinguished encoding rules".
Lengths are read as DER has them (definite, shortest), so that a length tells nothing that the
content does not; any other encoding is no DER.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from sxdiff.formats.texts.pieces import Names
from sxdiff.formats.trust.identifiers import IDENTIFIERS
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Member,
    Scalar,
    text_of,
)

LARGEST = 64 << 20
"""Bytes of one document that are read at once."""
DEEPEST = 24
LONGEST_OID = 256
LONGEST_HEX = 64
"""Bytes that are told as hex digits; of more, the digest."""

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 1, 2, 3, 4, 5, 6
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
STRINGS = {
    0x0C: ("UTF8String", "utf-8"),
    0x12: ("NumericString", "ascii"),
    0x13: ("PrintableString", "ascii"),
    0x14: ("TeletexString", "ascii"),
    0x16: ("IA5String", "ascii"),
    0x1A: ("VisibleString", "ascii"),
    0x1E: ("BMPString", "utf-16-be"),
}
_TAGS = {OID: "type", BOOLEAN: "critical", OCTET_STRING: "value", UTC_TIME: "time"}
"""What unnamed parts of an extension, of an attribute or of an algorithm are called."""
_OLD_PBE = ("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")
_TIMES = (UTC_TIME, GENERALIZED_TIME)
_SECRETS = frozenset({"keyBag", "secretBag", "challengePassword"})
"""What is told by its digest, wherever it is met."""
_VISIBLE = re.compile(rb"[!-~]{3,}")
_PRINTABLE = re.compile(rb"[!-~]{3,100}")
_UTC_TIME = re.compile(rb"\d{12}Z")
_GENERALIZED_TIME = re.compile(rb"\d{14}Z")


class Element(NamedTuple):
    """One value: its identifier octet, where it starts, where its content starts and ends."""

    tag: int
    at: int
    content: int
    end: int

    @property
    def constructed(self) -> bool:
        return bool(self.tag & 0x20)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the parts of a constructed value are called, as its ASN.1 module has them.

    `parts` in order, absent ones skipped by their tag; `each` is the shape of the elements of a
    list. What neither names is named by its object identifier or its number.
    """

    parts: "tuple[Part, ...]" = ()
    each: "Part | None" = None


@dataclass(frozen=True, slots=True)
class Part:
    """One line of an ASN.1 module. `tag` 0 is any. `whole`: told by its digest, nothing of it is
    shown; `stream`: a document of its own; `group`: parts of its own, told under its name."""

    tag: int
    name: str
    shape: Shape = field(default_factory=Shape)
    derived: bool = False
    whole: bool = False
    stream: bool = False
    group: bool = False


def element(raw: bytes, at: int, end: int) -> Element:
    """The value at `at`, which ends at `end` at the latest. Raises `FormatError`."""
    if at + 2 > end:
        raise FormatError("DER: a value is cut off", at)
    tag, size = raw[at], raw[at + 1]
    if tag & 0x1F == 0x1F:
        raise FormatError("DER: a tag of more than one octet", at)
    content = at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or content + count > end:
            raise FormatError("DER: a length of no DER", at + 1)
        size = int.from_bytes(raw[content : content + count], "big")
        if size < 0x80 or size < 1 << 8 * (count - 1):
            raise FormatError("DER: a length is not the shortest", at + 1)
        content += count
    if content + size > end:
        raise FormatError("DER: a value is longer than what holds it", at)
    return Element(tag, at, content, content + size)


def children(raw: bytes, parent: Element) -> list[Element]:
    """The values in a constructed one. Raises `FormatError`."""
    out = []
    at = parent.content
    while at < parent.end:
        out.append(element(raw, at, parent.end))
        at = out[-1].end
    return out


def root(raw: bytes) -> Element:
    """The one value that `raw` is, wholly."""
    found = element(raw, 0, len(raw))
    if found.end != len(raw):
        raise FormatError("DER: bytes behind the value", found.end)
    return found


def starts(head: bytes, *path: tuple[int, bytes | None]) -> bool:
    """Whether values nest so: each (tag, content) of `path` is the next value inside the last
    constructed one, a primitive one is followed by its sibling. Looks at the start only."""
    at, end = 0, 1 << 32
    for tag, content in path:
        if at + 2 > len(head) or at >= end or head[at] != tag:
            return False
        size, start = head[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                return False
            size = int.from_bytes(head[start : start + count], "big")
            start += count
        if content is not None and head[start : start + size] != content:
            return False
        if tag & 0x20:
            at, end = start, min(end, start + size)
        else:
            at = start + size
    return True


def is_private_key(raw: bytes, one: Element) -> bool:
    """Whether a sequence looks like a private key: RFC 5208 (plain), RFC 8017 A.1.2, RFC 5915,
    and that of DSA as OpenSSL writes it."""
    if one.tag != SEQUENCE:
        return False
    tags: list[int] = []
    at = one.content
    first = b""
    while at < one.end and len(tags) < 10:
        try:
            child = element(raw, at, one.end)
        except FormatError:
            return False
        if not tags:
            first = raw[child.content : child.end]
            if child.tag != INTEGER or first not in (b"\0", b"\1"):
                return False
        tags.append(child.tag)
        if tags == [INTEGER, OCTET_STRING]:
            return child.end - child.content >= 16
        if tags == [INTEGER, SEQUENCE, OCTET_STRING]:
            return True
        at = child.end
    several = tags[9:] == [SEQUENCE]  # an RSA key of more than two primes
    return at == one.end and set(tags[:9]) == {INTEGER} and (len(tags) in (6, 9) or several)


def is_encrypted_private_key(raw: bytes, one: Element) -> bool:
    """Whether a sequence is an `EncryptedPrivateKeyInfo` (RFC 5208, 6)."""
    if one.tag != SEQUENCE:
        return False
    found = children(raw, one)
    if [child.tag for child in found] != [SEQUENCE, OCTET_STRING]:
        return False
    name = element(raw, found[0].content, found[0].end)
    known = identifier(raw[name.content : name.end]) if name.tag == OID else ""
    return known == "PBES2" or known.startswith("pbeWith") or known.startswith(_OLD_PBE)


def identifier(raw: bytes) -> str:
    """An object identifier's name, or its numbers with dots; hex where it is none, or one with
    numbers that no one has."""
    if len(raw) > LONGEST_OID:
        return f"{len(raw)} bytes {digest(raw)}"
    numbers: list[int] = []
    value = 0
    fresh = True
    for byte in raw:
        if fresh and byte == 0x80:
            return raw.hex()
        value = value << 7 | byte & 0x7F
        fresh = not byte & 0x80
        if fresh:
            numbers.append(value)
            value = 0
    if not fresh or not numbers:
        return raw.hex()
    first = min(numbers[0] // 40, 2)
    dotted = ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))
    return IDENTIFIERS.get(dotted, dotted)


def shown(raw: bytes, one: Element) -> Scalar:
    """A primitive value in words that tell all its bytes."""
    data = raw[one.content : one.end]
    if one.tag == INTEGER and data and not _longer(data):
        if len(data) <= 4:
            return int.from_bytes(data, "big", signed=True)
        return (
            f"0x{data.hex()}" if len(data) <= LONGEST_HEX else f"{len(data)} bytes {digest(data)}"
        )
    if one.tag == BOOLEAN and data in (b"\0", b"\xff"):
        return data == b"\xff"
    if one.tag == NULL and not data:
        return None
    if one.tag == OID:
        return identifier(data)
    if one.tag == UTC_TIME and _UTC_TIME.fullmatch(data):
        century = b"19" if data[:2] >= b"50" else b"20"
        return _date(century + data) or text_of(data)
    if one.tag == GENERALIZED_TIME and _GENERALIZED_TIME.fullmatch(data):
        return f"GeneralizedTime {_date(data) or text_of(data)}"
    if one.tag in STRINGS:
        name, encoding = STRINGS[one.tag]
        try:
            return f"{name} {data.decode(encoding)}"
        except UnicodeDecodeError:
            return f"{name} {data.hex()}"
    told = digest(data) if len(data) > LONGEST_HEX else _words(data)
    if one.tag in (BIT_STRING, OCTET_STRING):
        return told
    return f"[{one.tag & 0x1F:#x}] {told}" if one.tag & 0xC0 != 0x80 else told


def digest(data: bytes) -> str:
    """The digest that stands for bytes that are too many, or not to be shown."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _longer(data: bytes) -> bool:
    """Whether an integer has more bytes than it needs."""
    return len(data) > 1 and (data[0], data[1] >> 7) in ((0, 0), (0xFF, 1))


def _words(data: bytes) -> str:
    """ASCII as it is (a host name in a GeneralName), other bytes as hex digits."""
    if _VISIBLE.fullmatch(data):
        return data.decode("ascii")
    return data.hex()


def _date(digits: bytes) -> str | None:
    try:
        found = datetime.strptime(digits.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Tree:
    """The parts of a value as facts, `kind`ed by their format; groups and streams are members."""

    format: str
    raw: bytes
    blob: Blob

    def parts(
        self, one: Element, shape: Shape, path: str = "", depth: int = 0
    ) -> Iterator[Fact | Member]:
        """What the constructed value holds, each part named below `path`."""
        yield self._head(one.at, one.content, path)
        names = Names()
        for number, (child, part) in enumerate(_matched(children(self.raw, one), shape)):
            name = part.name or self.label(child) or _TAGS.get(child.tag) or str(number)
            yield from self.part(child, part, names.unique(_below(path, name)), depth + 1)

    def part(self, one: Element, part: Part, path: str, depth: int) -> Iterator[Fact | Member]:
        """One value under its name."""
        at = (one.at, one.end - one.at)
        kind = f"{self.format}.{'value' if not part.name else part.name}"
        if part.whole or depth > DEEPEST or self._is_secret(one):
            known = self._algorithm(one) if part.whole else ""
            kept = f"{known} {digest(self.raw[one.at : one.end])}".lstrip()
            yield Fact(kind, kept, at, path, part.derived)
        elif part.stream:
            yield Member(path, self.blob.part(*at), at)
        elif pair := self._attribute(one):
            told = shown(self.raw, pair)
            if part.name:  # what is called so has a type that the name does not say
                told = f"{self.label(one)} {told}"
            yield self._head(one.at, pair.at, path)
            yield Fact(kind, told, (pair.at, pair.end - pair.at), path, part.derived)
        elif one.constructed and (part.group or self._is_extension(one)):
            inside = Inside(self.format, lambda content: inside_of(self.format, content, part))
            yield Member(
                path, self.blob.part(*at), at, f"{self.format}.value", inside=inside,
                derived=part.derived,
            )  # fmt: skip
        elif one.constructed:
            yield from self.parts(one, part.shape, path, depth)
        elif wrapped := self._wrapped(one):
            yield self._head(one.at, one.content, path)
            yield from self.part(wrapped, Part(0, "", part.shape), path, depth + 1)
        else:
            yield Fact(kind, shown(self.raw, one), at, path, part.derived)

    def _head(self, start: int, end: int, path: str) -> Fact:
        """Identifier and length octets: they follow from the name and the content behind."""
        told = self.raw[start:end].hex()
        return Fact(f"{self.format}.length", told, (start, end - start), path, derived=True)

    def label(self, one: Element) -> str:
        """The name of the object identifier that a value starts with, or the value of one that
        is tagged in a list of names; empty where it has none."""
        if one.tag == SET and (inner := self._only(one)):
            return self.label(inner)
        if one.tag == SEQUENCE and one.content < one.end:
            first = element(self.raw, one.content, one.end)
            if first.tag == OID:
                return identifier(self.raw[first.content : first.end])
            if first.tag == INTEGER and first.end < one.end and self.raw[first.end] in _TIMES:
                return f"serial {shown(self.raw, first)}"  # a revoked certificate
        if one.tag & 0xE0 == 0x80:
            data = self.raw[one.content : one.end]
            return data.decode("ascii") if _PRINTABLE.fullmatch(data) else ""
        return ""

    def _is_secret(self, one: Element) -> bool:
        if not one.constructed:
            return False
        # a value that starts with a number has no name
        named = self.raw[one.content : one.content + 1] != bytes([INTEGER])
        return (named and self.label(one) in _SECRETS) or is_private_key(self.raw, one)

    def _algorithm(self, one: Element) -> str:
        """What a value that is told by its digest says openly: algorithm and size of a public
        key (RFC 5280, 4.1.2.7)."""
        first = element(self.raw, one.content, one.end) if one.constructed else one
        if first.tag != SEQUENCE:
            return ""
        names = [
            identifier(self.raw[part.content : part.end])
            for part in children(self.raw, first)
            if part.tag == OID
        ]
        return f"{' '.join(names)}, {one.end - one.at} bytes," if names else ""

    def _only(self, one: Element) -> Element | None:
        found = element(self.raw, one.content, one.end) if one.content < one.end else None
        return found if found and found.end == one.end else None

    def _attribute(self, one: Element) -> Element | None:
        """The value of a pair of object identifier and primitive value (or none): told whole."""
        if one.tag == SET:
            inner = self._only(one)
            return self._attribute(inner) if inner else None
        if one.tag != SEQUENCE:
            return None
        found = children(self.raw, one)
        if not found or found[0].tag != OID or len(found) > 2:
            return None
        if len(found) == 1:
            return found[0]
        return None if found[1].constructed or self._wrapped(found[1]) else found[1]

    def _is_extension(self, one: Element) -> bool:
        """Whether a value is named by its object identifier: parts are told under that name."""
        return one.tag == SEQUENCE and bool(self.label(one))

    def _wrapped(self, one: Element) -> Element | None:
        """The value that an octet string holds."""
        if one.tag != OCTET_STRING or one.end - one.content < 2:
            return None
        if self.raw[one.content] not in (SEQUENCE, SET, OCTET_STRING, OID, BIT_STRING):
            return None
        try:
            found = element(self.raw, one.content, one.end)
            if found.end != one.end:
                return None
            _check(self.raw, found, 0)
        except FormatError:
            return None
        return found


def _below(path: str, name: str) -> str:
    return f"{path} {name}" if path else name


def _matched(found: Iterable[Element], shape: Shape) -> Iterator[tuple[Element, Part]]:
    """Each value with the part of the shape that it is."""
    waiting = list(shape.parts)
    for child in found:
        while waiting and waiting[0].tag not in (0, child.tag):
            waiting.pop(0)
        if waiting:
            yield child, waiting.pop(0)
        else:
            yield child, shape.each or Part(0, "")


def _check(raw: bytes, one: Element, depth: int) -> None:
    """Raises `FormatError` where a value below is no DER."""
    if depth > DEEPEST:
        raise LimitError(f"DER: nested deeper than {DEEPEST} values", one.at)
    if one.constructed:
        for child in children(raw, one):
            _check(raw, child, depth + 1)


def inside_of(format_name: str, content: Blob, part: Part) -> Iterator[Fact | Member]:
    """The parts of a group, which starts where `content` does."""
    raw = content.read()
    yield from Tree(format_name, raw, content).parts(root(raw), part.shape)


def document(format_name: str, blob: Blob, part: Part, limits: Limits) -> Iterator[Fact | Member]:
    """All of a stream that is one value: one member with its parts, so that what follows from
    others is told as a consequence of them."""
    if blob.size > min(LARGEST, limits.member_bytes):
        raise LimitError(f"DER of {blob.size} bytes")
    raw = blob.read()
    one = element(raw, 0, len(raw))
    if raw[one.end :].strip(b"\0"):
        raise FormatError("DER: bytes behind the value", one.end)
    _check(raw, one, 0)
    inside = Inside(format_name, lambda content: inside_of(format_name, content, part))
    kind = f"{format_name}.value"
    yield Member(part.name, blob.part(0, one.end), (0, one.end), kind, inside=inside)
    if one.end < len(raw):  # what holds a signature may align it
        behind = len(raw) - one.end
        yield Fact(f"{format_name}.padding", behind, (one.end, behind), derived=True)


class Der:
    """Any other value in DER: its parts are named by their object identifiers and numbers."""

    name = "der"

    def recognises(self, head: bytes) -> bool:
        """A sequence that is all of the stream, DER to its last byte."""
        if len(head) < 16 or head[0] != SEQUENCE:
            return False
        try:
            found = root(head)
            _check(head, found, 0)
        except FormatError:
            return False
        return len(children(head, found)) > 1

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The parts of the sequence."""
        return document(self.name, blob, Part(SEQUENCE, "document"), limits)
