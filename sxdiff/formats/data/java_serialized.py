"""Java's serialized objects: every element of the stream with what it says. No class is loaded.

Source: Java Object Serialization Specification, 6.4 "Grammar for the Stream Format" (constants in
6.4.2). What a class writes by itself is block data; that of java.util.Date (milliseconds since
1970) and java.time.Instant (java.time.Ser: seconds and nanoseconds) is told as their serialized
forms say.
"""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from sxdiff.formats.parts import Reader, in_one_line, number_text, whole
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row

MAGIC = b"\xac\xed\x00\x05"
MOST = 64 << 20
MOST_ROWS = 250_000
DEEPEST = 100
"""Objects inside objects."""
LONGEST, LONGEST_AGAIN = 4096, 64
"""Bytes of a string that are told, and that are told again where it is referred to."""
A_ROW = 8
"""Numbers of an array in a row."""
NULL, REFERENCE, CLASSDESC, OBJECT, STRING, ARRAY, CLASS, BLOCKDATA = range(0x70, 0x78)
ENDBLOCKDATA, RESET, BLOCKDATALONG, EXCEPTION, LONGSTRING, PROXYCLASSDESC, ENUM = range(0x78, 0x7F)
WRITE_METHOD, SERIALIZABLE, EXTERNALIZABLE, BLOCK_DATA = 1, 2, 4, 8
BASE_HANDLE = 0x7E0000
PRIMITIVES = {
    "B": ("byte", ">b"), "C": ("char", ">H"), "D": ("double", ">d"), "F": ("float", ">f"),
    "I": ("int", ">i"), "J": ("long", ">q"), "S": ("short", ">h"), "Z": ("boolean", ">B"),
}  # fmt: skip
SIZES = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}
DATE, INSTANT, INSTANT_TYPE = "java.util.Date", "java.time.Ser", 2


class _Class(NamedTuple):
    """A class descriptor: its flags, its fields as (type, name), the class above it."""

    name: str
    flags: int
    fields: "list[tuple[str, str]]"
    above: "list[_Class]"


class _Handle(NamedTuple):
    """What a later reference stands for, and how it is told."""

    text: str
    described: "_Class | None" = None


class _Row(NamedTuple):
    at: int
    text: str
    label: str


