"""Colour profiles (ICC): header with its date, tags by signature.

Source: ICC.1:2022, 7.2 "Profile header", 7.3 "Tag table".
"""

from collections.abc import Iterator

from sxdiff.formats.parts import Names, bytes_part, packed, part
from sxdiff.formats.record import Field, Raw, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Limits, Member, Scalar, text_of


def date(value: Raw) -> Scalar:
    """dateTimeNumber (4.2): six numbers of 16 bits, UTC."""
    assert isinstance(value, bytes)  # noqa: S101 - the table says so
    year, month, day, hour, minute, second = (
        int.from_bytes(value[at : at + 2], "big") for at in range(0, 12, 2)
    )
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


HEADER = Record(
    "icc",
    ">",
    (
        Field("size", "I", derived=True),
        Field("preferred_cmm", "4s"),
        Field("version", "4s", hexadecimal),
        Field("class", "4s"),
        Field("colour_space", "4s"),
        Field("connection_space", "4s"),
        Field("date", "12s", date),
        Field("signature", "4s"),
        Field("platform", "4s"),
        Field("flags", "I", hexadecimal),
        Field("manufacturer", "4s"),
        Field("model", "4s"),
        Field("attributes", "Q", hexadecimal),
        Field("rendering_intent", "I"),
        Field("illuminant", "12s", hexadecimal),
        Field("creator", "4s"),
        Field("id", "16s", hexadecimal, derived=True),
        Field("reserved", "28s", hexadecimal),
    ),
)
MOST_TAGS = 1024


class Icc:
    """Header, a part for each tag's element; the table of tags derived."""

    name = "icc"

    def recognises(self, head: bytes) -> bool:
        """The signature at offset 36."""
        return len(head) >= 132 and head[36:40] == b"acsp"

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - spans only
        """An element that several tags share is told under the first."""
        yield part("icc", "header", blob, (0, HEADER.size), lambda within: HEADER.facts(within, 0))
        count = int.from_bytes(blob.part(128, 4).read(), "big")
        if count > MOST_TAGS:
            raise FormatError(f"{count} tags", 128)
        names, met = Names(), set()
        table = blob.part(132, 12 * count).read()
        for at in range(0, len(table), 12):
            tag, place, size = table[at : at + 4], table[at + 4 : at + 8], table[at + 8 : at + 12]
            span = (int.from_bytes(place, "big"), int.from_bytes(size, "big"))
            if span not in met and span[1]:
                met.add(span)
                yield bytes_part("icc.tag", names(text_of(tag)), blob, span)
        yield packed("icc.table", blob, (128, 4 + 12 * count), "table")
