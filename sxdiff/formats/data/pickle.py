"""Python's pickles, protocols 0 to 5: every opcode with what it says. Nothing is made of them.

Source: CPython's Lib/pickletools.py (opcodes, their arguments, what they do with the stack and
the memo), PEP 307 (protocol 2), PEP 3154 (protocol 4: frames), PEP 574 (protocol 5).

What follows from the rest is not told by its number: a place in the memo that is the next one, a
frame that ends where the next one or the pickle does. What is taken from the memo is told by
what it says, or as which one of its sort it is.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from sxdiff.formats.parts import Names, in_one_line, number_text, whole
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row

MOST = 64 << 20
MOST_OPCODES = 250_000
MOST_SETS = 500
"""Sets of a pickle up to which each is a part of its own."""
FEWEST = 4
"""Opcodes from which on a stream without PROTO may be a pickle."""
LONG_HEAD = 32 << 10
"""A head of so many bytes may be cut within a pickle."""
LONGEST, LONGEST_AGAIN, LONGEST_KEY = 4096, 64, 100
"""Bytes of an argument that are told (of a longer one it is size and digest), that are told again
where it is taken from the memo, and of a key in a label."""
BIG = 64 << 10
"""Size of an argument from which on its opcode stands outside of frames (PEP 3154)."""
FIRST = b"(c}]\x80"
"""How a pickle of a container or an object starts."""
PROTO, NEWEST = 0x80, 5


class Opcode(NamedTuple):
    """A line of the table. `argument` is lines, a struct code, or how many bytes the size in front
    of it has; `does` is what happens to the stack, with `values` of it (0: all from the mark)."""

    name: str
    argument: str = ""
    does: str = "push"
    values: int = 0


OPCODES = {
    ord(code): Opcode(*rest)
    for code, *rest in (
        ("(", "MARK", "", "mark"), (".", "STOP", "", "stop"), ("0", "POP", "", "pop"),
        ("1", "POP_MARK", "", "pop_mark"), ("2", "DUP", "", "dup"),
        ("F", "FLOAT", "line"), ("I", "INT", "line"), ("J", "BININT", "<i"),
        ("K", "BININT1", "<B"), ("L", "LONG", "line"), ("M", "BININT2", "<H"), ("N", "NONE"),
        ("P", "PERSID", "line"), ("Q", "BINPERSID", "", "take", 1), ("R", "REDUCE", "", "take", 2),
        ("S", "STRING", "line"), ("T", "BINSTRING", "4"), ("U", "SHORT_BINSTRING", "1"),
        ("V", "UNICODE", "line"), ("X", "BINUNICODE", "4"), ("a", "APPEND", "", "into", 1),
        ("b", "BUILD", "", "into", 1), ("c", "GLOBAL", "lines"), ("d", "DICT", "", "take"),
        ("}", "EMPTY_DICT"), ("e", "APPENDS", "", "into"), ("g", "GET", "line", "get"),
        ("h", "BINGET", "<B", "get"), ("i", "INST", "lines", "take"),
        ("j", "LONG_BINGET", "<I", "get"), ("l", "LIST", "", "take"), ("]", "EMPTY_LIST"),
        ("o", "OBJ", "", "take"), ("p", "PUT", "line", "put"), ("q", "BINPUT", "<B", "put"),
        ("r", "LONG_BINPUT", "<I", "put"), ("s", "SETITEM", "", "into", 2),
        ("t", "TUPLE", "", "take"), (")", "EMPTY_TUPLE"), ("u", "SETITEMS", "", "into"),
        ("G", "BINFLOAT", ">d"), ("B", "BINBYTES", "4"), ("C", "SHORT_BINBYTES", "1"),
        ("\x80", "PROTO", "<B", "no"), ("\x81", "NEWOBJ", "", "take", 2), ("\x82", "EXT1", "<B"),
        ("\x83", "EXT2", "<H"), ("\x84", "EXT4", "<i"), ("\x85", "TUPLE1", "", "take", 1),
        ("\x86", "TUPLE2", "", "take", 2), ("\x87", "TUPLE3", "", "take", 3),
        ("\x88", "NEWTRUE"), ("\x89", "NEWFALSE"), ("\x8a", "LONG1", "1"), ("\x8b", "LONG4", "4"),
        ("\x8c", "SHORT_BINUNICODE", "1"), ("\x8d", "BINUNICODE8", "8"),
        ("\x8e", "BINBYTES8", "8"), ("\x8f", "EMPTY_SET"), ("\x90", "ADDITEMS", "", "into"),
        ("\x91", "FROZENSET", "", "take"), ("\x92", "NEWOBJ_EX", "", "take", 3),
        ("\x93", "STACK_GLOBAL", "", "take", 2), ("\x94", "MEMOIZE", "", "put"),
        ("\x95", "FRAME", "<Q", "no"), ("\x96", "BYTEARRAY8", "8"), ("\x97", "NEXT_BUFFER"),
        ("\x98", "READONLY_BUFFER", "", "no"),
    )
}  # fmt: skip
SIZES = frozenset({"1", "4", "8"})
STRINGS = frozenset(
    {"STRING", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE", "SHORT_BINUNICODE",
     "BINUNICODE8"}
)  # fmt: skip
LONGS = frozenset({"LONG1", "LONG4"})
TABLES = frozenset({"SETITEM", "SETITEMS", "DICT"})
SET_TYPES = frozenset(
    f"GLOBAL {module}\\x0a{name}"
    for module in ("builtins", "__builtin__")
    for name in ("set", "frozenset")
)


class _CutError(FormatError):
    """The bytes end within a pickle."""


@dataclass(slots=True, eq=False)
class _Value:
    """A value of the stack: the opcode that made it, the first one of what it was made of, what
    is in it by key, and what it was taken from the memo for. `ordinal` counts those in the memo
    that were made by one opcode, but for short arguments: they say enough themselves."""

    op: int
    first: int
    inside: "list[tuple[_Value | None, _Value]]" = field(default_factory=list)
    same: "_Value | None" = None
    ordinal: int = 0


@dataclass(slots=True)
class _Op:
    """An opcode, its span and its argument's. `settled` is an argument that follows from the rest.
    `made` is the number of the opcode that made a value from the memo, `ordinal` which one of
    its sort that is, where its argument is not told again."""

    known: Opcode
    at: int
    start: int
    end: int
    settled: bool = False
    made: int | None = None
    ordinal: int = 0


class Pickle:
    """The opcodes in their order; the elements of each set are a part without an order."""

    name = "pickle"

    def recognises(self, head: bytes) -> bool:
        """PROTO and a version that exists, and opcodes that fit together; without PROTO a whole
        pickle that remembers something, so that it is no text by chance."""
        if not head or head[0] not in FIRST:
            return False
        if head[0] == PROTO and not (len(head) > 2 and 2 <= head[1] <= NEWEST):
            return False
        walk = _Walk(head)
        try:
            end = walk.all(0)
        except _CutError:
            return head[0] == PROTO or (len(head) >= LONG_HEAD and walk.puts > 1)
        except FormatError:
            return False
        return head[0] == PROTO or (end == len(head) and walk.puts > 0 and len(walk.ops) >= FEWEST)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """One pickle behind the other. Raises `FormatError` where the first is none."""
        data = whole(blob, MOST)
        names = Names()
        at = 0
        while at == 0 or data[at : at + 1] == bytes([PROTO]):
            walk = _Walk(data)
            end = walk.all(at)
            yield from _parts(walk, blob, names)
            at = end


class _Walk:
    """One pickle, read from its first opcode to STOP."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ops: list[_Op] = []
        self.puts = 0
        self.sets: list[list[int]] = []
        self._stack: list[_Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, _Value] = {}
        self._made: dict[str, int] = {}
        self._base = 0
        self._root = _Value(0, 0)

    def all(self, at: int) -> int:
        """Where the pickle at `at` ends. Raises `FormatError` where it is none."""
        while True:
            op = self._next(at)
            self.ops.append(op)
            if len(self.ops) > MOST_OPCODES:
                raise LimitError(f"more than {MOST_OPCODES} opcodes", at)
            at = op.end
            if op.known.does == "stop":
                break
            self._do(op, len(self.ops) - 1)
        self._root = self._pop(1)[0]
        self._settle_frames()
        return at

    def _next(self, at: int) -> _Op:
        data = self.data
        if at >= len(data):
            raise _CutError("no STOP", at)
        known = OPCODES.get(data[at])
        if known is None:
            raise FormatError(f"no opcode {data[at]:#x}", at)
        start = end = at + 1
        if known.argument in SIZES:
            start += int(known.argument)
            end = start + int.from_bytes(data[at + 1 : start], "little")
        elif known.argument.startswith("line"):
            for _ in range(2 if known.argument == "lines" else 1):
                end = data.find(b"\n", end) + 1
                if not end:
                    raise _CutError("line without an end", at)
        elif known.argument:
            end += struct.calcsize(known.argument)
        if end > len(data):
            raise _CutError("argument lies outside", at)
        return _Op(known, at, start, end)

    def _do(self, op: _Op, number: int) -> None:
        does, count = op.known.does, op.known.values
        stack = self._stack
        if does == "push":
            stack.append(_Value(number, number))
        elif does == "mark":
            self._marks.append(len(stack))
            stack.append(_Value(number, number))
        elif does == "put":
            self._put(op)
        elif does == "get":
            target = self._memo.get(self._index(op))
            if target is None:
                raise FormatError("nothing in the memo", op.at)
            op.made = target.op
            op.ordinal = target.ordinal
            stack.append(_Value(number, number, same=target))
        elif does == "dup":
            stack.append(_Value(number, number, same=self._top(op)))
        elif does == "pop" and self._marks and self._marks[-1] == len(stack) - 1:
            self._marked(op)
        elif does == "pop":
            self._pop(1)
        elif does == "pop_mark":
            self._marked(op)
        elif does == "take":
            self._take(op, number)
        elif does == "into":
            values = self._pop(count) if count else self._marked(op)[1:]
            target = self._top(op)
            (target.same or target).inside += self._keyed(op, values)
            made = self.ops[(target.same or target).op].known.name
            if op.known.name == "ADDITEMS" and made == "EMPTY_SET":
                self._note_set(values, number)

    def _take(self, op: _Op, number: int) -> None:
        values = self._pop(op.known.values) if op.known.values else self._marked(op)
        made = _Value(number, values[0].first)
        if not op.known.values:
            values = values[1:]
        made.inside = self._keyed(op, values)
        self._stack.append(made)
        if op.known.name == "FROZENSET":
            self._note_set(values, number)
        elif op.known.name == "REDUCE":
            self._note_old_set(*values)

    def _keyed(self, op: _Op, values: list[_Value]) -> list[tuple[_Value | None, _Value]]:
        if op.known.name not in TABLES:
            return [(None, value) for value in values]
        if len(values) % 2:
            raise FormatError("a key without a value", op.at)
        return list(zip(values[::2], values[1::2], strict=True))

    def _note_old_set(self, made_by: _Value, values: _Value) -> None:
        """Before protocol 4 a set is made of a tuple with a list of its elements."""
        made_by = made_by.same or made_by
        if self.text(self.ops[made_by.op]) not in SET_TYPES or len(values.inside) != 1:
            return
        elements = values.inside[0][1]
        if self.ops[elements.op].known.name != "EMPTY_LIST" or elements.same:
            return
        closed = next(
            (
                number
                for number in range(values.op - 1, elements.op, -1)
                if self.ops[number].known.does != "put"
            ),
            0,
        )
        if self.ops[closed].known.name == "APPENDS":
            self._note_set([value for _, value in elements.inside], closed)

    def _note_set(self, values: list[_Value], closed: int) -> None:
        """Note where elements of a set start and where they end."""
        starts = [*(value.first for value in values), closed]
        if len(values) > 1 and all(one < two for one, two in pairwise(starts)):
            self.sets.append(starts)

    def _put(self, op: _Op) -> None:
        value = self._top(op)
        place = self.puts + self._base
        if op.known.argument:
            place = self._index(op)
            if not self.puts and place == 1:
                self._base = 1  # as Python 2 counts
        if place == self.puts + self._base:
            op.settled = True
        value = value.same or value
        made = self.ops[value.op]
        says_all = made.known.does == "push" and made.known.argument
        if not value.ordinal and not (says_all and made.end - made.start <= LONGEST_AGAIN):
            value.ordinal = self._made[made.known.name] = self._made.get(made.known.name, 0) + 1
        self._memo[place] = value
        self.puts += 1

    def _index(self, op: _Op) -> int:
        raw = self.data[op.start : op.end]
        if op.known.argument != "line":
            return int.from_bytes(raw, "little")
        if not raw[:-1].isdigit() or len(raw) > 10 or (raw[:1] == b"0" and len(raw) > 2):
            raise FormatError("no place in the memo", op.at)
        return int(raw)

    def _top(self, op: _Op) -> _Value:
        if not self._stack or (self._marks and self._marks[-1] == len(self._stack) - 1):
            raise FormatError("no value on the stack", op.at)
        return self._stack[-1]

    def _pop(self, count: int) -> list[_Value]:
        if len(self._stack) - count < (self._marks[-1] + 1 if self._marks else 0):
            raise FormatError("too few values on the stack", self.ops[-1].at)
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _marked(self, op: _Op) -> list[_Value]:
        """All values from the last mark on, with the mark."""
        if not self._marks:
            raise FormatError("no mark", op.at)
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _settle_frames(self) -> None:
        """A frame's size follows where it ends in front of the next, of a big argument, or with
        the pickle."""
        ends = {self.ops[-1].end}
        ends |= {op.at for op in self.ops if op.known.name == "FRAME" or op.end - op.start >= BIG}
        places = sorted(ends)
        for op in self.ops:
            if op.known.name == "FRAME":
                size = int.from_bytes(self.data[op.start : op.end], "little")
                op.settled = op.end + size == places[bisect_right(places, op.at)]

    def text(self, op: _Op) -> str:
        """What an opcode says."""
        if op.made is not None:
            made = self.ops[op.made]
            return (
                f"GET {made.known.name} #{op.ordinal}" if op.ordinal else f"GET {self.text(made)}"
            )
        if op.settled:
            return "PUT" if op.known.does == "put" else op.known.name
        raw = self.data[op.start : op.end]
        return f"{op.known.name} {_argument(op, raw)}" if op.known.argument else op.known.name

    def labels(self) -> dict[int, str]:
        """The values by their opcodes, each named by its key and the key of what it is in."""
        found: dict[int, str] = {}
        todo = [(self._root, "")]
        while todo:
            value, label = todo.pop()
            if value.op not in found:
                found[value.op] = label
                for key, inner in value.inside:
                    last = label.rpartition("/")[2]
                    said = self._key(key)
                    todo.append((inner, f"{last}/{said}".lstrip("/") if said else label))
        return found

    def _key(self, key: "_Value | None") -> str:
        op = self.ops[(key.same or key).op] if key else None
        if op is None or op.known.name not in STRINGS or op.end - op.start > LONGEST_KEY:
            return ""
        return _argument(op, self.data[op.start : op.end]).strip("'").replace("/", "~1")

    def unordered(self) -> list[list[int]]:
        """The sets, outermost first, with elements whose order nothing depends on: no number of
        what is in the memo is told in them, or is that of something in them."""
        numbered = {op.made for op in self.ops if op.ordinal}
        bad = [0]
        for number, op in enumerate(self.ops):
            fixed = op.ordinal or op.known.does == "no" or number in numbered
            bad.append(bad[-1] + bool(fixed))
        found: list[list[int]] = []
        for starts in sorted(self.sets, key=lambda one: (one[0], -one[-1])):
            if (not found or starts[0] >= found[-1][-1]) and bad[starts[0]] == bad[starts[-1]]:
                found.append(starts)
        return found[:MOST_SETS]


