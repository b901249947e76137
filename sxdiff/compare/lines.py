"""Where two texts differ: groups of lines, found in time that follows the texts' length.

Common bytes at both ends are cut off first, in a stream; only what lies between is held.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sxdiff.compare.align import Change, align
from sxdiff.compare.ranges import common_end, common_start, differing
from sxdiff.formats.digest import digest_of
from sxdiff.formats.text import BYTES
from sxdiff.model import Blob, Difference, LimitError, Value, text_of

CONTEXT = 3
"""Lines of context in a told diff."""
EXCERPT = 2000
"""Characters of a value or a diff that are told; size and digest stand for the rest."""
MOST_LINES = 2_000_000
"""Lines between the common ends; of a longer text these are one replacement."""

WHOLE = frozenset({"text.encoding", "text.line_endings", "text.whitespace", "text.case"})
"""Kinds that say all there is to the difference of two texts of any format."""

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_SPACE = b" \t\n\r\v\f"
_OLDER = ("iso-8859-1", "iso-8859-15", "cp1252")
"""What an 8-bit text is looked at as."""
_MARK = "\ufeff"
_REFERENCE = re.compile(
    r"&#(?:[0-9]{3,7}|[xX][0-9A-Fa-f]{2,6});|(?P<name>&[A-Za-z][A-Za-z0-9]{1,31};)"
)
"""Character references of HTML; XML has only those of numbers, where nothing declares others."""
_STARTS_WITH = ("#!", "<?php")
"""What must be first of all in a file: a byte order mark before it makes it another program."""


@dataclass(frozen=True, slots=True)
class Text:
    """The lines of one side between the ends that both sides have in common.

    `lines` are UTF-8 (or the bytes as they are) with their line ends; `ends` are offsets in the
    stream: line n lies from ends[n] to ends[n + 1]. `first` is the number of the first line;
    `shift` is added to the offsets told; lines that nobody counts are not `numbered`.
    """

    lines: list[bytes]
    ends: list[int]
    first: int
    blob: Blob
    shift: int = 0
    numbered: bool = True

    def value(self, start: int, end: int) -> Value:
        """Lines from `start` to `end` as one side of a difference."""
        span = (self.ends[start], self.ends[end] - self.ends[start])
        told = text_of(b"".join(_enough(self.lines, start, end)))
        line: int | None = self.first + start
        if not self.numbered:  # rows: their line ends are ours
            line, told = None, told.removesuffix("\n")
        at = (span[0] + self.shift, span[1])
        if len(told) <= EXCERPT:
            return Value(told, at, line=line)
        return Value(
            told[:EXCERPT], at, size=span[1], digest=digest_of(self.blob.part(*span)), line=line
        )


def _enough(lines: Sequence[bytes], start: int, end: int) -> Iterator[bytes]:
    """Lines until an excerpt is full."""
    size = 0
    while start < end and size <= EXCERPT:
        yield lines[start][: EXCERPT * 4 + 1]
        size += len(lines[start])
        start += 1


def differences(
    a: Blob, b: Blob, encodings: tuple[str, str], most: int, most_bytes: int
) -> tuple[list[Difference], int, int]:
    """The differences of two texts: one a group of lines, at most `most` of them.

    Where only line ends, white space or the order of lines differ, that is the one difference.
    Also gives how many differences were left out, and their bytes. Raises `LimitError` where more
    than `most_bytes` lie between the lines that both texts start and end with.
    """
    if max(a.size, b.size) <= most_bytes and (names := _one_text(a, b, encodings)):
        told = [Value(name, (0, blob.size)) for name, blob in zip(names, (a, b), strict=True)]
        return [Difference("text.encoding", told[0], told[1], bytes=max(a.size, b.size))], 0, 0
    one, two = _texts(a, b, encodings, most_bytes)
    out: list[Difference] = []
    if (encodings[0] in BYTES) != (encodings[1] in BYTES) or len({*encodings} - BYTES) > 1:
        out.append(Difference("text.encoding", Value(encodings[0]), Value(encodings[1])))
    changes = align(one.lines, two.lines)
    kind = _only(one, two)
    if kind:
        out.append(_as_one(kind, one, two, changes))
        return out, 0, 0
    left_out = bytes_left_out = 0
    for change in changes:
        count = differing(*_sides(one, two, change))
        if len(out) >= most:
            left_out += 1
            bytes_left_out += count
            continue
        told_a, told_b = one.value(*change[:2]), two.value(*change[2:])
        diff = excerpt(unified(one, two, change))
        out.append(Difference("text", told_a, told_b, bytes=count, diff=diff))
    return out, left_out, bytes_left_out


def _one_text(a: Blob, b: Blob, encodings: tuple[str, str]) -> tuple[str, str] | None:
    """Two encodings in which both streams say the same text, if there are such."""
    if encodings[0] == encodings[1]:
        marks = [blob.read(0, 3) == _MARK.encode() for blob in (a, b)]
        if encodings[0] != "utf-8" or marks[0] == marks[1]:
            return None
    ours, theirs = (_readings(blob, name) for blob, name in zip((a, b), encodings, strict=True))
    for one, text in ours.items():
        for two, other in theirs.items():
            if text == other and one != two:
                return one, two
    return None


def _readings(blob: Blob, encoding: str) -> dict[str, str]:
    """What a stream says, by the name of the encoding that it is read in."""
    data = blob.read()
    if encoding == "8-bit":
        found = {}
        for name in _OLDER:
            try:
                found[name] = data.decode(name)
            except UnicodeDecodeError:  # five bytes of cp1252 are no character
                continue
        return found
    text = data.decode(encoding)
    if encoding == "ascii":
        return {encoding: text, "ascii with character references": _resolved(text)}
    bare = text.removeprefix(_MARK)
    if encoding != "utf-8":
        return {encoding: bare}
    if bare == text or bare.startswith(_STARTS_WITH):
        return {encoding: text}
    return {"utf-8 with a byte order mark": bare}


def _resolved(text: str) -> str:
    """A text with the characters that ASCII has no place for instead of references to them."""
    xml = text.startswith("<?xml")

    def character(found: re.Match[str]) -> str:
        if xml and found["name"]:
            return found[0]
        said = html.unescape(found[0])
        return found[0] if said.isascii() or said.endswith(";") else said

    return _REFERENCE.sub(character, text)


def _sides(one: Text, two: Text, change: Change) -> tuple[bytes, bytes]:
    a0, a1, b0, b1 = change
    return b"".join(one.lines[a0:a1]), b"".join(two.lines[b0:b1])


def _as_one(kind: str, one: Text, two: Text, changes: Sequence[Change]) -> Difference:
    """All changes as one difference, from the first to the last changed line."""
    first, last = changes[0], changes[-1]
    span = (first[0], last[1], first[2], last[3])
    diff = ""
    for change in changes:
        diff += unified(one, two, change)
        if len(diff) > EXCERPT:
            break
    count = sum(differing(*_sides(one, two, change)) for change in changes)
    told = [one.value(*span[:2]), two.value(*span[2:])]
    return Difference(kind, told[0], told[1], bytes=count, diff=excerpt(diff))


def _only(one: Text, two: Text) -> str | None:
    """The kind that names all there is to the difference, where one does, exactly."""
    a, b = b"".join(one.lines), b"".join(two.lines)
    if _unix(a) == _unix(b):
        return "text.line_endings"
    if len(one.lines) == len(two.lines) and a.endswith(b"\n") == b.endswith(b"\n"):
        # the last line's missing end is no part of which lines there are
        ours, theirs = ([line.rstrip(b"\n") for line in text.lines] for text in (one, two))
        if sorted(ours) == sorted(theirs) or _same_entries(ours, theirs):
            return "text.order"
    if a.translate(None, _SPACE) == b.translate(None, _SPACE):
        return "text.whitespace"
    if a.lower() == b.lower():
        return "text.case"
    return None


def _same_entries(ours: Sequence[bytes], theirs: Sequence[bytes]) -> bool:
    """Whether both are the same entries in another order, where commas stand between entries:
    the last one has none."""
    commas = [sum(line.endswith(b",") for line in side) for side in (ours, theirs)]
    if commas[0] != commas[1] or not commas[0]:
        return False
    bare = [[line.removesuffix(b",") for line in side] for side in (ours, theirs)]
    return bare[0] != bare[1] and sorted(bare[0]) == sorted(bare[1])


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def excerpt(text: str) -> str:
    """A text's start, with the number of characters left out."""
    if len(text) <= EXCERPT:
        return text
    return f"{text[:EXCERPT]}\n[{len(text) - EXCERPT} more characters]"


