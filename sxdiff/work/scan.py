"""Pass 1: read one layer once, verify it, and leave an index of its members in the spool.

Nothing is unpacked to disk: members are hashed as they go by.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from sxdiff.compare.index import PADDING, SCHEMA, SPARSE, open_index, pack_records
from sxdiff.formats import tar
from sxdiff.image.unpack import Unpacked
from sxdiff.model import Fact, FormatError, InputError, Limits, text_of
from sxdiff.work.keeper import Keeper

_INSERT = "INSERT INTO member VALUES (?,?,0,?,?,?,?,?,?,?,?,?,?,?)"
_NUMBER_DUPLICATES = """
UPDATE member SET occurrence = counted.n FROM (
  SELECT ordinal AS o, row_number() OVER (PARTITION BY path ORDER BY ordinal) - 1 AS n FROM member
  WHERE path IN (SELECT path FROM member GROUP BY path HAVING count(*) > 1)
) AS counted WHERE member.ordinal = counted.o
"""
_ANY_DUPLICATE = "SELECT 1 FROM member GROUP BY path HAVING count(*) > 1 LIMIT 1"
_BATCH_BYTES = 64 << 10
_MOST_TOLD = 10
"""So many names of one layer are told for one trouble; the rest is counted."""
_ROWS = 512


@dataclass
class Scan:
    """What one reading of a layer found. Sizes in bytes, digests as `algorithm:hex`."""

    digest: str = ""
    diff_id: str = ""
    unpacked: int = 0
    compression: str = "none"
    facts: list[Fact] = field(default_factory=list)
    members: int = 0
    duplicates: int = 0
    order: str = ""
    """Digest of the sequence of paths: equal digests, equal order."""
    end: tuple[int, int] = (0, 0)
    """Span of what stands behind the last member."""
    end_told: str = ""
    index: str | None = None
    kept: list[tuple[int, int]] = field(default_factory=list)
    """What a `Keeper` kept: where a member's data starts, where that is in the kept file."""
    kept_path: str | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)


