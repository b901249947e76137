"""What the pages of an SQLite database hold besides its rows: space that nothing uses, row ids.

Source: "Database File Format" (sqlite.org/fileformat2.html), 1.5 freelist, 1.6 b-tree pages, 1.7
overflow pages, 1.8 pointer maps.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sxdiff.formats.parts import Reader
from sxdiff.model import FormatError, Span

INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF = 2, 5, 10, 13
HEADER = 100
DEEPEST = 64


class Rest(NamedTuple):
    """Digests of the bytes that nothing uses ("" where all are zero), and of all row ids."""

    unused: str
    row_ids: str


def rest(data: bytes, roots: Iterable[int]) -> Rest:
    """What the pages of a database say besides its rows. `roots` are the first pages of its
    tables and indexes. Raises `FormatError` where a page lies outside, or is used twice."""
    walk = _Walk(data)
    for root in (1, *roots):
        walk.tree(root)
    walk.free_pages()
    unused = hashlib.sha256()
    empty = True
    for gap in walk.gaps():
        raw = data[gap[0] : sum(gap)]
        if raw.strip(b"\0"):
            empty = False
            unused.update(len(raw).to_bytes(4, "big") + raw)
    return Rest("" if empty else unused.hexdigest(), walk.row_ids.hexdigest())


class _Walk:
    """Which spans of which pages are used."""

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data, ">")
        self._data = data
        size = self._reader.number(16, 2)
        self._page = 65536 if size == 1 else size
        self._usable = self._page - data[20]
        if self._page < 512 or self._usable < 480:
            raise FormatError("pages of a size that cannot be", 16)
        self._pages = len(data) // self._page
        self._used: dict[int, list[Span]] = {1: [(0, HEADER)]}
        self._met: set[int] = set()
        self.row_ids = hashlib.sha256()
        if self._reader.number(52):  # auto-vacuum: pages that say who refers to each page
            for page in range(2, self._pages + 1, self._usable // 5 + 1):
                self._use(page, 0, self._usable)

    def _use(self, page: int, at: int, size: int) -> None:
        self._used.setdefault(page, []).append((at, size))

    def _start(self, page: int) -> int:
        """Where a page lies; each is met once."""
        if not 1 <= page <= self._pages or page in self._met:
            raise FormatError(f"page {page} is outside, or used twice")
        self._met.add(page)
        return (page - 1) * self._page

    def tree(self, root: int) -> None:
        """A b-tree, in the order of its keys."""
        waiting = [(root, 0)]
        while waiting:
            page, depth = waiting.pop()
            if depth > DEEPEST:
                raise FormatError("a tree without end")
            children = list(self._node(page))
            waiting += [(child, depth + 1) for child in reversed(children)]

    def _node(self, page: int) -> Iterator[int]:
        start = self._start(page)
        reader = self._reader
        head = HEADER if page == 1 else 0
        kind = reader.number(start + head, 1)
        if kind not in (INDEX_INTERIOR, TABLE_INTERIOR, INDEX_LEAF, TABLE_LEAF):
            raise FormatError(f"page {page} is no part of a tree", start + head)
        interior = kind in (INDEX_INTERIOR, TABLE_INTERIOR)
        cells = reader.number(start + head + 3, 2)
        array = head + (12 if interior else 8)
        self._use(page, head, array - head + 2 * cells)
        free = reader.number(start + head + 1, 2)
        while free:
            self._use(page, free, 4)
            after = reader.number(start + free, 2)
            if after and after <= free:
                raise FormatError("free blocks out of order", start + free)
            free = after
        for number in range(cells):
            at = reader.number(start + array + 2 * number, 2)
            place = start + at
            if interior:
                yield reader.number(place)
                place += 4
            if kind == TABLE_INTERIOR:
                _, place = self._varint(place)
            else:
                payload, place = self._varint(place)
                if kind == TABLE_LEAF:
                    before = place
                    _, place = self._varint(place)
                    self.row_ids.update(self._data[before:place])
                place = self._payload(kind, payload, place)
            self._use(page, at, place - start - at)
        if interior:
            yield reader.number(start + head + 8)

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for place in range(at, at + 8):
            byte = self._reader.number(place, 1)
            value = value << 7 | byte & 127
            if byte < 128:
                return value, place + 1
        return value << 8 | self._reader.number(at + 8, 1), at + 9

    def _payload(self, kind: int, size: int, at: int) -> int:
        """Where the part of a payload ends that lies in its cell; the rest lies in a chain."""
        usable = self._usable
        least = (usable - 12) * 32 // 255 - 23
        most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return at + size
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
        page, left = self._reader.number(at + local), size - local
        while left > 0:
            start = self._start(page)
            here = min(left, usable - 4)
            self._use(page, 0, 4 + here)
            left -= here
            page = self._reader.number(start)
        return at + local + 4

    def free_pages(self) -> None:
        """The list of pages that nothing uses: of those in it only the list is used."""
        page = self._reader.number(32)
        while page:
            start = self._start(page)
            self._use(page, 0, min(self._usable, 8 + 4 * self._reader.number(start + 4)))
            page = self._reader.number(start)

    def gaps(self) -> Iterator[Span]:
        """All that nothing uses, in the order of the file."""
        for page in range(1, self._pages + 1):
            start = (page - 1) * self._page
            at = 0
            for begin, size in sorted(self._used.get(page, ())):
                if begin > at:
                    yield start + at, begin - at
                at = max(at, begin + size)
            if at < self._page:
                yield start + at, self._page - at
        at = self._pages * self._page
        if at < len(self._data):
            yield at, len(self._data) - at