def unified(one: Text, two: Text, change: Change) -> str:
    """The change as a unified diff with `CONTEXT` lines (POSIX diff -u)."""
    a0, a1, b0, b1 = change
    before = 0
    while (
        before < min(CONTEXT, a0, b0) and one.lines[a0 - before - 1] == two.lines[b0 - before - 1]
    ):
        before += 1
    behind = 0
    rest = min(CONTEXT, len(one.lines) - a1, len(two.lines) - b1)
    while behind < rest and one.lines[a1 + behind] == two.lines[b1 + behind]:
        behind += 1
    extents = _extent(one, a0 - before, a1 + behind), _extent(two, b0 - before, b1 + behind)
    head = f"@@ -{extents[0]} +{extents[1]} @@\n"
    parts = (
        _marked(" ", one.lines, a0 - before, a0),
        _marked("-", one.lines, a0, a1),
        _marked("+", two.lines, b0, b1),
        _marked(" ", one.lines, a1, a1 + behind),
    )
    return head + "".join(parts)


def _extent(text: Text, start: int, end: int) -> str:
    number = text.first + start - (end == start)
    return f"{number}" if end - start == 1 else f"{number},{end - start}"


def _marked(mark: str, lines: Sequence[bytes], start: int, end: int) -> str:
    out = []
    shown = 0
    for line in _enough(lines, start, end):
        shown += 1
        cut = line[: EXCERPT * 4]
        out.append(mark + text_of(cut.removesuffix(b"\n")) + "\n")
        if not line.endswith(b"\n") and len(line) <= len(cut):
            out.append("\\ No newline at end of file\n")
    if shown < end - start:
        out.append(f"{mark}[{end - start - shown} more lines]\n")
    return "".join(out)


