"""The cache of shared MIME information, mime.cache: names, parents, globs, magic, icons.

Source: Shared MIME-info Database specification 0.21, section "The mime.cache files"; all numbers
are big-endian.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, whole
from sxdiff.model import Blob, Fact, LimitError, Limits, Member

MOST = 32 << 20
MOST_ROWS = 500_000
DEEPEST = 256
TABLES = (
    "aliases",
    "parents",
    "literals",
    "suffixes",
    "globs",
    "magic",
    "namespaces",
    "icons",
    "generic_icons",
)
FIRST = 4 + 4 * len(TABLES)


class MimeCache:
    """A listing of each table; the tables themselves derived."""

    name = "mime_cache"

    def recognises(self, head: bytes) -> bool:
        """Version 1.0 to 1.2, and offsets of tables that ascend from behind the header."""
        if len(head) < FIRST or head[:3] != b"\0\1\0" or head[3] > 2:
            return False
        reader = Reader(head, ">")
        places = [reader.number(at) for at in range(4, FIRST, 4)]
        return places[0] >= FIRST and places == sorted(places) and not any(n % 4 for n in places)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Version, tables, and one digest over all."""
        reader = Reader(whole(blob, MOST), ">")
        yield Fact("mime_cache.version", f"1.{reader.number(2, 2)}", (0, 4))
        for number, name in enumerate(TABLES):
            at = reader.number(4 + 4 * number)
            yield lines_part(f"mime_cache.{name}", name, partial(_rows, reader, name, at))
        yield packed("mime_cache.tables", blob, (4, blob.size - 4), "tables")


def _rows(reader: Reader, name: str, at: int) -> list[str]:
    """The rows of one table, sorted: they lie so that they can be searched."""
    rows = []
    for row in _table(reader, name, at):
        rows.append(row)
        if len(rows) > MOST_ROWS:
            raise LimitError(f"more than {MOST_ROWS} rows", at)
    return sorted(rows)


def _table(reader: Reader, name: str, at: int) -> Iterator[str]:
    count, at = reader.number(at), at + 4

    def text(place: int) -> str:
        return line_text(reader.string(reader.number(place)))

    if name == "suffixes":
        yield from _suffixes(reader, count, reader.number(at), "", 0)
    elif name == "magic":
        first = reader.number(at + 4)  # behind the furthest byte that any of them looks at
        for place in range(first, first + 16 * count, 16):
            head = f"{text(place + 4)} priority {reader.number(place)}"
            yield from _magic(reader, reader.number(place + 8), reader.number(place + 12), head, 0)
    elif name == "parents":
        for place in range(at, at + 8 * count, 8):
            parents = reader.number(place + 4)
            for number in range(reader.number(parents)):
                yield f"{text(place)} is a {text(parents + 4 + 4 * number)}"
    elif name in ("literals", "globs"):
        for place in range(at, at + 12 * count, 12):
            yield f"{text(place)} => {text(place + 4)} weight {reader.number(place + 8):#x}"
    elif name == "namespaces":
        for place in range(at, at + 12 * count, 12):
            yield f"{text(place)} {text(place + 4)} => {text(place + 8)}"
    else:
        for place in range(at, at + 8 * count, 8):
            yield f"{text(place)} => {text(place + 4)}"


def _suffixes(reader: Reader, count: int, first: int, behind: str, depth: int) -> Iterator[str]:
    """The tree of suffixes is walked from their last character to the first."""
    if depth > DEEPEST:
        raise LimitError(f"suffix of {depth} characters", first)
    for at in range(first, first + 12 * count, 12):
        character = reader.number(at)
        if character:
            told = chr(character) if character < 0xD800 else f"<{character:#x}>"
            below = reader.number(at + 4), reader.number(at + 8)
            yield from _suffixes(reader, *below, told + behind, depth + 1)
        else:
            name = line_text(reader.string(reader.number(at + 4)))
            yield f"*{behind} => {name} weight {reader.number(at + 8):#x}"


def _magic(reader: Reader, count: int, first: int, head: str, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise LimitError(f"matches nested {depth} deep", first)
    for at in range(first, first + 32 * count, 32):
        start, length, word, size, value, mask, below, child = (
            reader.number(at + 4 * place) for place in range(8)
        )
        told = f"{head} at {start}+{length}: {line_text(reader.span(value, size))}"
        if word != 1:
            told += f" words of {word}"
        if mask:
            told += f" mask {reader.span(mask, size).hex()}"
        yield told
        yield from _magic(reader, below, child, told, depth + 1)
