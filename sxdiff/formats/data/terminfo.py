"""Compiled terminal descriptions (terminfo): capabilities by name.

Source: term(5) of ncurses 6: legacy storage format, extended storage format, and the 32-bit
numbers of magic 01036. All numbers are little-endian.
"""

from collections.abc import Generator, Iterator
from functools import partial

from sxdiff.formats.data.terminfo_names import BOOLEANS, NUMBERS, STRINGS
from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, text_of

MAGICS = {0o432: 2, 0o1036: 4}
"""Bytes of a number by magic."""
MOST = 64 << 10
"""Bytes of an entry; ncurses takes 32,768."""
HEADER = Record(
    "terminfo",
    "<",
    (
        Field("magic", "H", hexadecimal),
        Field("names_size", "H", derived=True),
        Field("booleans", "H", derived=True),
        Field("numbers", "H", derived=True),
        Field("strings", "H", derived=True),
        Field("strings_size", "H", derived=True),
    ),
)


class Terminfo:
    """Header, names of the terminal, a listing of its capabilities; the tables derived."""

    name = "terminfo"

    def recognises(self, head: bytes) -> bool:
        """A magic number, counts in their bounds, and printable names with a NUL behind them."""
        if len(head) < HEADER.size + 2 or len(head) > MOST:
            return False
        magic, size, *counts = (
            int.from_bytes(head[at : at + 2], "little") for at in range(0, HEADER.size, 2)
        )
        if magic not in MAGICS or not 2 <= size <= 512 or counts[0] > 64 or counts[1] > 64:
            return False
        names = head[HEADER.size : HEADER.size + size]
        return names[-1:] == b"\0" and all(32 <= byte < 127 for byte in names[:-1])

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - entries are small
        """Header, names, capabilities, one digest over the tables."""
        if blob.size > MOST:
            raise FormatError(f"entry of {blob.size} bytes")
        reader = Reader(blob.read())
        yield record_part("terminfo", "header", blob, 0, HEADER)
        size = reader.number(2, 2)
        names = text_of(reader.span(HEADER.size, size))
        yield Fact("terminfo.names", names, (HEADER.size, size))
        yield lines_part("terminfo.capability", "capabilities", partial(_all, reader))
        at = HEADER.size + size
        yield packed("terminfo.tables", blob, (at, blob.size - at), "capabilities")


def _all(reader: Reader) -> Iterator[str]:
    width = MAGICS[reader.number(0, 2)]
    size, booleans, numbers, strings, pool = (reader.number(at, 2) for at in range(2, 12, 2))
    at = HEADER.size + size
    end = yield from _values(reader, at, width, (booleans, numbers, strings), pool, None)
    end += end % 2
    if end + 10 <= len(reader):
        booleans, numbers, strings, _items, pool = (
            reader.number(end + place, 2) for place in range(0, 10, 2)
        )
        counts = (booleans, numbers, strings)
        yield from _values(reader, end + 10, width, counts, pool, sum(counts))


def _values(
    reader: Reader,
    at: int,
    width: int,
    counts: tuple[int, int, int],
    pool: int,
    named: int | None,
) -> Generator[str, None, int]:
    """Capabilities of one of both sections; gives where it ends.

    In the extended section `named` capabilities have their names behind the strings' values.
    """
    booleans, numbers, strings = counts
    flags = reader.span(at, booleans)
    at += booleans
    at += at % 2
    values = [reader.number(at + width * number, width, signed=True) for number in range(numbers)]
    at += width * numbers
    places = [reader.number(at + 2 * number, 2, signed=True) for number in range(strings)]
    at += 2 * strings
    titles = [names.split() for names in (BOOLEANS, NUMBERS, STRINGS)]
    texts = at + 2 * (named or 0)
    if named is not None:
        # names lie behind the last value
        behind = max(
            (place + len(reader.string(texts + place)) + 1 for place in places if place >= 0),
            default=0,
        )
        found = [
            line_text(reader.string(texts + behind + reader.number(at + 2 * number, 2)))
            for number in range(named)
        ]
        titles = [
            found[:booleans],
            found[booleans : booleans + numbers],
            found[booleans + numbers :],
        ]
    for number, flag in enumerate(flags):
        if flag:
            yield _title(titles[0], number) + ("" if flag == 1 else " cancelled")
    for number, value in enumerate(values):
        if value != -1:
            yield f"{_title(titles[1], number)} = {value if value >= 0 else 'cancelled'}"
    for number, place in enumerate(places):
        if place != -1:
            told = line_text(reader.string(texts + place)) if place >= 0 else "cancelled"
            yield f"{_title(titles[2], number)} = {told}"
    return texts + pool


def _title(titles: list[str], number: int) -> str:
    return titles[number] if number < len(titles) else f"#{number}"
