"""Compiled Erlang and Elixir modules (.beam): chunks, those with terms told term by term.

Source: "The BEAM Book", chapter "The BEAM File Format"; the external term format of ERTS
(erts/doc, "External Term Format"); lib/compiler/src/beam_asm.erl. All numbers are big-endian.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from sxdiff.formats.compression.deflate import ZLIB, inflate
from sxdiff.formats.digest import digest_of
from sxdiff.formats.record import Field, Record
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

FORM, KIND = b"FOR1", b"BEAM"
HEADER = Record(
    "beam", ">", (Field("magic", "4s"), Field("size", "I", derived=True), Field("kind", "4s"))
)
MOST_CHUNKS = 1024
MOST_BYTES = 256 << 20
DEEPEST = 64
TERM, PACKED = 131, 80
"""Version of a term, and the tag of one that is packed by zlib."""
ATOMS = ("Atom", "AtU8")
PROPERTIES = {"CInf": "compile_info", "Attr": "attribute"}
"""Chunks that hold a list of pairs."""
PARAGRAPHS = ("Dbgi", "Docs", "ExCk", "Meta")
"""Chunks that hold a term."""
FOLLOWS = {"vsn"}
"""A digest of the code, where the module's author sets none."""


class Beam:
    """Header facts; a member for each chunk."""

    name = "beam"

    def recognises(self, head: bytes) -> bool:
        """An IFF-like form of this kind."""
        return len(head) >= 12 and head.startswith(FORM) and head[8:12] == KIND

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Chunks in the order of the file."""
        right = HEADER.number(blob, 0, "size") in (blob.size - 8, blob.size - 8 + -blob.size % 4)
        for fact in HEADER.facts(blob, 0):
            yield replace(fact, derived=fact.derived and right)
        at, met = HEADER.size, dict[str, int]()
        while at + 8 <= blob.size:
            name = text_of(blob.part(at, 4).read())
            size = int.from_bytes(blob.part(at + 4, 4).read(), "big")
            content = blob.part(at + 8, size)
            met[name] = met.get(name, 0) + 1
            told = name if met[name] == 1 else f"{name} #{met[name]}"
            if len(met) > MOST_CHUNKS or met[name] > MOST_CHUNKS:
                raise LimitError(f"more than {MOST_CHUNKS} chunks", at)
            yield Fact("beam.chunk", name, (at, 4), told)
            yield Fact("beam.chunk_size", size, (at + 4, 4), told, derived=True)
            yield Member(
                told,
                content,
                (at + 8, size),
                "beam.chunk_content",
                opaque=True,
                inside=_inside(name, content, limits),
            )
            at += 8 + size
            at += -size % 4  # zeros, or untold


def _inside(name: str, content: Blob, limits: Limits) -> Inside | Listing | None:
    if name in ATOMS:
        return Listing("beam.atoms", _atoms)
    if name in PROPERTIES:
        return Inside("beam", partial(_properties, PROPERTIES[name]))
    if name == "FunT":
        return Inside("beam", _functions)
    if name == "LitT" and content.read(0, 4) != bytes(4):
        return Inside("beam", partial(_packed, 4, Listing("beam.literals", _literals), limits))
    if name == "LitT":
        return Listing("beam.literals", lambda blob: _literals(blob, 4))
    if name in PARAGRAPHS:
        if content.read(0, 2) == bytes((TERM, PACKED)):
            return Inside("beam", partial(_packed, 6, Listing("beam.term", _term), limits))
        return Listing("beam.term", partial(_term, start=1))
    return None


def _packed(start: int, rows: Listing, limits: Limits, blob: Blob) -> Iterator[Fact | Member]:
    """A zlib stream behind its unpacked size: the content, then what follows from it."""
    most = min(limits.member_bytes, blob.size * limits.expansion, MOST_BYTES)

    def content() -> Iterator[bytes]:
        total = 0
        for _, chunk in inflate(blob, start, ZLIB):
            total += len(chunk)
            if total > most:
                raise LimitError(f"chunk of more than {most} bytes", start)
            yield chunk

    packed = total = 0
    for packed, chunk in inflate(blob, start, ZLIB):  # noqa: B007 - the last one is the stream's
        total += len(chunk)
    yield Member("content", content, kind="beam.content", inside=rows)
    head = blob.read(0, start)
    right = int.from_bytes(head[-4:], "big") == total
    yield Fact("beam.unpacked_size", head.hex(), (0, start), derived=right)
    digest = digest_of(blob.part(start, packed))
    yield Fact("beam.packed", digest, (start, packed), derived=True)


def _atoms(blob: Blob) -> Iterator[Row]:
    """A count, negative where sizes are tagged numbers (OTP 28), then sizes and characters."""
    data = blob.read()
    count = int.from_bytes(data[:4], "big", signed=True)
    rows: list[Row] = []
    at = 4
    while at < len(data):
        size, head = data[at], 1
        if count < 0:
            size, head = data[at] >> 4, 1
            if data[at] & 8:
                size, head = (data[at] & 0xE0) << 3 | (data[at + 1] if at + 1 < len(data) else 0), 2
        if at + head + size > len(data):
            raise FormatError("atom behind the chunk's end", at)
        text = text_of(data[at + head : at + head + size])
        rows.append(Row((at, head + size), text))
        at += head + size
    right = abs(count) == len(rows)
    yield Row((0, min(4, len(data))), "atoms" if right else f"{count} atoms")
    yield from rows


def _properties(kind: str, blob: Blob) -> Iterator[Fact]:
    """A list of pairs, or of lists of values: one fact for each."""
    terms = _Terms(blob.read())
    if terms.number(0, 1) != TERM or terms.number(1, 1) != 108:
        yield Fact(f"beam.{kind}", terms.text(1)[0], (0, blob.size))
        return
    yield Fact("beam.list", blob.read(0, 6).hex(), (0, 6), kind, derived=True)
    count, at = terms.number(2, 4), 6
    met: dict[str, int] = {}
    for _ in range(count):
        text, end = terms.text(at)
        pair = re.match(r"\{([a-zA-Z0-9_']+),", text)
        name = pair[1] if pair else ""
        met[name] = met.get(name, 0) + 1
        place = (at, end - at)
        label = name if met[name] == 1 else f"{name} #{met[name]}"
        yield Fact(f"beam.{kind}", text, place, label, derived=name in FOLLOWS)
        at = end
    if at < blob.size:
        yield Fact("beam.tail", blob.read(at).hex(), (at, blob.size - at), kind)


def _functions(blob: Blob) -> Iterator[Fact]:
    """Local functions: numbers of their name, arity, label, index, free variables, and a digest
    of the whole module."""
    count = int.from_bytes(blob.part(0, 4).read(), "big")
    yield Fact("beam.functions", count, (0, 4), derived=True)
    for number in range(count):
        at, name = 4 + 24 * number, f"function {number}"
        row = struct.unpack(">6I", blob.part(at, 24).read())
        yield Fact("beam.function", " ".join(map(str, row[:5])), (at, 20), name)
        yield Fact("beam.function_digest", f"{row[5]:08x}", (at + 20, 4), name, derived=True)


def _literals(blob: Blob, start: int = 0) -> Iterator[Row]:
    """A count, then terms behind their sizes."""
    terms = _Terms(blob.read())
    if start:
        yield Row((0, start), "unpacked")
    yield Row((start, 4), "literals")
    count, at = terms.number(start, 4), start + 4
    for _ in range(count):
        size = terms.number(at, 4)
        if terms.number(at + 4, 1) != TERM:
            raise FormatError("no term", at + 4)
        text, end = terms.text(at + 5)
        if end > at + 4 + size:
            raise FormatError("term behind its end", at)
        yield Row((at, 4 + size), text)
        at += 4 + size


def _term(blob: Blob, start: int = 0) -> Iterator[Row]:
    """One term as rows: what opens, what is plain, each atom, number and string."""
    terms = _Terms(blob.read())
    if start:
        yield Row((0, start), "term")
    at, left = start, 1  # never more terms than bytes: each takes one at least
    while left:
        size, text, inner = terms.step(at)
        yield Row((at, size), text.replace("\0", ""))
        at += size
        left += inner - 1


class _Terms:
    """Terms in the external format, read at offsets of `data`."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MOST_BYTES:
            raise LimitError(f"terms of more than {MOST_BYTES} bytes")
        self._data = data

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.take(at, size), "big")

    def take(self, at: int, size: int) -> bytes:
        found = self._data[at : at + size]
        if len(found) < size:
            raise FormatError(f"term ends early: {size} bytes wanted", at)
        return found

    def step(self, at: int) -> tuple[int, str, int]:
        """What starts at `at`: its size without inner terms, its text, how many are inner."""
        tag = self.number(at, 1)
        known = STEPS.get(tag)
        if known is None:
            raise FormatError(f"no tag {tag} of a term", at)
        return known(self, at + 1)

    def text(self, at: int) -> tuple[str, int]:
        """A whole term's text, and the offset behind it."""
        out: list[str] = []
        closing: list[list[str | int]] = []
        while True:
            size, text, inner = self.step(at)
            at += size
            opening, _, end = text.partition("\0")
            out.append(opening)
            if inner:
                closing.append([end, inner])
                if len(closing) > DEEPEST:
                    raise LimitError(f"terms nested more than {DEEPEST} deep", at)
                continue
            out.append(end)
            while closing:
                top = closing[-1]
                top[1] = int(top[1]) - 1
                if top[1]:
                    out.append(",")
                    break
                out.append(str(top[0]))
                closing.pop()
            if not closing:
                return "".join(out), at

    def sized(self, at: int, size: int) -> tuple[bytes, int]:
        """Bytes behind a length of `size` bytes, and the size of both with the tag."""
        count = self.number(at, size)
        return self.take(at + size, count), 1 + size + count