class _Stream:
    """The unpacked stream, pulled by the tar reader, hashed as it goes by."""

    def __init__(self, chunks: Iterator[bytes], observe: Callable[[bytes], None]) -> None:
        self._chunks = chunks
        self._observe = observe
        self._chunk = b""
        self._view = memoryview(b"")
        self._at = 0
        self.position = 0

    def _next(self) -> bool:
        try:
            chunk = next(self._chunks, None)
        except FormatError as error:
            raise _PackingError(str(error)) from None
        if chunk is None:
            return False
        self._observe(chunk)
        self._chunk, self._view, self._at = chunk, memoryview(chunk), 0
        return True

    def take(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        end = self._at + size
        data = self._chunk[self._at : end]
        self._at = min(end, len(self._chunk))
        while len(data) < size and self._next():
            more = self._chunk[: size - len(data)]
            self._at = len(more)
            data += more
        self.position += len(data)
        return data

    def pump(self, size: int, into: Callable[[Any], object] | None) -> int:
        """Hand the next `size` bytes to `into` in pieces; how many there were."""
        left = size
        while left:
            if self._at == len(self._chunk) and not self._next():
                break
            piece = self._view[self._at : self._at + left]
            if into:
                into(piece)
            self._at += len(piece)
            left -= len(piece)
        self.position += size - left
        return size - left


def scan(
    unpacked: Unpacked,
    *,
    name: str,
    digest: str | None,
    diff_id: str | None,
    index: str | None,
    limits: Limits,
    progress: Callable[[int], None],
    keeper: Keeper | None = None,
) -> Scan:
    """Read a layer: verify `digest` (packed) and `diff_id` (unpacked), index its members.

    `name` says in errors which layer this is. Without `index` the members are only counted.
    Raises InputError, in one line, where the bytes are not what was promised.
    """
    result = Scan(compression=unpacked.compression, index=index)
    packed_hash = hashlib.new((digest or "sha256:").partition(":")[0])
    plain = unpacked.compression == "none"
    same = (
        plain
        and (digest or diff_id or "sha256:").partition(":")[0]
        == (diff_id or "sha256:").partition(":")[0]
    )
    unpacked_hash = packed_hash if same else hashlib.new((diff_id or "sha256:").partition(":")[0])
    seen = 0

    def packed(data: bytes) -> None:
        nonlocal seen
        packed_hash.update(data)
        seen += len(data)
        progress(len(data))

    def observe(chunk: bytes) -> None:
        if not same:
            unpacked_hash.update(chunk)
        if keeper:
            keeper.exchange(unpacked.size)

    def promised(what: str, expected: str | None, found: str) -> None:
        if expected is not None and expected != found:
            raise InputError(f"{name}: {what} promised {expected}, found {found}")

    def digest_found() -> str:
        return f"{packed_hash.name}:{packed_hash.hexdigest()}"

    stream = _Stream(unpacked.chunks(packed), observe)
    trouble: FormatError | None = None
    try:
        try:
            _Members(stream, result, limits, keeper).read(index)
        except _TarError as error:
            trouble = error
        stream.pump(1 << 62, None)
    except FormatError as error:
        promised("digest", digest, digest_found())
        raise InputError(f"{name}: {error}") from None
    result.digest = digest_found()
    promised("digest", digest, result.digest)
    result.diff_id = f"{unpacked_hash.name}:{unpacked_hash.hexdigest()}"
    promised("diff_id", diff_id, result.diff_id)
    if trouble is not None:
        if index is not None:
            raise InputError(f"{name}: {trouble}")
        result.problems.append(("tar", str(trouble)))
    if keeper:
        result.kept = keeper.spans
    result.unpacked = unpacked.size
    result.facts = unpacked.facts
    return result


def read_members(chunks: Iterator[bytes], result: Scan, index: str, limits: Limits) -> None:
    """Index a tar stream that nobody promised a digest for. Raises FormatError."""
    _Members(_Stream(chunks, lambda _: None), result, limits).read(index)


class _PackingError(FormatError):
    """The stream cannot be unpacked further."""


class _TarError(FormatError):
    """The tar stream is damaged; the packing around it may still be what was promised."""


class _Members:
    """The walk over a tar stream's members."""

    def __init__(
        self, stream: _Stream, result: Scan, limits: Limits, keeper: Keeper | None = None
    ) -> None:
        self._keeper = keeper
        self._stream = stream
        self._result = result
        self._limits = limits
        self._order = blake3()
        self._rows: list[tuple[object, ...]] = []
        self._batch: list[bytes] = []
        self._batch_number = 0
        self._batch_size = 0
        self._globals: dict[str, bytes] = {}
        self._globals_number = 0
        self._stepping_out = 0
        self._cut = 0
        self._tail = (0, b"")
        self._index: sqlite3.Connection | None = None

    def read(self, path: str | None) -> None:
        if path is not None:
            import zstandard  # noqa: PLC0415 - only where an index is written

            self._compress = zstandard.ZstdCompressor(level=1).compress
            self._index = open_index(path)
            self._index.executescript("BEGIN;" + SCHEMA)
        try:
            while self._member():
                pass
            self._end()
            if self._index is not None:
                self._flush(last=True)
        except (_TarError, _PackingError):
            raise
        except FormatError as error:
            raise _TarError(str(error)) from None
        finally:
            if self._index is not None:
                self._index.close()

    def _member(self) -> bool:
        """One member, extended headers included; False at the end of the archive."""
        stream, start = self._stream, self._stream.position
        raw = b""
        zeros = 0
        special = False
        while True:
            at = stream.position
            block = stream.take(tar.BLOCK)
            if block == tar.ZERO_BLOCK:
                zeros += 1
                if zeros == 2:
                    self._tail = (start, raw + block)
                    return False
                raw += block
                special = True
                continue
            if not block:
                self._tail = (start, raw)
                return False
            if len(block) < tar.BLOCK:
                raise _TarError(f"tar header is cut off after {len(block)} bytes", at)
            if not tar.checksum_is_right(block, at):
                raise _TarError("tar header is damaged: its checksum is wrong", at)
            if zeros:  # Go's archive/tar refuses it, other readers end here: none reads on
                raise _TarError("a member follows a single block of zeros", at)
            flag = block[156:157]
            if flag not in tar.EXTENSIONS:
                break
            special = True
            size = tar.number(block[124:136], at + 124)
            if size < 0 or len(raw) + size > self._limits.header_bytes:
                raise _TarError(f"extended tar header of {size} bytes is beyond the limit", at)
            padded = -(-size // tar.BLOCK) * tar.BLOCK
            data = stream.take(padded)
            if len(data) < padded:
                raise _TarError("extended tar header is cut off", at)
            if flag == tar.PAX_GLOBAL:
                self._global(data[:size], at + tar.BLOCK)
            raw += block + data
        raw += block
        if flag == tar.GNU_SPARSE:
            special, more = True, block[482]
            while more:
                extension = stream.take(tar.BLOCK)
                if len(extension) < tar.BLOCK or len(raw) > self._limits.header_bytes:
                    raise _TarError("sparse extension block is missing", at)
                raw += extension
                more = extension[504]
        self._content(raw, block, flag, start, special)
        return True

    def _global(self, data: bytes, at: int) -> None:
        records = {key: value for key, value, _ in tar.pax_records(data, at)}
        self._globals |= records
        self._globals.pop("comment", None)
        self._globals_number += 1
        if self._index is not None:
            self._index.execute(
                "INSERT INTO globals VALUES (?,?)",
                (self._globals_number, pack_records(self._globals)),
            )

    def _content(self, raw: bytes, block: bytes, flag: bytes, start: int, special: bool) -> None:
        stream = self._stream
        self._result.members += 1
        if self._result.members > self._limits.members:
            raise _TarError(f"more than {self._limits.members} members", start)
        if special or self._globals or flag not in b"\x000125":
            header = tar.Header.parse(raw, self._globals)
            name, kind, link, size = header.name, header.type, header.linkname, header.stored
            if kind in (tar.CHARACTER, tar.BLOCK_DEVICE):
                link = b"%d:%d" % header.device
        else:
            header = None
            name = tar.text(block[:100])
            if block[345] and block[257:263] == b"ustar\0":
                name = tar.text(block[345:500]) + b"/" + name
            kind = tar.REGULAR if flag == b"\0" else flag
            if kind == tar.REGULAR and name.endswith(b"/"):
                kind = tar.DIRECTORY
            link = tar.text(block[157:257]) if flag in b"12" else b""
            size = tar.number(block[124:136], start + 124)
        if size < 0:
            raise _TarError(f"member of {size} bytes", start)
        if flag in tar.HEADER_ONLY or (flag == b"\0" and kind == tar.DIRECTORY):
            # no data follows these, whatever the size field says: so read Go, which makes and
            # unpacks images, and GNU tar
            size = 0
        data_at = stream.position
        path = tar.path_of(name)
        if max(len(path), len(link)) > self._limits.name_bytes:
            raise _TarError(f"name of more than {self._limits.name_bytes} bytes", start)
        content = residue = None
        if self._index is None:
            stored = stream.pump(size, None)
        elif header is not None and (header.sparse is not None or header.sparse_in_data):
            content, residue, stored = self._sparse(header, size)
            residue = SPARSE + residue
        elif size or kind == tar.REGULAR or kind not in tar.TYPE_NAMES:
            content, stored = self._hashed(path, data_at, size)
        else:
            stored = 0
        if stored < size:
            raise _TarError(
                f"{text_of(path)!r} is cut off: {size} bytes promised, {stored} found", data_at
            )
        padding = stream.take(-size % tar.BLOCK)
        self._cut = -size % tar.BLOCK - len(padding)
        if self._index is None:
            return
        if not tar.ZERO_BLOCK.startswith(padding):
            residue = (residue or PADDING) + padding
        self._note(path)
        if kind == tar.HARD_LINK:
            link = tar.path_of(link)
        head = blake3(raw)
        if self._globals:
            head.update(pack_records(self._globals))
        self._rows.append(
            (
                None,
                path,
                kind,
                head.digest(),
                content,
                residue,
                start,
                len(raw),
                size,
                link,
                self._globals_number,
                self._batch_number,
                self._batch_size,
            )
        )
        self._order.update(path + b"\0")
        self._batch.append(raw)
        self._batch_size += len(raw)
        if self._batch_size >= _BATCH_BYTES or len(self._rows) >= _ROWS:
            self._flush()

    def _hashed(self, path: bytes, data_at: int, size: int) -> tuple[bytes, int]:
        """Digest of a member's data, and how much of it there was."""
        hashed = blake3()
        keeper = self._keeper
        if keeper is None or not keeper.wants(size):
            stored = self._stream.pump(size, hashed.update)
            return hashed.digest(), stored
        pieces: list[memoryview] = []

        def both(piece: memoryview) -> None:
            hashed.update(piece)
            pieces.append(piece)

        stored = self._stream.pump(size, both)
        digest = hashed.digest()
        keeper.member(path, digest, data_at, pieces)
        return digest, stored

    def _note(self, path: bytes) -> None:
        if b".." in path and b".." in path.split(b"/"):
            self._stepping_out += 1
            if self._stepping_out <= _MOST_TOLD:
                shown = text_of(path[:200])
                message = f"member name {shown!r} steps out with '..'"
                self._result.problems.append(("path", message))

    def _sparse(self, header: tar.Header, size: int) -> tuple[bytes, bytes, int]:
        """Digest of the expanded content, digest of what is stored, bytes read."""
        stream = self._stream
        stored_hash = blake3()
        regions = header.sparse
        read = 0
        if header.sparse_in_data:
            regions, read = self._sparse_map_in_data(stored_hash, size)
        assert regions is not None  # noqa: S101 - the caller asked only where a map is
        expanded, at = blake3(), 0
        holes = header.size - sum(length for _, length in regions)
        if holes > self._limits.hole_bytes or holes < 0:
            raise _TarError(f"sparse member has {holes} bytes of holes, beyond the limit")

        def both(piece: Any) -> None:
            stored_hash.update(piece)
            expanded.update(piece)

        for offset, length in regions:
            if offset < at or offset + length > header.size:
                raise _TarError("sparse map is out of order or beyond the file's size")
            if length > size - read:
                raise _TarError(f"sparse map promises more than the {size} bytes of data")
            _feed_zeros(expanded, offset - at)
            read += stream.pump(length, both)
            at = offset + length
        _feed_zeros(expanded, header.size - at)
        read += stream.pump(size - read, stored_hash.update)
        return expanded.digest(), stored_hash.digest(), read

    def _sparse_map_in_data(
        self, stored: Any, size: int
    ) -> tuple[tuple[tuple[int, int], ...], int]:
        """GNU sparse 1.0: numbers, one a line, in front of the data, padded to a block."""
        numbers: list[int] = []
        rest, read = b"", 0
        while not numbers or len(numbers) < 1 + 2 * numbers[0]:
            block = self._stream.take(min(tar.BLOCK, size - read))
            if not block or read > self._limits.header_bytes:
                raise _TarError("sparse map is cut off")
            stored.update(block)
            read += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if numbers and len(numbers) == 1 + 2 * numbers[0]:
                    break
                if not line.isdigit() or len(line) > 20:
                    raise _TarError("sparse map holds no number")
                numbers.append(int(line))
        return tuple(zip(numbers[1::2], numbers[2::2], strict=True)), read

    def _flush(self, *, last: bool = False) -> None:
        index = self._index
        assert index is not None  # noqa: S101 - only called where one is written
        if self._rows:
            index.executemany(_INSERT, self._rows)
            data = self._compress(b"".join(self._batch))
            index.execute("INSERT INTO heads VALUES (?,?)", (self._batch_number, data))
            self._rows, self._batch = [], []
            self._batch_number += 1
            self._batch_size = 0
        if last:
            self._result.order = self._order.hexdigest()
            index.execute("CREATE INDEX by_path ON member (path, occurrence)")
            if index.execute(_ANY_DUPLICATE).fetchone():
                index.execute(_NUMBER_DUPLICATES)
                self._result.duplicates = index.execute(
                    "SELECT count(*) FROM member WHERE occurrence > 0"
                ).fetchone()[0]
            index.execute("COMMIT")

    def _end(self) -> None:
        """What follows the last member: zero blocks, and bytes that no reader looks at."""
        at, raw = self._tail
        size, zeros, hashed, first = len(raw), not raw.strip(b"\0"), hashlib.sha256(raw), None

        def look(piece: Any) -> None:
            nonlocal size, first, zeros
            if first is None and bytes(piece).strip(b"\0"):
                data = bytes(piece)
                first = size + len(data) - len(data.lstrip(b"\0"))
                zeros = False
            hashed.update(piece)
            size += len(piece)

        self._stream.pump(1 << 62, look)
        self._result.end = (at, size)
        if self._stepping_out > _MOST_TOLD:
            more = f"{self._stepping_out - _MOST_TOLD} more member names step out with '..'"
            self._result.problems.append(("path", more))
        if size == 0:
            told = "no end-of-archive blocks"
            if self._cut:
                told += f", and the last padding lacks {self._cut} bytes"
        elif zeros:
            told = f"{size} zero bytes"
        else:
            told = (
                f"{size} bytes, not zero from offset {at + (first or 0)}"
                f" (sha256:{hashed.hexdigest()})"
            )
        self._result.end_told = told


def _feed_zeros(hashed: Any, count: int) -> None:
    zeros = bytes(min(count, 1 << 20))
    while count > 0:
        hashed.update(zeros[:count])
        count -= len(zeros)
