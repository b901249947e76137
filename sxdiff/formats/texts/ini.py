"""Files of sections with keys: INI, .desktop, systemd's units, entry_points.txt, simple TOML.

Source: Desktop Entry Specification 1.5 ("Basic format of the file"); systemd.syntax(7); Python
configparser ("Supported INI File Structure").
"""

import re
from collections.abc import Iterator

from sxdiff.formats.texts.pieces import Names, entry, lines_of, piece, section
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

_SECTION = re.compile(rb"[ \t]*\[{1,2}[ \t]*([^\[\]\r\n]{1,200}?)[ \t]*\]{1,2}[ \t]*\r?\n?$")
_ENTRY = re.compile(rb"[ \t]*([^=:\r\n#;\[][^=:\r\n]{0,200}?)[ \t]*[=:][ \t]*")
_NAMED = re.compile(rb"(?:[^\[\r\n][^\r\n]*\r?\n){0,3}?name[ \t]*=[ \t]*\"?([^\"\r\n]{1,100})")
LONGEST_NAME = 200
_COMMENT = (b"#", b";")
_END = b" \t\r\n"


class Ini:
    """A part for each section, a fact for each key."""

    name = "ini"

    def recognises(self, head: bytes) -> bool:
        """A section before anything but comments, then keys."""
        whole = [head[at : at + size] for at, size in lines_of(head[:4096])][:24]
        lines = [line for line in whole if line.strip(_END)]
        known = [line for line in lines if not line.lstrip().startswith(_COMMENT)]
        if len(known) < 2 or not _SECTION.match(known[0]):
            return False
        return all(_SECTION.match(line) or _ENTRY.match(line) for line in known[1:2])

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - texts are bounded
        """The sections in order. Raises `FormatError` for a line that is none of them."""
        raw = blob.read()
        starts = [0]
        titles = ["start"]
        for at, size in lines_of(raw):
            found = _SECTION.match(raw[at : at + size])
            if found:
                starts.append(at)
                titles.append(_title(raw, at + size, found))
            else:
                list(_line(raw, at, size))  # what is no INI is a text: known before all else
        names = Names()
        for title, start, end in zip(titles, starts, [*starts[1:], len(raw)], strict=True):
            if start < end:
                known = (self.name, "ini.section")
                yield section(blob, (start, end - start), names.unique(title), known, _section)


def _title(raw: bytes, at: int, found: re.Match[bytes]) -> str:
    """A section's name; of TOML's lists of tables with the name of the table."""
    if found[0].lstrip().startswith(b"[["):
        named = _NAMED.match(raw, at)
        if named:
            return text_of(found[1] + b" " + named[1])
    return text_of(found[1])


def _section(blob: Blob) -> Iterator[Fact | Member]:
    raw = blob.read()
    names = Names()
    spans = [*lines_of(raw)]
    # git indents all keys: then no line goes on with the one above
    known = [raw[at : at + size] for at, size in spans if raw[at : at + size].strip(_END)]
    indented = len(known) > 1 and _goes_on(known[1]) and _ENTRY.match(known[1]) is not None
    number = 0
    while number < len(spans):
        at, size = spans[number]
        number += 1
        for kind, name, value_at in _line(raw, at, size, indented):
            if kind != "value":
                # a comment is its own name, so that one more does not move all others
                told = names.unique(name) if name else ""
                yield from piece(f"ini.{kind}", raw, at, at + size, told, derived=kind == "blank")
                continue
            while number < len(spans) and not indented:
                line = raw[spans[number][0] : sum(spans[number])]
                if not _goes_on(line):
                    break
                size += len(line)
                number += 1
            end = value_at + len(raw[value_at : at + size].rstrip(b"\r\n"))
            value = (value_at, end - value_at)
            yield from entry("ini", blob, raw, (at, size), names.unique(name), value)


def _line(raw: bytes, at: int, size: int, indented: bool = False) -> Iterator[tuple[str, str, int]]:
    """(kind, name, where the value starts) of one line."""
    line = raw[at : at + size]
    bare = line.strip(_END)
    if not bare:
        yield "blank", "", at
    elif bare.startswith(_COMMENT):
        yield "comment", text_of(bare)[:LONGEST_NAME], at
    elif _SECTION.match(line):
        yield "title", "", at
    elif _goes_on(line) and not (indented and _ENTRY.match(line)):
        yield "more", "", at
    elif found := _ENTRY.match(line):
        yield "value", text_of(found[1]), at + found.end()
    else:
        raise FormatError("INI: a line is no key", at)


def _goes_on(line: bytes) -> bool:
    """Whether a line continues the value above: indented and not empty, or the end of a list."""
    return (line[:1] in (b" ", b"\t") and bool(line.strip(_END))) or line[:1] in (b"]", b"}")
