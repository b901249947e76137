"""GCC's notes and counts for coverage, .gcno and .gcda: header by field, a row a record.

Source: GCC's gcc/gcov-io.h ("gcov file format"), of GCC 8 to 14. From GCC 12 on lengths count
bytes, before that words of four bytes; GCC 12 also added the checksum of all functions.
"""

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from sxdiff.formats.parts import Reader, in_one_line, whole
from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Listing, Member, Row

MOST = 64 << 20
MOST_RECORDS = 250_000
LONGEST = 256
"""Bytes of a record that are told; of a longer one it is size and digest."""
MAGICS = {b"oncg": "<", b"adcg": "<", b"gcno": ">", b"gcda": ">"}
BYTES_SINCE, DIRECTORY_SINCE = 12, 8
FUNCTION, BLOCKS, ARCS, LINES, COUNTERS = 0x1000000, 0x1410000, 0x1430000, 0x1450000, 0x1A10000
SUMMARY, PROGRAM_SUMMARY = 0xA1000000, 0xA3000000
TAGS = {
    FUNCTION: "function",
    BLOCKS: "blocks",
    ARCS: "arcs",
    LINES: "lines",
    SUMMARY: "summary",
    PROGRAM_SUMMARY: "program summary",
    0: "end",
}


class Gcov:
    """Header facts, then the records in their order."""

    name = "gcov"

    def recognises(self, head: bytes) -> bool:
        """A magic number in either byte order, and a version of GCC in the same."""
        order = MAGICS.get(head[:4])
        return order is not None and len(head) >= 12 and _version(head[4:8], order) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Raises `FormatError` where a record lies outside of the file."""
        data = whole(blob, MOST)
        order = MAGICS.get(data[:4])
        version = _version(data[4:8], order) if order else None
        if order is None or version is None:
            raise FormatError("no magic number of gcov", 0)
        file = _File(Reader(data, order), version)
        notes = data[:4] in (b"oncg", b"gcno")
        yield Fact("gcov.magic", f"{'notes' if notes else 'counts'}, {order}", (0, 4))
        yield Fact("gcov.version", f"GCC {version}, {data[4:8].hex()}", (4, 4))
        yield Fact("gcov.stamp", data[8:12].hex(), (8, 4))
        at = 12
        if version >= BYTES_SINCE:
            yield Fact("gcov.checksum", f"{file.reader.number(at):#x}", (at, 4))
            at += 4
        if notes and version >= DIRECTORY_SINCE:
            text, end = file.string(at)
            yield Fact("gcov.directory", text, (at, end - at))
            yield Fact("gcov.unexecuted_blocks", file.reader.number(end), (end, 4))
            at = end + 4
        listing = Listing("gcov.records", partial(_rows, file, at), separate=True)
        span = (at, file.end(at) - at)
        if span[1]:
            yield Member("records", blob.part(*span), span, "gcov.records", inside=listing)


class _File:
    """A file of one version and byte order."""

    def __init__(self, reader: Reader, version: int) -> None:
        self.reader = reader
        self.width = 1 if version >= BYTES_SINCE else 4

    def string(self, at: int) -> tuple[str, int]:
        """The string at `at`, and where it ends: with its zeros, as its length counts them."""
        size = self.reader.number(at) * self.width
        raw = self.reader.span(at + 4, size)
        text = in_one_line(raw.rstrip(b"\0"))
        zeros = size - len(raw.rstrip(b"\0"))
        usual = 1 <= zeros <= self.width or not size
        return (text if usual else f"{text} and {zeros} zeros"), at + 4 + size

    def records(self, at: int) -> Iterator[tuple[int, int, int, int]]:
        """Each record as (start, tag, start and end of what it holds)."""
        count = 0
        while at + 8 <= len(self.reader):
            tag, size = self.reader.number(at), self.reader.number(at + 4, signed=True)
            # counters that are all zero are only counted, by a negative number
            size = max(size, 0) * self.width if tag >= COUNTERS else size * self.width
            self.reader.span(at + 8, size)
            yield at, tag, at + 8, at + 8 + size
            at += 8 + size
            count += 1
            if count > MOST_RECORDS:
                raise LimitError(f"more than {MOST_RECORDS} records", at)

    def end(self, at: int) -> int:
        """Where the last record ends of those that start at `at`."""
        return max((end for _, _, _, end in self.records(at)), default=at)

    def told(self, tag: int, start: int, end: int) -> str:
        """What a record says."""
        try:
            if tag == FUNCTION and end - start > 12:
                return self._function(start, end)
            if tag == LINES:
                return self._lines(start, end)
        except FormatError:  # of another version
            pass
        raw = self.reader.span(start, end - start)
        return raw.hex() if len(raw) <= LONGEST else f"sha256:{sha256(raw).hexdigest()}"

    def _numbers(self, start: int, end: int) -> str:
        if (end - start) % 4 or end - start > LONGEST:
            raise FormatError("no numbers", start)
        return ", ".join(str(self.reader.number(at)) for at in range(start, end, 4))

    def _function(self, start: int, end: int) -> str:
        sums = " ".join(f"{self.reader.number(at):#x}" for at in range(start, start + 12, 4))
        name, at = self.string(start + 12)
        source, behind = self.string(at + 4)
        return (
            f"{name} in {source}, identity and checksums {sums},"
            f" artificial {self.reader.number(at)}, lines {self._numbers(behind, end)}"
        )

    def _lines(self, start: int, end: int) -> str:
        out = [f"of block {self.reader.number(start)}:"]
        at = start + 4
        while at < end and len(out) <= LONGEST:
            line = self.reader.number(at)
            at += 4
            if line:
                out.append(str(line))
            else:
                text, at = self.string(at)
                out.append(text or "end")
        if at != end:
            raise FormatError("no lines", at)
        return " ".join(out)


def _version(raw: bytes, order: str) -> int | None:
    """The major version of GCC: `B22*` is 12.2, `408*` 4.8."""
    text = (raw if order == ">" else raw[::-1]).decode("latin-1")
    if len(text) < 4 or not text.isascii() or not text[1:3].isdigit():
        return None
    if text[0].isdigit():
        return int(text[0])
    return (ord(text[0]) - ord("A")) * 10 + int(text[1]) if text[0].isupper() else None


def _rows(file: _File, first: int, _: Blob) -> Iterator[Row]:
    label = ""
    for at, tag, start, end in file.records(first):
        name = TAGS.get(tag) or f"{'counters' if tag >= COUNTERS else 'record'} {tag:#x}"
        size = file.reader.number(at + 4, signed=True)
        said = file.told(tag, start, end)
        if tag == FUNCTION:
            label = said.partition(" in ")[0] if " in " in said else said[:8]
        text = f"{name} {said}" if end > start else f"{name}, size {size}"
        yield Row((at - first, end - at), text, label=label)