class JavaSerialized:
    """The elements in the order of the stream."""

    name = "java_serialized"

    def recognises(self, head: bytes) -> bool:
        """STREAM_MAGIC, STREAM_VERSION, and an element."""
        return head.startswith(MAGIC) and len(head) > 4 and NULL <= head[4] <= ENUM

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Raises `FormatError` where the stream does not follow the grammar."""
        walk = _Walk(whole(blob, MOST))
        walk.all()
        yield Fact("java_serialized.version", 5, (0, len(MAGIC)))
        span = (len(MAGIC), blob.size - len(MAGIC))
        listing = Listing("java_serialized.contents", partial(_rows, walk), separate=True)
        yield Member("contents", blob.part(*span), span, inside=listing)


def _rows(walk: "_Walk", _: Blob) -> Iterator[Row]:
    for row, behind in pairwise([*walk.rows, _Row(walk.at, "", "")]):
        yield Row((row.at - len(MAGIC), behind.at - row.at), row.text, label=row.label)


class _Walk:
    """Reads the whole stream into rows without gaps."""

    def __init__(self, data: bytes) -> None:
        self.rows: list[_Row] = []
        self.at = len(MAGIC)
        self._reader = Reader(data, ">")
        self._handles: list[_Handle] = []
        self._counts: dict[str, int] = {}

    def all(self) -> None:
        while self.at < len(self._reader):
            self._content("", 0)

    def _take(self, size: int) -> bytes:
        raw = self._reader.span(self.at, size)
        self.at += size
        return raw

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _utf(self, size: int = 2) -> str:
        raw = self._take(self._number(size))
        if len(raw) > LONGEST:
            return f"{len(raw)} bytes sha256:{sha256(raw).hexdigest()}"
        return f"'{in_one_line(raw)}'"

    def _tell(self, at: int, text: str, label: str = "") -> None:
        if len(self.rows) >= MOST_ROWS:
            raise LimitError(f"more than {MOST_ROWS} elements", at)
        self.rows.append(_Row(at, text, label))

    def _new(self, sort: str, described: _Class | None = None) -> int:
        """A handle for what is `sort`; strings are told again, all else is counted."""
        text = sort
        if not sort.startswith("'") or len(sort) > LONGEST_AGAIN:
            sort = "string" if sort.startswith("'") else sort
            count = self._counts[sort] = self._counts.get(sort, 0) + 1
            text = f"{sort} #{count}"
        self._handles.append(_Handle(text, described))
        return len(self._handles) - 1

    def _content(self, label: str, depth: int, *, ends: bool = False) -> bool:
        """One object or block of data; False where it was the end of them."""
        if depth > DEEPEST:
            raise LimitError(f"objects nested more than {DEEPEST} deep", self.at)
        at = self.at
        tag = self._number(1)
        if tag in (BLOCKDATA, BLOCKDATALONG):
            self._tell(at, _block(self._take(self._number(1 if tag == BLOCKDATA else 4))), label)
        elif tag == ENDBLOCKDATA and ends:
            self._tell(at, "end of block data", label)
            return False
        elif tag == RESET:
            self._tell(at, "reset", label)
            self._reset()
        elif tag == EXCEPTION:
            self._tell(at, "exception", label)
            self._reset()
            self._content(label, depth + 1)
            self._reset()
        else:
            self.at = at
            self._object(label, depth)
        return True

    def _reset(self) -> None:
        self._handles.clear()
        self._counts.clear()

    def _object(self, label: str, depth: int) -> None:
        at = self.at
        tag = self._number(1)
        if tag == NULL:
            self._tell(at, "null", label)
        elif tag == REFERENCE:
            self._tell(at, f"reference to {self._handle(at).text}", label)
        elif tag in (STRING, LONGSTRING):
            text = self._utf(2 if tag == STRING else 8)
            self._new(text)
            self._tell(at, f"{'long ' * (tag == LONGSTRING)}string {text}", label)
        elif tag in (CLASSDESC, PROXYCLASSDESC):
            self.at = at
            self._class(label, depth)
        elif tag in (OBJECT, CLASS, ARRAY, ENUM):
            sort = {OBJECT: "object", CLASS: "class", ARRAY: "array", ENUM: "enum"}[tag]
            self._tell(at, sort, label)
            described = self._class(label, depth + 1)
            self._new(f"{sort} of {described.name if described else 'nothing'}")
            if tag == ENUM:
                self._content(label, depth + 1)
            elif tag == ARRAY:
                self._array(described, label, depth)
            elif tag == OBJECT:
                self._data(described, label, depth)
        else:
            raise FormatError(f"no element {tag:#x}", at)

    def _handle(self, at: int) -> _Handle:
        number = self._number(4) - BASE_HANDLE
        if not 0 <= number < len(self._handles):
            raise FormatError("reference to nothing", at)
        return self._handles[number]

    def _class(self, label: str, depth: int) -> _Class | None:
        """A class descriptor, a reference to one, or none."""
        if depth > DEEPEST:
            raise LimitError(f"objects nested more than {DEEPEST} deep", self.at)
        at = self.at
        tag = self._number(1)
        if tag == NULL:
            self._tell(at, "no class", label)
            return None
        if tag == REFERENCE:
            handle = self._handle(at)
            if handle.described is None:
                raise FormatError("reference to no class", at)
            self._tell(at, f"reference to {handle.text}", label)
            return handle.described
        if tag == CLASSDESC:
            name, version = self._utf(), self._number(8)
            described = _Class(name.strip("'"), 0, [], [])
            handle_at = self._new(f"class {name}", described)
            flags = self._number(1)
            described = described._replace(flags=flags)
            self._handles[handle_at] = self._handles[handle_at]._replace(described=described)
            count = self._number(2)
            text = f"class {name}, version {version:#x}, flags {flags:#x}, {count} fields"
            self._tell(at, text, label)
            for _ in range(count):
                self._field(described, label, depth)
        elif tag == PROXYCLASSDESC:
            described = _Class("proxy", SERIALIZABLE, [], [])
            self._new("class proxy", described)
            names = [self._utf() for _ in range(self._number(4))]
            self._tell(at, f"proxy class of {', '.join(names)}", label)
        else:
            raise FormatError(f"no class descriptor {tag:#x}", at)
        while self._content(label, depth + 1, ends=True):
            pass
        above = self._class(label, depth + 1)
        if above:
            described.above.append(above)
        return described

    def _field(self, described: _Class, label: str, depth: int) -> None:
        at = self.at
        code = chr(self._number(1))
        name = self._utf().strip("'")
        if code not in PRIMITIVES and code not in "L[":
            raise FormatError(f"no type {code!r}", at)
        described.fields.append((code, name))
        self._tell(at, f"field {PRIMITIVES.get(code, (code,))[0]} {name}", label)
        if code not in PRIMITIVES:
            self._content(label, depth + 1)

    def _array(self, described: _Class | None, label: str, depth: int) -> None:
        at = self.at
        count = self._number(4)
        code = described.name[1:2] if described else ""
        if code not in PRIMITIVES:
            self._tell(at, f"{count} elements", label)
            for _ in range(count):
                self._content(label, depth + 1)
            return
        kind, how = PRIMITIVES[code]
        self._tell(at, f"{count} of {kind}", label)
        if code == "B":
            at = self.at
            if count:
                self._tell(at, _bytes(self._take(count)), label)
            return
        self._reader.span(self.at, count * SIZES[code])
        for start in range(0, count, A_ROW):
            at = self.at
            some = [
                number_text(how, self._take(SIZES[code])) for _ in range(min(A_ROW, count - start))
            ]
            self._tell(at, f"{kind} {', '.join(some)}", label)

    def _data(self, described: _Class | None, label: str, depth: int) -> None:
        """The data of an object, the topmost class first."""
        classes: list[_Class] = []
        while described is not None:
            classes.append(described)
            if len(classes) > DEEPEST:
                raise FormatError("a class above itself", self.at)
            described = described.above[0] if described.above else None
        for one in reversed(classes):
            if one.flags & SERIALIZABLE:
                self._values(one, label, depth)
            elif one.flags & EXTERNALIZABLE and not one.flags & BLOCK_DATA:
                raise FormatError("data that only its class can read", self.at)
            if one.flags & (WRITE_METHOD | EXTERNALIZABLE):
                self._time(one, label)
                while self._content(label, depth + 1, ends=True):
                    pass

    def _values(self, described: _Class, label: str, depth: int) -> None:
        """Fields in their order, each by its name, and by that of what it is in."""
        for code, name in described.fields:
            at = self.at
            last = label.rpartition("/")[2]
            below = f"{last}/{name}".lstrip("/")
            if code in PRIMITIVES:
                kind, how = PRIMITIVES[code]
                text = f"{kind} {name} = {number_text(how, self._take(SIZES[code]))}"
                self._tell(at, text, below)
            else:
                self._content(below, depth + 1)

    def _time(self, described: _Class, label: str) -> None:
        """Block data that is a time."""
        at = self.at
        head = self._reader.span(at, min(2, len(self._reader) - at))
        name = f"{label.rpartition('/')[2]} = ".lstrip()
        told = ""
        if described.name == DATE and head == bytes((BLOCKDATA, 8)):
            number = self._reader.number(at + 2, 8, signed=True)
            told = f"{DATE} {name}{number}"
        elif described.name == INSTANT and head == bytes((BLOCKDATA, 13)):
            seconds = self._reader.number(at + 3, 8, signed=True)
            nanoseconds = self._reader.number(at + 11)
            if self._reader.number(at + 2, 1) == INSTANT_TYPE and nanoseconds < 10**9:
                told = f"java.time.Instant {name}{seconds}.{nanoseconds:09}"
        if told:
            self._take(2 + head[1])
            self._tell(at, told, label)


def _block(raw: bytes) -> str:
    return f"block data {_bytes(raw)}"


def _bytes(raw: bytes) -> str:
    """Bytes as they are, by their digest where they are many."""
    told = f"sha256:{sha256(raw).hexdigest()}" if len(raw) > LONGEST_AGAIN else raw.hex()
    return f"{len(raw)} bytes {told}"
