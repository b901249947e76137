"""PDF documents: objects by number, dictionaries by key, streams unpacked.

Source: ISO 32000-1:2008, 7.3 objects, 7.5 file structure (header, cross-reference tables and
streams, object streams, incremental updates), 14.3.3 document information dictionary. This is a
scanner, not a parser: it finds `n g obj ... endobj` wherever it stands, as readers that repair
a document do, and needs no cross-reference table.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sxdiff.formats.compression.deflate import inflated
from sxdiff.formats.parts import Names, Parts, bytes_part, packed, part, whole
from sxdiff.model import Blob, Fact, FormatError, Inside, LimitError, Limits, Member, Span, text_of

MAGIC = b"%PDF-"
MOST = 256 << 20
"""Bytes of a document."""
MOST_UNPACKED = 64 << 20
"""Bytes of one object stream."""
_OBJECT = re.compile(rb"(?<![0-9])([0-9]{1,10})[ \t\r\n]+([0-9]{1,5})[ \t\r\n]+obj\b")
_STREAM = re.compile(rb"stream(\r\n|\n|\r)")
_LENGTH = re.compile(
    rb"/Length[ \t\r\n]+([0-9]{1,10})(?![0-9])(?:[ \t\r\n]+([0-9]{1,5})[ \t\r\n]+R)?"
)
_FILTER = re.compile(rb"/(?:Filter|F)[ \t\r\n]*(\[[^\]]{0,200}\]|/[A-Za-z0-9]+)")
_PARAMETERS = re.compile(rb"/(?:DecodeParms|DP)\b")
_INFO = re.compile(rb"/Info[ \t\r\n]+([0-9]{1,10})[ \t\r\n]+[0-9]+[ \t\r\n]+R")
_NUMBER = re.compile(rb"/(N|First)[ \t\r\n]+([0-9]{1,8})")
_TRAILER = re.compile(rb"(?:^|[\r\n])(xref|trailer|startxref)\b")
_TOKEN = re.compile(
    rb"%[^\r\n]*|<<|>>|\[|\]|<[0-9A-Fa-f \t\r\n]*>|/[^ \t\r\n\f\0()<>\[\]{}/%]*|\("
    rb"|[^ \t\r\n\f\0()<>\[\]{}/%]+|[<>{})]"
)
_SECTION = re.compile(rb"([0-9]{1,10})[ \t]+([0-9]{1,8})[ \t\r\n]+")
_ENTRY = re.compile(rb"([0-9]{10}) ([0-9]{5}) ([nf])[ \r\n]{1,2}")
_W = re.compile(rb"/W[ \t\r\n]*\[([0-9 \t\r\n]{1,40})\]")
_INDEX = re.compile(rb"/Index[ \t\r\n]*\[([0-9 \t\r\n]{1,4000})\]")
_SIZE = re.compile(rb"/Size[ \t\r\n]+([0-9]{1,8})")
_PREDICTOR = re.compile(rb"/Predictor[ \t\r\n]+([0-9]{1,2})")
_COLUMNS = re.compile(rb"/Columns[ \t\r\n]+([0-9]{1,3})")
_SPACE = b" \t\r\n\f\0"
DERIVED_KEYS = {
    b"/Length": "stream",
    b"/Prev": "trailer",
    b"/Size": "trailer",
    b"/N": "objects",
    b"/First": "objects",
    b"/W": "xref",
    b"/Index": "xref",
}
"""Keys whose values follow from a stream or from where objects lie."""


class Pdf:
    """A part for each object and trailer; streams packed with deflate are told unpacked."""

    name = "pdf"

    def recognises(self, head: bytes) -> bool:
        """The header line (7.5.2) at the very start."""
        return re.match(rb"%PDF-[0-9]\.[0-9]", head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """Header, objects in the order they lie, cross-reference tables, trailers."""
        data = whole(blob, MOST)
        line = re.match(rb"[^\r\n]*[\r\n]*", data)
        assert line  # noqa: S101 - matches anything
        yield Fact("pdf.header", text_of(line[0]), (0, line.end()))
        info = {int(found[1]) for found in _INFO.finditer(data)}
        lengths = _lengths(data)
        names = Names()
        met: dict[int, int] = {}
        at = line.end()
        while found := _OBJECT.search(data, at):
            yield from _between(blob, data, (at, found.start()), names)
            number = int(found[1])
            end, stream = _end(data, found.end(), lengths)
            met[number] = met.get(number, 0) + 1
            name = f"object {number}" + (" Info" if number in info else "")
            body = data[found.end() : stream[0] if stream else end]
            span = (found.start(), end - found.start())
            yield from _object(blob, names(name), span, found.end(), body, stream, limits)
            at = end
        yield from _between(blob, data, (at, len(data)), names)


def _lengths(data: bytes) -> dict[int, int]:
    """Objects that are a bare number: lengths of streams are often written so."""
    pattern = re.compile(rb"(?<![0-9])([0-9]{1,10}) 0 obj[ \t\r\n]*([0-9]{1,10})[ \t\r\n]*endobj")
    return {int(found[1]): int(found[2]) for found in pattern.finditer(data)}


def _end(data: bytes, start: int, lengths: dict[int, int]) -> tuple[int, Span | None]:
    """Where the object ends (behind `endobj`), and its stream's span."""
    close = data.find(b"endobj", start)
    found = _STREAM.search(data, start, close if close >= 0 else len(data))
    if not found or not data[max(start, found.start() - 64) : found.start()].rstrip(
        _SPACE
    ).endswith(b">>"):
        return (close + 6 if close >= 0 else len(data)), None
    head = data[start : found.start()]
    size = -1
    if length := _LENGTH.search(head):
        size = lengths.get(int(length[1]), -1) if length[2] else int(length[1])
    begin = found.end()
    if size < 0 or not data[begin + size : begin + size + 12].lstrip(_SPACE).startswith(
        b"endstream"
    ):
        stop = data.find(b"endstream", begin)
        size = (stop if stop >= 0 else len(data)) - begin
    close = data.find(b"endobj", begin + size)
    return (close + 6 if close >= 0 else len(data)), (begin, size)


