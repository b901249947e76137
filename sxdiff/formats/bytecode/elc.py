"""Compiled Emacs Lisp (.elc): version, what the comments say of the compiler, forms line by line.

Source: Emacs 28's lisp/emacs-lisp/bytecomp.el (`byte-compile-insert-header`): `;ELC`, a version
in four bytes, then comments, of which old releases name user, host, date and file.
"""

import re
from collections.abc import Iterator

from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row, text_of

MAGIC = b";ELC"
MOST_BYTES = 64 << 20
LONGEST_HEADER = 64 << 10
COMMENTS = (
    (re.compile(rb";;; Compiled"), "compiled"),
    (re.compile(rb";;; from file "), "source"),
    (re.compile(rb";;; in Emacs version "), "emacs"),
    (re.compile(rb";;; with(out)? .*optimization"), "optimization"),
)


class Elc:
    """Facts for version and comments, rows for the forms."""

    name = "elc"

    def recognises(self, head: bytes) -> bool:
        """Magic number and version, whose last three bytes are line feeds or zeros."""
        return len(head) >= 8 and head.startswith(MAGIC) and head[5:8] in (b"\0\0\0", b"\n\n\n")

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Header, then all that is behind its comments."""
        if blob.part(0, 4).read() != MAGIC:
            raise FormatError("no magic number", 0)
        yield Fact("elc.version", blob.part(4, 4).read().hex(), (4, 4))
        yield Fact("elc.magic", text_of(MAGIC), (0, 4))
        at, number = 8, 0
        for line in blob.read(8, LONGEST_HEADER).splitlines(keepends=True):
            if line.strip(b"\n") and not line.startswith(b";"):
                break
            kind = next((kind for known, kind in COMMENTS if known.match(line)), "")
            text = text_of(line.removesuffix(b"\n"))
            if kind or line == b"\n":
                yield Fact(f"elc.{kind or 'empty_line'}", text, (at, len(line)))
            else:
                number += 1
                yield Fact("elc.comment", text, (at, len(line)), f"comment {number}")
            at += len(line)
        yield Member(
            "forms",
            blob.part(at, blob.size - at),
            (at, blob.size - at),
            "elc.forms",
            inside=Listing("elc.forms", _lines),
        )


def _lines(blob: Blob) -> Iterator[Row]:
    if blob.size > MOST_BYTES:
        raise LimitError(f"forms of more than {MOST_BYTES} bytes")
    at = 0
    for line in blob.read().split(b"\n"):
        size = min(len(line) + 1, blob.size - at)
        yield Row((at, size), text_of(line))
        at += size
