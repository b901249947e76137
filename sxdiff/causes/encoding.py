"""One text in two ways to write it down."""

from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss, Token
from sxdiff.causes.tokens import any_two, whole


def _lines(text: str) -> Iterator[Token]:
    """The whole text, whose form is what it says with the line ends of Unix."""
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    ends = "CR LF" if "\r\n" in text else "CR" if "\r" in text else "LF"
    yield Token(0, len(text), ends, unix)


CAUSES: Final = (
    Cause(
        id="line-endings",
        title="Line ends of another system",
        family="encoding",
        kinds=("text.line_endings",),
        tokens=_lines,
        judge=any_two,
        why="A checkout, an editor or a generator wrote the line ends of its own system.",
        fixes=(
            Fix(
                "say which in .gitattributes (* text eol=lf), write with newline='\\n', or"
                " dos2unix where the file is made"
            ),
        ),
        references=("https://reproducible-builds.org/docs/stable-inputs/",),
        example=NearMiss("text.line_endings", "a\r\nb\r\n", "a\nb\n"),
        near_miss=NearMiss("text.line_endings", "a\r\nb\r\n", "a\nc\n"),
        composes=False,
    ),
    Cause(
        id="different-encoding",
        title="One text in two encodings",
        family="encoding",
        # the comparison has found that the texts are the same, once read
        kinds=("text.encoding",),
        tokens=whole("encoding"),
        judge=any_two,
        why="A generator wrote in the encoding of its locale, or with a byte order mark.",
        fixes=(
            Fix(
                "LC_ALL=C.UTF-8 for the build, or name the encoding where the file is written"
                " (in Python utf-8, not utf-8-sig)"
            ),
        ),
        references=("https://reproducible-builds.org/docs/locales/",),
        example=NearMiss("text.encoding", "utf-8", "iso-8859-1"),
        near_miss=NearMiss("text", "utf-8\n", "iso-8859-1\n"),
        composes=False,
    ),
)