def _texts(a: Blob, b: Blob, encodings: tuple[str, str], most: int) -> tuple[Text, Text]:
    if not BYTES.issuperset(encodings):
        _bound(max(a.size, b.size), most)
        return _decoded(a, encodings[0]), _decoded(b, encodings[1])
    head = common_start(a, b)
    tail = common_end(a, b, head)
    start = _line_start(a, head, CONTEXT)
    behind = tail - _line_end(a, a.size - tail, CONTEXT)
    _bound(max(a.size, b.size) - behind - start, most)
    first = 1 + _newlines(a, start)
    return _split(a, start, a.size - behind, first), _split(b, start, b.size - behind, first)


def _bound(size: int, most: int) -> None:
    if size > most:
        raise LimitError(f"text that differs over more than {most} bytes")


def _split(blob: Blob, start: int, end: int, first: int) -> Text:
    data = blob.read(start, end - start)
    many = data.count(b"\n") > MOST_LINES
    lines = [data] if many else _LINE.findall(data)
    return Text(lines, _offsets(start, (len(line) for line in lines)), first, blob)


def _decoded(blob: Blob, encoding: str) -> Text:
    """All lines of a stream in UTF-8, with the places they have in their own encoding."""
    if encoding in BYTES:
        return _split(blob, 0, blob.size, 1)
    text = blob.read().decode(encoding)
    mark = text[:1] == "\ufeff"
    lines = re.findall(r"[^\n]*\n|[^\n]+", text[mark:])
    sizes = [len(line.encode(encoding)) for line in lines]
    if lines:
        sizes[0] += 2 * mark  # the byte order mark belongs to the first line's bytes
    return Text([line.encode() for line in lines], _offsets(0, sizes), 1, blob)


def _offsets(at: int, sizes: "Iterator[int] | Sequence[int]") -> list[int]:
    out = [at]
    for size in sizes:
        at += size
        out.append(at)
    return out


_STEP = 64 << 10


def _line_start(blob: Blob, at: int, more: int) -> int:
    """Where the line that holds `at` starts, or the line `more` lines before it."""
    end = at
    while end > 0:
        start = max(0, end - _STEP)
        data = blob.read(start, end - start)
        place = len(data)
        while (place := data.rfind(b"\n", 0, place)) >= 0:
            if not more:
                return start + place + 1
            more -= 1
        end = start
    return 0


def _line_end(blob: Blob, at: int, more: int) -> int:
    """How far it is from `at` to the end of its line, or of the line `more` lines after it."""
    for start in range(at, blob.size, _STEP):
        data = blob.read(start, _STEP)
        place = -1
        while (place := data.find(b"\n", place + 1)) >= 0:
            if not more:
                return start + place + 1 - at
            more -= 1
    return blob.size - at


def _newlines(blob: Blob, end: int) -> int:
    step = 1 << 20
    return sum(blob.read(at, min(step, end - at)).count(b"\n") for at in range(0, end, step))
