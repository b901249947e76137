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
    parts: Callable[[bytes], Iterable[Fact | Member]],
) -> Member:
    """A span of a text that has pieces of its own: `parts` gets its bytes. `known` is the format's
    name, which starts the kinds told in it, and the kind of the section as a whole."""
    inside = Inside(known[0], lambda content: parts(content.read()))
    return Member(name, blob.part(*at), at, known[1], inside=inside)


def lines_of(raw: bytes, start: int = 0) -> Iterator[Span]:
    """Where each line of `raw` lies, with its line end."""
    while start < len(raw):
        end = raw.find(b"\n", start) + 1 or len(raw)
        yield start, end - start
        start = end


def entry(
    format_name: str, raw: bytes, at: Span, name: str, value_at: int, value_end: int
) -> Iterator[Fact]:
    """One entry `name = value` with its value's span: what is before and behind the value is
    `{format_name}.layout`, the value is `{format_name}.value`."""
    start, end = at[0], at[0] + at[1]
    if not start <= value_at <= value_end <= end:
        raise FormatError(f"{format_name}: a value outside its entry", start)
    yield from piece(f"{format_name}.key", raw, start, value_at, name, derived=True)
    yield Fact(
        f"{format_name}.value",
        text_of(raw[value_at:value_end]),
        (value_at, value_end - value_at),
        name,
    )
    yield from piece(f"{format_name}.end", raw, value_end, end, name, derived=True)
