"""XML and HTML as a listing of tags and lines of text, whatever the layout.

Other white space says the same; each of several attributes of a tag is a row. Entities are not
expanded, nothing outside of the text is read, and tags need not be closed.
Source: XML 1.0 (fifth edition), 2.3 to 2.8 and 3.1; HTML Living Standard, 13.1.2 for raw text.
"""

import re
from collections.abc import Iterator

from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row, text_of

MOST_ROWS = 500_000
DEEPEST = 64
"""Levels of elements that a path names."""
LONGEST = 200
"""Characters of a path."""
_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[ \t\r\n]|<!DOCTYPE[ \t\r\n]|(?i:<html[\s>])|<svg[\s>]"
    rb"|<[A-Za-z][A-Za-z0-9_:.-]*\s+xmlns)"
)
_TOKEN = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    rb"|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>"
    rb"|</[A-Za-z_:][^<>]*>"
    rb"|<[A-Za-z_:](?:[^<>\"']++|\"[^\"]*+\"|'[^']*+')*+>",
    re.DOTALL | re.IGNORECASE,
)
_NAME = re.compile(rb"</?([^\s/>]+)")
_ATTRIBUTE = re.compile(rb"[^\s=/>\"']+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>\"']+))?")
_ID = re.compile(rb"\s(?:xml:id|id|name|key)\s*=\s*[\"']([^\"'\n]{1,60})[\"']", re.IGNORECASE)
_EMPTY = frozenset(b"area base br col embed hr img input link meta source track wbr".split())
_RAW = frozenset((b"script", b"style"))
"""Elements of HTML without an end, and with a content that has no tags."""


class Xml:
    """One listing of the whole document."""

    name = "xml"

    def recognises(self, head: bytes) -> bool:
        """An XML declaration, a document type, or an element that starts such documents."""
        return _START.match(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - texts are bounded
        """The rows; raises `FormatError` where a tag has no end."""
        rows = list(_rows(blob.read()))
        listing = Listing(self.name, lambda _: rows)
        yield Member("document", blob, (0, blob.size), "xml", inside=listing)


def _rows(raw: bytes) -> Iterator[Row]:
    end = 0
    for number, (start, stop, text, label) in enumerate(_pieces(raw)):
        if number > MOST_ROWS:
            raise LimitError(f"XML of more than {MOST_ROWS} rows", start)
        # the white space before it belongs to a row, but is no part of what it says
        yield Row((end, stop - end), text, label=label)
        end = stop
    if end < len(raw):
        yield Row((end, len(raw) - end), "")


def _pieces(raw: bytes) -> Iterator[tuple[int, int, str, str]]:
    """Tags and lines of text: from, to, what it says, path of the element around it."""
    path: list[bytes] = []
    endless: set[bytes] = set()
    at = 0
    while at < len(raw):
        place = raw.find(b"<", at)
        place = len(raw) if place < 0 else place
        label = _label(path)
        yield from _lines(raw, at, place, label)
        if place == len(raw):
            return
        token = _TOKEN.match(raw, place)
        if not token:
            raise FormatError("XML: a tag without an end", place)
        at = token.end()
        text = token[0]
        if text.startswith((b"<!", b"<?")):
            yield from _lines(raw, place, at, label)
            continue
        found = _NAME.match(text)
        name = found[1] if found else b""
        if text.startswith(b"</"):
            known = [step.partition(b"[")[0] for step in path]
            if name in known:
                del path[len(known) - 1 - known[::-1].index(name) :]
            yield place, at, text_of(b" ".join(text.split())), label
            continue
        named = _ID.search(text)
        step = name + (b"[" + named[1] + b"]" if named else b"")
        yield from _tag(name, text, place, _label([*path, step]))
        if text.endswith(b"/>") or name.lower() in _EMPTY or len(path) >= DEEPEST:
            continue
        path.append(step)
        if name.lower() in _RAW and name not in endless:
            close = re.compile(rb"</" + re.escape(name), re.IGNORECASE).search(raw, at)
            if close:
                yield from _lines(raw, at, close.start(), _label(path))
                at = close.start()
            else:
                endless.add(name)


def _lines(raw: bytes, start: int, end: int, label: str) -> Iterator[tuple[int, int, str, str]]:
    """The lines of a text, without the white space around each."""
    while start < end:
        stop = raw.find(b"\n", start, end) + 1 or end
        text = raw[start:stop].strip()
        if text:
            yield start, start + len(raw[start:stop].rstrip()), text_of(text), label
        start = stop


def _tag(name: bytes, text: bytes, at: int, label: str) -> Iterator[tuple[int, int, str, str]]:
    """A start tag: on one row, or with several attributes, each on its own. What closes it then
    belongs to what follows, or is a row where it says that the element is empty."""
    attributes = list(_ATTRIBUTE.finditer(text, 1 + len(name)))
    if len(attributes) < 2:
        yield at, at + len(text), text_of(b" ".join(text.split())), label
        return
    yield at, at + 1 + len(name), text_of(b"<" + name), label
    for found in attributes:
        yield at + found.start(), at + found.end(), text_of(b"  " + found[0]), label
    if text.endswith(b"/>"):
        yield at + len(text) - 2, at + len(text), "/>", label


def _label(path: list[bytes]) -> str:
    return text_of(b"/".join(path))[-LONGEST:]
