"""Stanzas of `Field: value` lines: package databases and descriptions.

dpkg's status, control and copyright files, Packages and Release files, METADATA and WHEEL of
Python packages, MANIFEST.MF of jars, the database of installed packages of apk, SPDX as tags.
Source: Debian Policy 5.1 (syntax of control files); Python core metadata 2.3; JAR file
specification ("JAR Manifest"); apk-tools apk-v2(5) ("installed database"); SPDX 2.3, annex B.
"""

import re
from collections.abc import Iterator

from sxdiff.formats.texts.pieces import Names, entry, lines_of, piece, section
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Span, text_of

FIRST = frozenset(
    b"Package Source Format Origin Archive Suite Manifest-Version Signature-Version "
    b"Metadata-Version Wheel-Version Package-List Template SPDXVersion Name C P".split()
)
"""Names of the field that a file of stanzas starts with."""
MANY = frozenset(
    b"Classifier Requires-Dist Requires-External Provides-Extra Provides-Dist Obsoletes-Dist "
    b"Project-URL License-File Dynamic Platform Supported-Platform Tag Import-Name "
    b"Creator Relationship ExternalRef PackageChecksum FileChecksum LicenseInfoInFile".split()
)
"""Fields that a stanza may have many times: each is named by its value."""
_OF_FILES = frozenset((b"F", b"R", b"a", b"Z", b"M"))
LONGEST_NAME = 200
WITH_BODY = frozenset((b"Metadata-Version", b"Wheel-Version"))
"""One stanza, then a text of any kind (Python core metadata, "Description in the body")."""
IDENTITIES = tuple(b"Package P Name Files Template License Source PackageName FileName".split())
"""Fields that name a stanza."""
_FIELD = re.compile(rb"([A-Za-z][A-Za-z0-9_-]*):[ \t]*")
_OTHER = re.compile(rb"^(?![A-Za-z][A-Za-z0-9_-]*:|[ \t#\r\n])[^\n]", re.MULTILINE)
"""A line that is neither a field nor goes on with one, nor is a comment."""
_PACKAGE = re.compile(rb"Package:[ \t]*([^\n]*)")
_ARCHITECTURE = re.compile(rb"^Architecture:[ \t]*([^\n]*)", re.MULTILINE)
_BLANKS = re.compile(rb"^(?:[ \t\r]*\n)+(?:[ \t\r]+\Z)?|^[ \t\r]+\Z", re.MULTILINE)
_END = b" \t\r\n"


class Stanzas:
    """A part for each stanza, a fact for each field."""

    name = "stanza"

    def recognises(self, head: bytes) -> bool:
        """A field that such files start with, and fields on the next lines."""
        start = _FIELD.match(head)
        if not start or start[1] not in FIRST:
            return False
        if start[1] in (b"C", b"P"):
            return head.startswith((b"C:Q1", b"C:Q2", b"P:")) and b"\nV:" in head
        lines = head.split(b"\n", 24)[:-1]
        return all(
            not line.strip(_END) or line[:1] in b" \t#" or _FIELD.match(line) for line in lines
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - texts are bounded
        """The stanzas in order, named by their package; what is between them is a separator."""
        raw = blob.read()
        first = _FIELD.match(raw)
        if first and first[1] in WITH_BODY:
            end = _blank(raw)
            yield from fields(blob.part(0, end))
            if end < len(raw):
                yield Member("body", blob.part(end, len(raw) - end), (end, len(raw) - end))
            return
        other = _OTHER.search(raw)
        if other:
            raise FormatError("stanza: a line is no field", other.start())
        names = Names()
        for at, end in _stanzas(raw):
            if at[0] < end:
                text = raw[at[0] : sum(at)]
                name = names.unique(_name(text))
                yield section(blob, at, name, (self.name, "stanza.text"), fields)
            yield from piece("stanza.blank", raw, sum(at), end, derived=True)


def _blank(raw: bytes) -> int:
    """Where the first empty line starts."""
    found = re.search(rb"^[ \t]*\r?\n", raw, re.MULTILINE)
    return found.start() if found else len(raw)


def _stanzas(raw: bytes) -> Iterator[tuple[Span, int]]:
    """Each stanza's span, and where the empty lines behind it end."""
    start = 0
    for blank in _BLANKS.finditer(raw):
        yield (start, blank.start() - start), blank.end()
        start = blank.end()
    if start < len(raw):
        yield (start, len(raw) - start), len(raw)


def _name(text: bytes) -> str:
    """What a stanza is about: its package with the architecture, its file, its first field."""
    package = _PACKAGE.match(text)
    if package:
        architecture = _ARCHITECTURE.search(text)
        name = package[1].strip(_END)
        if architecture:
            name += b":" + architecture[1].strip(_END)
        return text_of(name)[:200]
    found: dict[bytes, bytes] = {}
    last = b""
    for at, size in lines_of(text):
        line = text[at : at + size]
        field = _FIELD.match(line)
        if line[:1] in (b" ", b"\t"):
            if last == b"Name":  # a jar's manifest cuts lines at 72 bytes
                found[last] += line[1:].rstrip(_END)
            elif last == b"Files":
                found[last] = b" ".join((found[last], line.strip(_END))).strip()
        elif field:
            last = field[1]
            found.setdefault(last, line[field.end() :].strip(_END))
            if last == b"Architecture" and b"Package" in found:
                break
        if len(found) > 40:
            break
    for identity in IDENTITIES:
        if identity in found:
            name = found[identity]
            if identity == b"Package" and b"Architecture" in found:
                name += b":" + found[b"Architecture"]
            return text_of(name)[:200]
    return text_of(next(iter(found), b"stanza"))


def fields(blob: Blob) -> Iterator[Fact | Member]:
    """The fields of one stanza with their continuation lines."""
    raw = blob.read()
    names = Names()
    starts: list[tuple[int, re.Match[bytes] | None]] = []
    end = 0
    for at, size in lines_of(raw):
        end = at + size
        line = raw[at:end]
        if line[:1] in (b" ", b"\t") and starts:
            continue  # it continues the field above
        found = None if line[:1] == b"#" else _FIELD.match(line)
        starts.append((at, found))
    ends = [at for at, _ in starts[1:]] + [end]
    directory = file = b""
    for (at, found), behind in zip(starts, ends, strict=False):  # no line, no field
        if not found:
            yield from piece("stanza.line", raw, at, behind, names.unique("line"))
            continue
        value_at = at + found.end()
        value_end = value_at + len(raw[value_at:behind].rstrip(b"\r\n"))
        name = found[1]
        of = b""
        if name in _OF_FILES:
            # apk's list of files: a directory F:, its files R:, what follows is of these
            if name == b"F":
                directory, file = raw[value_at:value_end], b""
            elif name == b"R":
                file = raw[value_at:value_end]
            of = b"/".join(filter(None, (directory, file)))
        elif name in MANY:
            of = raw[value_at:value_end]
        label = text_of(name + b" " + of if of else name)[:LONGEST_NAME]
        value = (value_at, value_end - value_at)
        yield from entry("stanza", blob, raw, (at, behind - at), names.unique(label), value)
