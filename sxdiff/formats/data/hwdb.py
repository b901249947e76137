"""The hardware database of systemd and udev, hwdb.bin: properties by match.

Source: systemd 252, src/libsystemd/sd-hwdb/hwdb-internal.h: struct trie_header_f, trie_node_f,
trie_child_entry_f, trie_value_entry2_f. All numbers are little-endian.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, record_part, whole
from sxdiff.formats.record import Field, Record
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

MAGIC = b"KSLPHHRH"
MOST = 128 << 20
MOST_ROWS = 900_000
NODE, CHILD, VALUE = 24, 16, 16
HEADER = Record(
    "hwdb",
    "<",
    (
        Field("signature", "8s"),
        Field("tool_version", "Q"),
        Field("file_size", "Q", derived=True),
        Field("header_size", "Q"),
        Field("node_size", "Q"),
        Field("child_entry_size", "Q"),
        Field("value_entry_size", "Q"),
        Field("root", "Q", derived=True),
        Field("nodes_size", "Q", derived=True),
        Field("strings_size", "Q", derived=True),
    ),
)


class Hwdb:
    """Header (which systemd wrote it), a listing of all properties, the trie derived."""

    name = "hwdb"

    def recognises(self, head: bytes) -> bool:
        """The signature."""
        return head.startswith(MAGIC) and len(head) >= HEADER.size

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Header, properties, one digest over nodes and strings."""
        reader = Reader(whole(blob, MOST))
        yield record_part("hwdb", "header", blob, 0, HEADER)
        yield lines_part("hwdb.property", "properties", partial(_properties, reader))
        span = (HEADER.size, blob.size - HEADER.size)
        yield packed("hwdb.trie", blob, span, "properties")


def _properties(reader: Reader) -> list[str]:
    """Each property with the match it belongs to and the line that says it."""
    node, child, value = (reader.number(at, 8) for at in (32, 40, 48))
    if node < NODE or child < CHILD or value < VALUE:
        raise FormatError("entries smaller than their fields", 32)
    rows: list[str] = []
    waiting = [(reader.number(56, 8), b"")]
    while waiting:
        at, above = waiting.pop()
        match = above + reader.string(reader.number(at, 8))
        children, values = reader.number(at + 8, 1), reader.number(at + 16, 8)
        at += node
        for place in range(at, at + child * children, child):
            letter = reader.span(place, 1)
            waiting.append((reader.number(place + 8, 8), match + letter))
        at += child * children
        for place in range(at, at + value * values, value):
            key, text = (reader.string(reader.number(place + more, 8)) for more in (0, 8))
            told = f"{line_text(match)}:{line_text(key)}={line_text(text)}"
            if value >= 32:
                file = line_text(reader.string(reader.number(place + 16, 8)))
                line, priority = reader.number(place + 24), reader.number(place + 28, 2)
                told += f" ({file}:{line}, priority {priority})"
            rows.append(told)
            if len(rows) > MOST_ROWS:
                raise LimitError(f"more than {MOST_ROWS} properties", place)
    return sorted(rows)