def _object(
    blob: Blob,
    name: str,
    span: Span,
    body_at: int,
    body: bytes,
    stream: Span | None,
    limits: Limits,
) -> Iterator[Fact | Member]:
    kind = _type(body)
    yield part(
        "pdf",
        name,
        blob,
        (span[0], (stream[0] if stream else sum(span)) - span[0]),
        partial(_facts, start=body_at - span[0], size=len(body), streams=stream is not None),
    )
    if not stream:
        return
    name = f"{name} stream"
    if kind == b"/XRef":
        right = _holds_places(blob, body, stream, limits)
        yield bytes_part("pdf.xref", name, blob, stream, derived=right)
    elif not stream[1]:
        pass
    elif _unpacks(body) and _sound(blob, stream, limits):
        if kind == b"/ObjStm":
            found = dict(_NUMBER.findall(body))
            yield Member(
                name,
                partial(inflated, blob, [stream], limits),
                inside=Inside(
                    "pdf",
                    partial(
                        _objects, count=int(found.get(b"N", 0)), first=int(found.get(b"First", 0))
                    ),
                ),
            )
        else:
            yield Member(name, partial(inflated, blob, [stream], limits), kind="pdf.stream")
        yield packed("pdf.packed", blob, stream, name)
    else:
        yield Member(name, blob.part(*stream), stream, "pdf.stream")
    end = sum(stream)
    yield Fact("pdf.end", text_of(blob.read(end, sum(span) - end)), (end, sum(span) - end), name)


def _type(body: bytes) -> bytes:
    found = re.search(rb"/Type[ \t\r\n]*(/[A-Za-z]+)", body)
    return found[1] if found else b""


def _unpacks(body: bytes) -> bool:
    """Whether deflate is the only filter. Predictors stay: rows as they are packed."""
    found = _FILTER.search(body)
    return bool(found) and re.sub(rb"[\[\] \t\r\n]", b"", found[1] if found else b"") in (
        b"/FlateDecode",
        b"/Fl",
    )


def _sound(blob: Blob, span: Span, limits: Limits) -> bool:
    try:
        for _ in inflated(blob, [span], limits):
            pass
    except LimitError:
        raise
    except FormatError:
        return False
    return True


def _facts(blob: Blob, start: int, size: int, streams: bool) -> Parts:
    """An object: `12 0 obj`, the entries of its dictionary or its bare value, `endobj`."""
    data = blob.read()
    yield Fact("pdf.object", text_of(data[:start]), (0, start))
    yield from _entries(data, start, start + size, "stream" if streams else "")