class _Piece(NamedTuple):
    """A part of a pickle: the opcodes at which its rows start, and where the last one ends. What
    is only put into the memo is in the row of what that is."""

    name: str
    at: int
    starts: list[int]


def _parts(walk: _Walk, blob: Blob, names: Names) -> Iterator[Fact | Member]:
    """The elements of each set as one part, what lies between as others."""
    ops = walk.ops
    pieces: list[_Piece] = []
    done = 0
    for starts in [*walk.unordered(), [len(ops)]]:
        if done < starts[0]:
            own = (at for at in range(done + 1, starts[0]) if ops[at].known.does != "put")
            pieces.append(_Piece(names("opcodes"), ops[done].at, [done, *own, starts[0]]))
        if len(starts) > 1:
            pieces.append(_Piece(names("set"), ops[starts[0]].at, starts))
        done = starts[-1]
    if again := _taken_from_sets(walk, pieces):
        yield Fact("pickle.references", again)
    labels = walk.labels()
    for piece in pieces:
        end = ops[piece.starts[-1] - 1].end
        span = (piece.at, end - piece.at)
        kind = f"pickle.{piece.name.partition(' ')[0]}"
        rows = partial(_rows, walk, piece, labels)
        listing = Listing(kind, rows, separate=True)
        yield Member(piece.name, blob.part(*span), span, kind, inside=listing)


