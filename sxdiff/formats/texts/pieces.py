"""A text in pieces: every byte lies in a fact whose value is its text, or in a part with pieces.

What only separates (commas, indentation, blank lines) is `derived`, so that it is told as a
consequence where a content differs.
"""

from collections.abc import Callable, Iterable, Iterator

from sxdiff.model import Blob, Fact, FormatError, Inside, Member, Span, text_of


class Names:
    """Names that are unique in one description: one met again gets ` #2`."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """`name`, or `name` with the number of times that it was met."""
        self._met[name] = self._met.get(name, 0) + 1
        return name if self._met[name] == 1 else f"{name} #{self._met[name]}"


def piece(
    kind: str, raw: bytes, start: int, end: int, name: str = "", derived: bool = False
) -> Iterator[Fact]:
    """The bytes of `raw` from `start` to `end` as one fact; none where there are none."""
    if start < end:
        yield Fact(kind, text_of(raw[start:end]), (start, end - start), name, derived)


def section(
    blob: Blob,
    at: Span,
    name: str,
    known: tuple[str, str],
    parts: Callable[[Blob], Iterable[Fact | Member]],
) -> Member:
    """A span of a text that has pieces of its own. `known` is the format's name, which starts the
    kinds told in it, and the kind of the section as a whole."""
    return Member(name, blob.part(*at), at, known[1], inside=Inside(known[0], parts))


def lines_of(raw: bytes, start: int = 0) -> Iterator[Span]:
    """Where each line of `raw` lies, with its line end."""
    while start < len(raw):
        end = raw.find(b"\n", start) + 1 or len(raw)
        yield start, end - start
        start = end


def entry(
    format_name: str, blob: Blob, raw: bytes, at: Span, name: str, value: Span
) -> Iterator[Fact | Member]:
    """One entry `name = value` of the text `raw` in `blob`, with the spans of both.

    A value of several lines is a text of its own; what is around it follows the name.
    """
    start, end = at[0], sum(at)
    value_at, value_end = value[0], sum(value)
    if not start <= value_at <= value_end <= end:
        raise FormatError(f"{format_name}: a value outside its entry", start)
    yield from piece(f"{format_name}.key", raw, start, value_at, name, derived=True)
    kind = f"{format_name}.value"
    if raw.find(b"\n", value_at, value_end) >= 0:
        yield Member(name, blob.part(*value), value, kind)
    else:
        yield Fact(kind, text_of(raw[value_at:value_end]), value, name)
    yield from piece(f"{format_name}.end", raw, value_end, end, name, derived=True)