Step: TypeAlias = Callable[[_Terms, int], tuple[int, str, int]]


def _atom(size: int) -> Step:
    def step(terms: _Terms, at: int) -> tuple[int, str, int]:
        raw, whole = terms.sized(at, size)
        text = text_of(raw)
        return whole, text if re.fullmatch("[a-z][a-zA-Z0-9_@]*", text) else f"'{text}'", 0

    return step


def _string(size: int, quote: str) -> Step:
    def step(terms: _Terms, at: int) -> tuple[int, str, int]:
        raw, whole = terms.sized(at, size)
        return whole, quote.replace("*", text_of(raw)), 0

    return step


def _big(size: int) -> Step:
    def step(terms: _Terms, at: int) -> tuple[int, str, int]:
        count = terms.number(at, size)
        sign, raw = terms.number(at + size, 1), terms.take(at + size + 1, count)
        return 2 + size + count, f"{'-' if sign else ''}16#{raw[::-1].hex()}", 0

    return step


def _whole(size: int, show: Callable[[bytes], str]) -> Step:
    return lambda terms, at: (1 + size, show(terms.take(at, size)), 0)


def _open(size: int, start: str, end: str, each: int = 1, more: int = 0) -> Step:
    def step(terms: _Terms, at: int) -> tuple[int, str, int]:
        count = terms.number(at, size) * each + more
        return 1 + size, f"{start}\0{end}", count

    return step


def _float(raw: bytes) -> str:
    (value,) = struct.unpack(">d", raw)
    return f"nan {raw.hex()}" if value != value else repr(value)  # noqa: PLR0124 - not a number: many bytes mean it


STEPS: dict[int, Step] = {
    70: _whole(8, _float),
    97: _whole(1, lambda raw: str(raw[0])),
    98: _whole(4, lambda raw: str(int.from_bytes(raw, "big", signed=True))),
    99: _whole(31, text_of),
    100: _atom(2),
    104: _open(1, "{", "}"),
    105: _open(4, "{", "}"),
    106: _whole(0, lambda _: "[]"),
    107: _string(2, '"*"'),
    108: _open(4, "[", "]", more=1),  # the tail is a term too
    109: _string(4, '<<"*">>'),
    110: _big(1),
    111: _big(4),
    113: lambda _, at: (1, "fun \0", 3),  # noqa: ARG005 - steps take a place
    115: _atom(1),
    116: _open(4, "#{", "}", each=2),
    118: _atom(2),
    119: _atom(1),
}