def _taken_from_sets(walk: _Walk, pieces: list[_Piece]) -> str:
    """A digest of what is taken from the memo that was put there as an element of a set: in
    another order the same place is another element."""
    sets = [piece.starts for piece in pieces if piece.name.startswith("set")]
    firsts = [starts[0] for starts in sets]
    digest = sha256()
    for op in walk.ops if sets else ():
        if op.made is not None:
            place = bisect_right(firsts, op.made) - 1
            if place >= 0 and op.made < sets[place][-1]:
                digest.update(walk.text(op).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}" if sets else ""


def _rows(walk: _Walk, piece: _Piece, labels: dict[int, str], _: Blob) -> Iterator[Row]:
    for first, behind in pairwise(piece.starts):
        ops = walk.ops[first:behind]
        span = (ops[0].at - piece.at, ops[-1].end - ops[0].at)
        yield Row(span, "; ".join(map(walk.text, ops)), label=labels.get(first, ""))


def _argument(op: _Op, raw: bytes) -> str:
    """An argument as its opcode reads it; its bytes where there is another way to write that."""
    name, argument = op.known.name, op.known.argument
    if len(raw) > LONGEST:
        return f"{len(raw)} bytes sha256:{sha256(raw).hexdigest()}"
    if name in LONGS:
        number = int.from_bytes(raw, "little", signed=True)
        size = number.bit_length() // 8 + 1 if number else 0
        return str(number) if len(raw) == size <= 16 else f"0x{raw.hex()}"
    if argument in SIZES:
        return f"'{in_one_line(raw)}'"
    if argument.startswith("line"):
        return in_one_line(raw.removesuffix(b"\n"))
    return number_text(argument, raw)
