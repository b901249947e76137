"""Lists of checksums: md5sums of Debian packages, sha256sums, BSD's tags, RECORD of wheels.

Each checksum is told under the path of its file.
Source: GNU coreutils, "md5sum invocation"; Python Packaging User Guide, "Recording installed
projects" (RECORD); md5(1) of FreeBSD.
"""

import re
from collections.abc import Iterator

from sxdiff.formats.texts.pieces import Names, lines_of, piece
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

_SUM = re.compile(
    rb"(\\?)([0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})"
    rb"( [ *])([^\r\n]+)\r?\n?"
)
_TAG = re.compile(rb"([A-Z0-9-]{3,12} \()([^\r\n]+)(\) = )([0-9a-f]{32,128})\r?\n?")
_RECORD = re.compile(
    rb"((?:\"(?:[^\"\r\n]|\"\")+\"|[^,\"\r\n]+),)"
    rb"((?:(?:sha256|sha384|sha512|md5)=[A-Za-z0-9_=-]+)?)(,)([0-9]*)\r?\n?"
)
PROBED = 16


class Checksums:
    """A fact for each checksum, named by its path."""

    name = "checksums"

    def recognises(self, head: bytes) -> bool:
        """Whether the first lines are all checksums, and there is one."""
        lines = [head[at : at + size] for at, size in lines_of(head[:8192])][:PROBED]
        if len(lines) > 1 and not lines[-1].endswith(b"\n"):
            lines.pop()
        if not lines or not lines[0].strip():
            return False
        return all(_SUM.fullmatch(line) or _TAG.fullmatch(line) for line in lines) or (
            all(_RECORD.fullmatch(line) for line in lines)
            and re.search(rb",(sha|md5)\w+=", lines[0]) is not None
        )

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - texts are bounded
        """The lines in order. Raises `FormatError` for a line that is no checksum."""
        raw = blob.read()
        names = Names()
        for at, size in lines_of(raw):
            line = raw[at : at + size]
            if found := _SUM.fullmatch(line):
                path, spans = found[4], {"digest": found.span(2)}
            elif found := _TAG.fullmatch(line):
                path, spans = found[2], {"digest": found.span(4)}
            elif found := _RECORD.fullmatch(line):
                path, spans = found[1][:-1], {"digest": found.span(2), "size": found.span(4)}
            else:
                raise FormatError("a line is no checksum", at)
            name = names.unique(text_of(path))
            place = 0
            for kind, (start, end) in spans.items():
                yield from piece("checksums.entry", raw, at + place, at + start, name)
                yield Fact(
                    f"checksums.{kind}", text_of(line[start:end]), (at + start, end - start), name
                )
                place = end
            yield from piece("checksums.entry", raw, at + place, at + size, name)