def _entries(data: bytes, start: int, end: int, what: str) -> Iterator[Fact]:
    """A dictionary's entries at `start`: each key with its value and the space behind it."""
    opened = re.compile(rb"[ \t\r\n\f\0]*<<[ \t\r\n\f\0]*").match(data, start, end)
    if not opened:
        yield Fact("pdf.value", text_of(data[start:end]), (start, end - start))
        return
    yield Fact("pdf.open", text_of(opened[0]), (start, opened.end() - start))
    names = Names()
    kind = _type(data[start:end])
    before = at = opened.end()
    while at < end:
        stop = _value_end(data, at, end)
        if stop is None:
            break
        key, value_at = stop[0], stop[1]
        stop_at = stop[2]
        reason = DERIVED_KEYS.get(key)
        derived = (
            (reason == "stream" and bool(what))
            or (reason == "trailer" and (what == "trailer" or kind == b"/XRef"))
            or (reason == "objects" and kind == b"/ObjStm")
            or (reason == "xref" and kind == b"/XRef")
        )
        name = names(text_of(key))
        # space goes with the key behind it, so that values are told without
        while value_at < stop_at and data[value_at] in _SPACE:
            value_at += 1
        raw = data[value_at:stop_at].rstrip(_SPACE)
        yield Fact("pdf.key", text_of(data[before:value_at]), (before, value_at - before), name)
        if raw:
            yield Fact("pdf.entry", text_of(raw), (value_at, len(raw)), name, derived)
        before = value_at + len(raw)
        at = stop_at
    if before < end:
        yield Fact("pdf.close", text_of(data[before:end]), (before, end - before))


def _value_end(data: bytes, at: int, end: int) -> tuple[bytes, int, int] | None:
    """The entry at `at`: its key, where its value starts and where the next entry starts."""
    found = _TOKEN.match(data, at, end)
    if not found or not found[0].startswith(b"/"):
        return None
    key, depth = found[0], 0
    value_at = at = found.end()
    values = 0
    while at < end:
        while at < end and data[at] in _SPACE:
            at += 1
        found = _TOKEN.match(data, at, end)
        if not found:
            return key, value_at, at
        token = found[0]
        if depth == 0 and (token == b">>" or (values and token.startswith(b"/"))):
            return key, value_at, at
        if token in (b"<<", b"["):
            depth += 1
        elif token in (b">>", b"]"):
            depth -= 1
        at = _string_end(data, at, end) if token == b"(" else found.end()
        values += 1
    return key, value_at, end


def _string_end(data: bytes, at: int, end: int) -> int:
    """Behind the literal string at `at` (7.3.4.2): parentheses nest, backslashes escape."""
    depth = 0
    for found in re.compile(rb"\\.|[()]", re.DOTALL).finditer(data, at, end):
        if found[0] == b"(":
            depth += 1
        elif found[0] == b")":
            depth -= 1
            if not depth:
                return found.end()
    return end


def _objects(blob: Blob, count: int, first: int) -> Parts:
    """The objects of an object stream (7.5.7): pairs of number and offset, then their bodies."""
    data = whole(blob, MOST_UNPACKED)
    pairs = [int(number) for number in re.findall(rb"[0-9]{1,10}", data[:first])][: 2 * count]
    if len(pairs) < 2 * count or count < 1:
        raise FormatError("object stream without its table", 0)
    yield packed("pdf.objects", blob, (0, first), "objects")
    starts = [first + place for place in pairs[1::2]]
    names = Names()
    for number, at, end in zip(pairs[::2], starts, [*starts[1:], len(data)], strict=True):
        yield part(
            "pdf",
            names(f"object {number}"),
            blob,
            (at, end - at),
            partial(_facts, start=0, size=end - at, streams=False),
        )


