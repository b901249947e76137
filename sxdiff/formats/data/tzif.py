"""Compiled time zones (TZif): transitions, leap seconds and the rule for what comes after.

Source: RFC 8536, 3 "The TZif Format".
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, whole
from sxdiff.formats.record import Field, Record, hexadecimal, plain, utc
from sxdiff.model import Blob, Fact, Limits, Member, text_of

MOST = 16 << 20
COUNTS = ("isutcnt", "isstdcnt", "leapcnt", "timecnt", "typecnt", "charcnt")
HEADER = Record(
    "tzif",
    ">",
    (
        Field("magic", "4s"),
        Field("version", "1s", plain),
        Field("reserved", "15s", hexadecimal),
        *(Field(name, "I", derived=True) for name in COUNTS),
    ),
)


class Tzif:
    """Both headers, the transitions of the wider data block, the footer; blocks as digests."""

    name = "tzif"

    def recognises(self, head: bytes) -> bool:
        """Magic number and a version that exists."""
        return len(head) >= 44 and head.startswith(b"TZif") and head[4] in b"\x001234"

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """The 32-bit block repeats a part of the 64-bit block: only the latter is told."""
        reader = Reader(whole(blob, MOST), ">")
        yield from HEADER.facts(blob, 0, "header")
        at, size, width = HEADER.size, _size(reader, 0, 4), 4
        end = at + size
        if reader.span(4, 1) != b"\0":
            yield packed("tzif.block", blob, (at, size), "32-bit block")
            yield from HEADER.facts(blob, end, "64-bit header")
            start, width = end, 8
            size = _size(reader, start, 8)
            end = start + HEADER.size + size
            yield lines_part("tzif.zone", "zone", partial(_lines, reader, start, width))
            yield packed("tzif.block", blob, (start + HEADER.size, size), "zone")
            footer = blob.read(end)
            if footer:
                yield Fact("tzif.footer", text_of(footer), (end, len(footer)), "footer")
        else:
            yield lines_part("tzif.zone", "zone", partial(_lines, reader, 0, width))
            yield packed("tzif.block", blob, (at, size), "zone")


def _counts(reader: Reader, start: int) -> dict[str, int]:
    return {name: reader.number(start + 20 + 4 * place) for place, name in enumerate(COUNTS)}


def _size(reader: Reader, start: int, width: int) -> int:
    """Bytes of the data block behind the header at `start` (3.2)."""
    count = _counts(reader, start)
    size = count["timecnt"] * (width + 1) + count["typecnt"] * 6 + count["charcnt"]
    size += count["leapcnt"] * (width + 4) + count["isstdcnt"] + count["isutcnt"]
    reader.span(start + HEADER.size, size)
    return size


def _lines(reader: Reader, start: int, width: int) -> Iterator[str]:
    count = _counts(reader, start)
    times = start + HEADER.size
    kinds = times + width * count["timecnt"]
    types = kinds + count["timecnt"]
    texts = types + 6 * count["typecnt"]
    leaps = texts + count["charcnt"]
    standard = leaps + (width + 4) * count["leapcnt"]
    universal = standard + count["isstdcnt"]
    names = reader.span(texts, count["charcnt"])
    told = []
    for number in range(count["typecnt"]):
        at = types + 6 * number
        place = reader.number(at + 5, 1)
        text = line_text(names[place:].partition(b"\0")[0])
        offset = reader.number(at, 4, signed=True)
        words = f"{text} {offset:+} {'daylight' if reader.number(at + 4, 1) else 'standard'}"
        for what, table, have in (
            ("of standard time", standard, count["isstdcnt"]),
            ("of UTC", universal, count["isutcnt"]),
        ):
            if number < have and reader.number(table + number, 1):
                words += f", rules {what}"
        told.append(words)
        yield f"type {words}"
    for number in range(count["timecnt"]):
        when = reader.number(times + width * number, width, signed=True)
        kind = reader.number(kinds + number, 1)
        yield f"{utc(when)} {told[kind] if kind < len(told) else kind}"
    for number in range(count["leapcnt"]):
        at = leaps + (width + 4) * number
        when = reader.number(at, width, signed=True)
        yield f"leap {utc(when)} {reader.number(at + width, 4, signed=True):+}"
