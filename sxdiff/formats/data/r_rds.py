"""Objects that R has serialised (`.rds`, `.RData`, chunks of `.rdb`), unpacked: every item with
what it says. Nothing is evaluated.

Source: R Internals, 1.8 "Serialization Formats"; R's src/main/serialize.c (ReadItem, ReadBC),
which numbers the types.
"""

from collections.abc import Iterator
from hashlib import sha256

from sxdiff.formats.parts import Reader, in_one_line, number_text, whole
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row, text_of

MAGICS = (b"X\n\0\0\0", b"RDX2\nX\n\0\0\0", b"RDX3\nX\n\0\0\0")
FIRST = 14
LONGEST = 64
"""Bytes of the name of an encoding."""
MOST = 256 << 20
MOST_ROWS = 1_000_000
DEEPEST = 150
"""Items inside items."""
LONGEST_TOLD = 4096
"""Bytes of a string that are told; of a longer one it is size and digest."""
A_ROW = 8
"""Numbers in a row."""
OBJECT, ATTRIBUTES, TAG = 1 << 8, 1 << 9, 1 << 10
SYMBOL, PAIRS, CLOSURE, ENVIRONMENT, PROMISE, LANGUAGE = 1, 2, 3, 4, 5, 6
SPECIAL, BUILTIN, CHARACTERS, LOGICAL, INTEGER, DOUBLE, COMPLEX, STRINGS = (
    7,
    8,
    9,
    10,
    13,
    14,
    15,
    16,
)
DOTS, LIST, EXPRESSIONS, BYTECODE, POINTER, WEAK, RAW, S4 = 17, 19, 20, 21, 22, 23, 24, 25
ALTERNATIVE, LIST_WITH_ATTRIBUTES, CALL_WITH_ATTRIBUTES = 238, 239, 240
CODE_REFERENCE, CODE_DEFINITION = 243, 244
PERSISTENT, PACKAGE, NAMESPACE, NO_VALUE, REFERENCE = 247, 248, 249, 254, 255
CHAINS = {PAIRS: "pairs", CLOSURE: "function", PROMISE: "promise", LANGUAGE: "call", DOTS: "dots"}
NUMBERS = {
    LOGICAL: ("logical", ">i", 1), INTEGER: ("integer", ">i", 1), DOUBLE: ("double", ">d", 1),
    COMPLEX: ("complex", ">d", 2),
}  # fmt: skip
VECTORS = {STRINGS: "strings", LIST: "list", EXPRESSIONS: "expressions"}
NAMED = {PERSISTENT: "persistent", PACKAGE: "package", NAMESPACE: "namespace"}
SINGLE = {
    241: "base environment", 242: "empty environment", 250: "base namespace",
    251: "missing argument", 252: "unbound value", 253: "global environment", NO_VALUE: "null",
}  # fmt: skip
ENCODINGS = {0x400: "", 0x80: " (UTF-8)", 0x40: " (Latin-1)"}
IN_CODE = (LANGUAGE, PAIRS, LIST_WITH_ATTRIBUTES, CALL_WITH_ATTRIBUTES, CODE_DEFINITION)
"""Types that byte code has its own form of."""
TIME_CLASS = "'POSIXct'"


class RRds:
    """Which R wrote it, which can read it, the native encoding, the items in their order."""

    name = "r_rds"

    def recognises(self, head: bytes) -> bool:
        """XDR serialisation of version 2 or 3, bare or as `save` writes it."""
        at = head.find(b"X\n")
        return head.startswith(MAGICS) and len(head) >= at + FIRST and head[at + 5] in (2, 3)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """The header; all numbers are big-endian."""
        at = blob.read(0, 16).find(b"X\n")
        if at < 0:
            raise FormatError("no magic number", 0)
        if at:
            yield Fact("r_rds.magic", text_of(blob.read(0, at)), (0, at))
        yield Fact("r_rds.format", text_of(blob.part(at, 2).read()), (at, 2))
        version = int.from_bytes(blob.part(at + 2, 4).read(), "big")
        yield Fact("r_rds.version", version, (at + 2, 4))
        for name, place in (("written_by", at + 6), ("readable_by", at + 10)):
            raw = blob.part(place, 4).read()
            number = int.from_bytes(raw, "big")
            told = f"R {number >> 16}.{number >> 8 & 0xFF}.{number & 0xFF}"
            yield Fact(f"r_rds.{name}", told, (place, 4))
        at += FIRST
        if version == 3:
            size = int.from_bytes(blob.part(at, 4).read(), "big")
            if size > LONGEST:
                raise FormatError(f"encoding of {size} characters", at)
            name = text_of(blob.part(at + 4, size).read())
            yield Fact("r_rds.encoding", name, (at, 4 + size))
            at += 4 + size
        if at < blob.size:
            span = (at, blob.size - at)
            listing = Listing("r_rds.object", _rows, separate=True)
            yield Member("object", blob.part(*span), span, "r_rds.object", inside=listing)