def _between(blob: Blob, data: bytes, span: Span, names: Names) -> Iterator[Fact | Member]:
    """What lies between objects: comments, cross-reference tables, trailers, end marks."""
    at, end = span
    marks = [found.start(1) for found in _TRAILER.finditer(data, at, end)]
    known = frozenset(marks)
    for start, stop in zip([at, *marks], [*marks, end], strict=True):
        if stop == start:
            continue
        place = (start, stop - start)
        if start not in known:
            told = data[start:stop]
            if told.strip(_SPACE):
                yield Fact("pdf.between", text_of(told), place, names("between"))
            else:
                yield Fact("pdf.space", text_of(told), place, names("space"), derived=True)
        elif data.startswith(b"trailer", start):
            yield part("pdf", names("trailer"), blob, place, _trailer)
        else:
            kind = "startxref" if data.startswith(b"startxref", start) else "xref"
            right = _starts_there if kind == "startxref" else _lists_places
            table = packed(f"pdf.{kind}", blob, place, names(kind))
            yield replace(table, derived=right(data, start, stop))


def _starts_there(data: bytes, start: int, stop: int) -> bool:
    """Whether `startxref` names the place of a cross-reference table (7.5.5)."""
    found = re.compile(rb"startxref[\r\n \t]+([0-9]{1,12})[\r\n \t]+%%EOF[\r\n \t\f\0]*").fullmatch(
        data, start, stop
    )
    if not found:
        return False
    at = int(found[1])
    return data.startswith(b"xref", at) or (
        bool(_OBJECT.match(data, at)) and b"/XRef" in data[at : at + 512]
    )


def _lists_places(data: bytes, start: int, stop: int) -> bool:
    """Whether a cross-reference table has objects where they are, and nothing else (7.5.4)."""
    at = re.compile(rb"xref[ \t\r\n]+").match(data, start, stop)
    place = at.end() if at else stop
    while section := _SECTION.match(data, place, stop):
        place = section.end()
        for number in range(int(section[1]), int(section[1]) + int(section[2])):
            entry = _ENTRY.match(data, place, stop)
            if not entry:
                return False
            if entry[3] == b"n" and not _is_object(data, int(entry[1]), number, int(entry[2])):
                return False
            place = entry.end()
    return at is not None and not data[place:stop].strip(_SPACE)


def _is_object(data: bytes, at: int, number: int, generation: int) -> bool:
    found = _OBJECT.match(data, at)
    return found is not None and (int(found[1]), int(found[2])) == (number, generation)


def _holds_places(blob: Blob, body: bytes, stream: Span, limits: Limits) -> bool:
    """Whether a cross-reference stream has objects where they are (7.5.8)."""
    widths, index, size = _W.search(body), _INDEX.search(body), _SIZE.search(body)
    if not widths or not size or not (_unpacks(body) or not _FILTER.search(body)):
        return False
    try:
        raw = blob.part(*stream).read()
        table = b"".join(inflated(blob, [stream], limits)) if _unpacks(body) else raw
    except FormatError:
        return False
    fields = [int(width) for width in widths[1].split()]
    if len(fields) != 3 or not 0 < sum(fields) <= 32:
        return False
    if predictor := _PREDICTOR.search(body):
        found = _COLUMNS.search(body)
        if int(predictor[1]) >= 10:  # of PNG
            columns = int(found[1]) if found else 1
            table = _unpredicted(table, columns)
    numbers = [int(one) for one in index[1].split()] if index else [0, int(size[1])]
    data = whole(blob, MOST)
    at = 0
    for first, count in zip(numbers[::2], numbers[1::2], strict=False):
        for number in range(first, first + count):
            row = table[at : at + sum(fields)]
            if len(row) < sum(fields):
                return False
            at += sum(fields)
            ends = (fields[0], fields[0] + fields[1])
            kind = int.from_bytes(row[: ends[0]], "big") if fields[0] else 1
            place = int.from_bytes(row[ends[0] : ends[1]], "big")
            if kind == 1 and not _is_object(
                data, place, number, int.from_bytes(row[ends[1] :], "big")
            ):
                return False
    return at == len(table)


def _unpredicted(table: bytes, columns: int) -> bytes:
    """Rows without the predictor "up" or "none" of PNG; others are left as they are."""
    above = bytes(columns)
    out = []
    for at in range(0, len(table), columns + 1):
        row = table[at + 1 : at + 1 + columns]
        if table[at] == 2:
            row = bytes((one + two) & 255 for one, two in zip(row, above, strict=False))
        above = row
        out.append(row)
    return b"".join(out)


def _trailer(blob: Blob) -> Parts:
    data = blob.read()
    yield Fact("pdf.trailer", "trailer", (0, 7))
    yield from _entries(data, 7, len(data), "trailer")