def _rows(blob: Blob) -> Iterator[Row]:
    walk = _Walk(whole(blob, MOST))
    walk.item("", 0)
    ends = [*walk.starts[1:], walk.at]
    for at, end, text, label in zip(walk.starts, ends, walk.texts, walk.labels, strict=True):
        yield Row((at, end - at), text, label=label)


class _Walk:
    """Reads one item into rows without gaps."""

    def __init__(self, data: bytes) -> None:
        self.starts: list[int] = []
        self.texts: list[str] = []
        self.labels: list[str] = []
        self.at = 0
        self._reader = Reader(data, ">")
        self._references: list[str] = []

    def item(self, label: str, depth: int) -> None:
        """One item with all that is in it; `label` is the name that it has there."""
        while depth <= DEEPEST:
            at = self.at
            flags = self._number()
            kind = flags & 0xFF
            if kind not in CHAINS:
                self._single(at, flags, label, depth)
                return
            # car and cdr: the last part is no deeper than the first
            self._tell(at, f"{CHAINS[kind]}{_said(flags)}", label)
            if flags & ATTRIBUTES:
                self.item("", depth + 1)
            name = ""
            if flags & TAG:
                name = self._name(depth)
            self.item(name, depth + 1)
            label = ""
        raise LimitError(f"items nested more than {DEEPEST} deep", self.at)

    def _take(self, size: int) -> bytes:
        raw = self._reader.span(self.at, size)
        self.at += size
        return raw

    def _number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def _tell(self, at: int, text: str, label: str) -> None:
        if len(self.starts) >= MOST_ROWS:
            raise LimitError(f"more than {MOST_ROWS} items", at)
        self.starts.append(at)
        self.texts.append(text)
        self.labels.append(label)

    def _name(self, depth: int) -> str:
        """A symbol, or whatever stands where one is wanted; its name."""
        row = len(self.texts)
        self.item("", depth + 1)
        text = self.texts[row]
        if text.startswith("symbol") and row + 1 < len(self.texts):
            text = self.texts[row + 1]
        return text.partition("'")[2].rpartition("'")[0]

    def _new(self, what: str) -> None:
        self._references.append(what)

    def _single(self, at: int, flags: int, label: str, depth: int) -> None:
        kind = flags & 0xFF
        said = _said(flags)
        if kind in SINGLE:
            self._tell(at, f"{SINGLE[kind]}{said}", label)
            return
        if kind == REFERENCE:
            number = flags >> 8 or self._number()
            known = self._references
            if not 0 < number <= len(known):
                raise FormatError("reference to nothing", at)
            self._tell(at, f"reference {number} to {known[number - 1]} ({flags:#x})", label)
            return
        if kind == SYMBOL:
            self._tell(at, f"symbol{said}", label)
            row = len(self.texts)
            self.item(label, depth + 1)
            self._new(self.texts[row])
            return
        if kind in NAMED:
            zero, count = self._number(), self._number()
            self._tell(at, f"{NAMED[kind]}{said}, {zero}, {count} names", label)
            row = len(self.texts)
            for _ in range(count):
                self.item(label, depth + 1)
            self._new(f"{NAMED[kind]} {' '.join(self.texts[row : row + 2])}")
            return
        if kind == ENVIRONMENT:
            self._tell(at, f"environment{said}, locked {self._number()}", label)
            self._new("environment")
            for _ in range(4):  # enclosure, frame, hash table, attributes
                self.item("", depth + 1)
            return
        if kind == ALTERNATIVE:
            self._tell(at, f"alternative{said}", label)
            for _ in range(3):  # what it is, its state, attributes
                self.item(label, depth + 1)
            return
        row = len(self.texts)
        parts: list[tuple[int, int]] = []
        if kind == CHARACTERS:
            said = ENCODINGS.get(flags >> 8, said or " (native)")
            self._tell(at, f"{self._characters()}{said}", label)
        elif kind in (SPECIAL, BUILTIN):
            name = in_one_line(self._take(self._number()))
            self._tell(at, f"{'special' if kind == SPECIAL else 'built in'} {name}{said}", label)
        elif kind in NUMBERS:
            self._numbers(at, flags, label)
        elif kind in VECTORS:
            count = self._length()
            self._tell(at, f"{count} {VECTORS[kind]}{said}", label)
            for _ in range(count):
                start = len(self.texts)
                self.item(label if kind == STRINGS else "", depth + 1)
                parts.append((start, len(self.texts)))
        elif kind == RAW:
            count = self._length()
            raw = self._take(count)
            told = raw.hex() if count <= LONGEST else f"sha256:{sha256(raw).hexdigest()}"
            self._tell(at, f"raw {count} bytes {told}{said}", label)
        elif kind == BYTECODE:
            self._tell(at, f"byte code{said}, {self._number()} shared", label)
            self._code(depth + 1)
        elif kind == POINTER:
            self._tell(at, f"pointer{said}", label)
            self._new("pointer")
            self.item("", depth + 1)
            self.item("", depth + 1)
        elif kind in (WEAK, S4):
            self._tell(at, f"{'weak reference' if kind == WEAK else 'S4 object'}{said}", label)
            if kind == WEAK:
                self._new("weak reference")
        else:
            raise FormatError(f"no type {kind}", at)
        if flags & ATTRIBUTES:
            end = len(self.texts)
            self.item("", depth + 1)
            self._attributes(kind, (row, end), parts)

    def _characters(self) -> str:
        size = self._number()
        if size == 0xFFFFFFFF:
            return "NA"
        raw = self._take(size)
        if size > LONGEST_TOLD:
            return f"{size} bytes sha256:{sha256(raw).hexdigest()}"
        return f"'{in_one_line(raw)}'"

    def _length(self) -> int:
        """Of a vector. A long one, of more than 2^31 elements, says -1 here."""
        count = self._number()
        if count > len(self._reader) - self.at:
            raise FormatError(f"vector of {count}", self.at)
        return count

    def _numbers(self, at: int, flags: int, label: str) -> None:
        name, code, each = NUMBERS[flags & 0xFF]
        size = 4 if code == ">i" else 8
        count = self._length()
        self._reader.span(self.at, count * each * size)
        # a single number stands with its type: what it is told as is one value
        if count > 1 or not count:
            self._tell(at, f"{count} of {name}{_said(flags)}", label)
        for start in range(0, count, A_ROW):
            if count > 1:
                at = self.at
            some = [
                number_text(code, self._take(size)) for _ in range(each * min(A_ROW, count - start))
            ]
            said = "" if count > 1 else _said(flags)
            self._tell(at, f"{name} {', '.join(some)}{said}", label)

    def _code(self, depth: int) -> None:
        """Byte code: its numbers, then its constants."""
        if depth > DEEPEST:
            raise LimitError(f"items nested more than {DEEPEST} deep", self.at)
        self.item("", depth)
        at = self.at
        count = self._number()
        self._tell(at, f"{count} constants", "")
        for _ in range(count):
            at = self.at
            kind = self._number()
            self._tell(at, f"constant of type {kind}", "")
            if kind == BYTECODE:
                self._code(depth + 1)
            else:
                self._constant(kind, depth + 1)

    def _constant(self, kind: int, depth: int) -> None:
        """What byte code has for a call or a list: parts may be shared."""
        while depth <= DEEPEST:
            at = self.at
            if kind == CODE_REFERENCE:
                self._tell(at, f"shared {self._number()}", "")
                return
            if kind not in IN_CODE:
                self.item("", depth)
                return
            if kind == CODE_DEFINITION:
                number = self._number()
                kind = self._number()
                self._tell(at, f"shared {number} is of type {kind}", "")
            if kind in (LIST_WITH_ATTRIBUTES, CALL_WITH_ATTRIBUTES):
                self.item("", depth + 1)
            self.item("", depth + 1)
            for last in (False, True):
                at = self.at
                kind = self._number()
                self._tell(at, f"{'rest' if last else 'first'} of type {kind}", "")
                if not last:
                    self._constant(kind, depth + 1)
        raise LimitError(f"items nested more than {DEEPEST} deep", self.at)

    def _attributes(self, kind: int, own: tuple[int, int], parts: list[tuple[int, int]]) -> None:
        """Names and class of a vector, which stand behind it, are told with its rows."""
        found: dict[str, list[str]] = {}
        for text, label in zip(self.texts[own[1] :], self.labels[own[1] :], strict=True):
            if label in ("names", "class") and not text.endswith("strings"):
                found.setdefault(label, []).append(text)
        if kind == DOUBLE and TIME_CLASS in " ".join(found.get("class", ())):
            for row in range(*own):
                self.texts[row] = self.texts[row].replace("double ", "POSIXct ", 1)
        names = [text for text in found.get("names", ()) if text.startswith("'")]
        if kind == LIST and len(names) == len(parts):
            for name, (start, end) in zip(names, parts, strict=True):
                for row in range(start, min(end, start + 2)):  # a vector and its first element
                    if not self.labels[row]:
                        self.labels[row] = name.rpartition("'")[0].strip("'")


def _said(flags: int) -> str:
    """What the flags say beside the type; "" where that is nothing."""
    rest = flags >> 8
    return f" ({rest:#x})" if rest else ""
