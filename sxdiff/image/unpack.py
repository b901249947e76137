"""One layer blob, unpacked as it is read, with what its packing says of itself.

Compression is known by magic number, never by media type. Sources: RFC 1952 (gzip), RFC 8878
(Zstandard frames, skippable frames), the xz file format 1.1, bzip2's documentation.

zlib-ng inflates because its state can be copied: a copy every so often is a seek point, and the
second pass then fetches single members without inflating the layer again (ADR 1).
"""

import bz2
import lzma
import os
from collections.abc import Callable, Iterator
from typing import Any

from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, text_of

MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
)
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_CHUNK = 256 << 10
_OUTPUT = 1 << 20
_SEEK_POINTS = 96
_MOST_SKIPPABLE = 16
_EARLY_BYTES = 4 << 30
"""Expansion is only judged beyond this much output: a small file of zeros packs very well."""


def compression_of(head: bytes) -> str:
    """ "gzip", "zstd", "xz", "bzip2" or "none", from a blob's first bytes."""
    for magic, name in MAGIC:
        if head.startswith(magic):
            return name
    if len(head) >= 4 and int.from_bytes(head[:4], "little") in _SKIPPABLE:
        return "zstd"
    return "none"


class _Input:
    """The packed bytes in order, with a look ahead; tells an observer what goes by."""

    def __init__(self, blob: Blob, observe: Callable[[bytes], None] | None, at: int = 0) -> None:
        self._file = os.open(blob.path, os.O_RDONLY | os.O_CLOEXEC)
        self._blob = blob
        self._observe = observe
        self._next = at
        self.buffer = b""
        self.at = at  # offset of buffer[0] in the blob

    def fill(self, size: int = 1) -> bytes:
        """At least `size` bytes of buffer, fewer only at the end."""
        while len(self.buffer) < size:
            wanted = min(_CHUNK, self._blob.size - self._next)
            data = os.pread(self._file, wanted, self._blob.offset + self._next) if wanted else b""
            if wanted and not data:
                raise FormatError("the file ends while it is read", self._next)
            if not data:
                break
            if self._observe:
                self._observe(data)
            self._next += len(data)
            self.buffer += data
        return self.buffer

    def drop(self, size: int) -> bytes:
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        self.at += len(taken)
        return taken

    def give_back(self, unused: bytes) -> None:
        self.buffer = unused + self.buffer
        self.at -= len(unused)

    def drain(self) -> None:
        """Let the observer see the rest."""
        self.buffer = b""
        while self.fill():
            self.drop(len(self.buffer))

    def close(self) -> None:
        os.close(self._file)


class Unpacked:
    """A layer blob as a stream of unpacked chunks, and as spans that can be fetched afterwards.

    `observe` sees every packed byte once, in order. Raises FormatError where the stream is
    truncated or damaged, LimitError where it expands beyond the limits.
    """

    def __init__(self, blob: Blob, limits: Limits) -> None:
        self.blob = blob
        self.limits = limits
        self.compression = compression_of(blob.read(0, 8))
        self.facts: list[Fact] = []
        self.size = 0
        self._seek_points: list[tuple[int, int, Any]] = []  # unpacked at, packed at, state
        self._seek_distance = 16 << 20
        self.gzip_members = 0
        self._frames = 0
        self._skippable: list[tuple[int, int]] = []
        self._skipped = 0

    def chunks(self, observe: Callable[[bytes], None] | None = None) -> Iterator[bytes]:
        """The whole stream once; fills `facts`, `size` and the seek points."""
        source = _Input(self.blob, observe)
        reader = getattr(self, f"_{self.compression}")
        try:
            try:
                for chunk in reader(source):
                    self.size += len(chunk)
                    if self.size > _EARLY_BYTES and self.size > self._most(source):
                        raise LimitError(
                            f"unpacks to more than {self.limits.expansion} times its size",
                            source.at,
                        )
                    yield chunk
            except FormatError:
                # the caller may want to know whether these are the promised bytes at all
                source.drain()
                raise
            self._sum_up()
        finally:
            source.close()

    def _most(self, source: _Input) -> int:
        return self.limits.expansion * max(source.at, _CHUNK)

    def _none(self, source: _Input) -> Iterator[bytes]:
        while source.fill():
            yield source.drop(len(source.buffer))

    def _gzip(self, source: _Input) -> Iterator[bytes]:
        yield from self._gzip_from(source, self.size, None)

    def _gzip_from(
        self, source: _Input, start: int, state: Any, *, first: bool = True
    ) -> Iterator[bytes]:
        """gzip members from the source's place on; with `state`, from inside one."""
        from zlib_ng import zlib_ng  # noqa: PLC0415 - only where a gzip stream is

        total, last_point = start, start
        record = first and state is None
        while state is not None or source.fill(2)[:2] == b"\x1f\x8b":
            if state is None:
                if record:
                    self._gzip_header(source)
                state = zlib_ng.decompressobj(31)
            begin = source.at
            while not state.eof:
                data = source.fill()
                if not data and not state.unconsumed_tail:
                    raise FormatError("gzip stream is truncated", source.at)
                try:
                    chunk = state.decompress(data, _OUTPUT)
                except zlib_ng.error as error:  # type: ignore[misc]  # stub says Any
                    what = str(error).removeprefix("Error ").strip()
                    raise FormatError(f"gzip stream is damaged: {what}", begin) from None
                # at the end of a member both may hold what was left over
                left = state.unused_data if state.eof else state.unconsumed_tail
                source.drop(len(data) - len(left))
                total += len(chunk)
                if chunk:
                    yield chunk
                if record and total - last_point >= self._seek_distance and not state.eof:
                    self._seek_points.append((total, source.at, state.copy()))
                    last_point = total
                    self._thin_out()
            state = None
            if record:
                self.gzip_members += 1
                if total - last_point >= self._seek_distance:
                    self._seek_points.append((total, source.at, None))
                    last_point = total
                    self._thin_out()
        if record:
            self._trailing(source, "gzip")

    def _thin_out(self) -> None:
        if len(self._seek_points) > _SEEK_POINTS:
            del self._seek_points[::2]
            self._seek_distance *= 2

    def _gzip_header(self, source: _Input) -> None:
        """Facts of the first member's header; RFC 1952, section 2.3."""
        if self.gzip_members:
            return
        head = source.fill(64 << 10)
        if len(head) < 10:
            raise FormatError("gzip header is truncated", source.at)
        flags = head[3]
        add = self.facts.append
        add(Fact("layer.gzip.flags", f"{flags:#04x}", (3, 1)))
        add(Fact("layer.gzip.mtime", int.from_bytes(head[4:8], "little"), (4, 4)))
        add(Fact("layer.gzip.xfl", head[8], (8, 1)))
        add(Fact("layer.gzip.os", head[9], (9, 1)))
        at = 10
        if flags & 4:
            size = int.from_bytes(head[at : at + 2], "little")
            add(Fact("layer.gzip.extra", head[at + 2 : at + 2 + size].hex(), (at, size + 2)))
            at += 2 + size
        for bit, name in ((8, "name"), (16, "comment")):
            if flags & bit:
                end = head.find(b"\0", at)
                if end < 0:
                    raise FormatError(f"gzip header's {name} has no end", at)
                add(Fact(f"layer.gzip.{name}", text_of(head[at:end]), (at, end + 1 - at)))
                at = end + 1

    def _zstd(self, source: _Input) -> Iterator[bytes]:
        import zstandard  # noqa: PLC0415 - only where a zstd stream is

        while True:
            head = source.fill(18)
            if len(head) >= 8 and int.from_bytes(head[:4], "little") in _SKIPPABLE:
                size = int.from_bytes(head[4:8], "little")
                self._skipped += 1
                if self._skipped <= _MOST_SKIPPABLE:
                    self._skippable.append((source.at, size + 8))
                left = size + 8
                while left:
                    if not source.fill():
                        raise FormatError("zstd skippable frame is truncated", source.at)
                    left -= len(source.drop(left))
                continue
            if head[:4] != b"\x28\xb5\x2f\xfd":
                break
            begin = source.at
            try:
                parameters = zstandard.get_frame_parameters(head)
            except zstandard.ZstdError as error:
                raise FormatError(f"zstd frame header: {error}", begin) from None
            if not self._frames:
                self._zstd_facts(head, parameters, begin)
            most = self.limits.window_bytes
            if parameters.window_size > most:
                raise LimitError(
                    f"zstd window of {parameters.window_size} bytes is beyond the limit of {most}",
                    begin,
                )
            state = zstandard.ZstdDecompressor(max_window_size=most).decompressobj()
            header = zstandard.frame_header_size(head)
            last = False
            while not state.eof:
                packed, last = self._zstd_blocks(source, header, parameters.has_checksum, last)
                header = 0
                try:
                    chunk = state.decompress(packed)
                except zstandard.ZstdError as error:
                    raise FormatError(f"zstd frame is damaged: {error}", begin) from None
                if chunk:
                    yield chunk
            self._frames += 1
        self._trailing(source, "zstd")

    @staticmethod
    def _zstd_blocks(
        source: _Input, header: int, checksum: bool, finished: bool
    ) -> tuple[bytes, bool]:
        """Some whole blocks of a frame, and whether the last one is among them.

        A block unpacks to 128 KiB at most (RFC 8878, section 3.1.1.2), so that however well the
        content packs, no more than eight times that is held at once.
        """
        size, last = header, finished
        for _ in range(8):
            block = source.fill(size + 3)[size : size + 3]
            if last or len(block) < 3:
                break
            value = int.from_bytes(block, "little")
            last = bool(value & 1)
            size += 3 + (1 if value >> 1 & 3 == 1 else value >> 3)
        if last:
            size += 4 * checksum
        if finished or not size or len(source.fill(size)) < size:
            raise FormatError("zstd frame is truncated", source.at)
        return source.drop(size), last

    def _zstd_facts(self, head: bytes, parameters: Any, at: int) -> None:
        """Frame_Header of RFC 8878, section 3.1.1.1: descriptor, window, dictionary, size."""
        descriptor, at = head[4], at + 4
        single_segment = descriptor >> 5 & 1
        window_at = at + 1
        dictionary_at = window_at + 1 - single_segment
        dictionary = (0, 1, 2, 4)[descriptor & 3]
        size_at = dictionary_at + dictionary
        size = (single_segment, 2, 4, 8)[descriptor >> 6]
        add = self.facts.append
        add(Fact("layer.zstd.descriptor", f"{descriptor:#04x}", (at, 1)))
        if not single_segment:
            add(Fact("layer.zstd.window", parameters.window_size, (window_at, 1)))
        add(Fact("layer.zstd.checksum", bool(descriptor & 4), (at, 1)))
        if size:
            value = parameters.content_size
            add(Fact("layer.zstd.content_size", value, (size_at, size), derived=True))
        if dictionary:
            add(Fact("layer.zstd.dictionary", parameters.dict_id, (dictionary_at, dictionary)))

    def _xz(self, source: _Input) -> Iterator[bytes]:
        def start() -> Any:
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=self.limits.window_bytes)

        yield from self._stdlib(source, "xz", start, lzma.LZMAError)

    def _bzip2(self, source: _Input) -> Iterator[bytes]:
        level = source.fill(4)[3:4]
        self.facts.append(Fact("layer.bzip2.level", text_of(level), (3, 1)))
        yield from self._stdlib(source, "bzip2", bz2.BZ2Decompressor, OSError)

    def _stdlib(
        self, source: _Input, name: str, start: Callable[[], Any], error: type[Exception]
    ) -> Iterator[bytes]:
        """Streams of xz or bzip2, one after the other."""
        magic = next(magic for magic, known in MAGIC if known == name)
        while source.fill(len(magic)).startswith(magic):
            begin = source.at
            state = start()
            while not state.eof:
                data = source.fill() if state.needs_input else b""
                if state.needs_input and not data:
                    raise FormatError(f"{name} stream is truncated", source.at)
                source.drop(len(data))
                try:
                    chunk = state.decompress(data, _OUTPUT)
                except error as problem:
                    if "emory" in str(problem):
                        most = self.limits.window_bytes
                        raise LimitError(f"{name} stream wants over {most} bytes", begin) from None
                    raise FormatError(f"{name} stream is damaged: {problem}", begin) from None
                if chunk:
                    yield chunk
            source.give_back(state.unused_data)
            self._frames += 1
        self._trailing(source, name)

    def _trailing(self, source: _Input, name: str) -> None:
        """What stands behind the last stream: padding, or bytes that no one reads."""
        at = source.at
        if not source.fill():
            return
        import hashlib  # noqa: PLC0415 - rare

        digest, size, zeros, head = hashlib.sha256(), 0, True, b""
        while data := source.fill():
            head = head or data[:32]
            zeros = zeros and not data.strip(b"\0")
            digest.update(data)
            size += len(source.drop(len(data)))
        what = "zeros" if zeros else f"{head.hex()} (sha256:{digest.hexdigest()})"
        self.facts.append(Fact(f"layer.{name}.trailing", f"{size} bytes: {what}", (at, size)))

    def _sum_up(self) -> None:
        if self.gzip_members > 1:
            self.facts.append(Fact("layer.gzip.members", self.gzip_members))
        if self._frames > 1:
            self.facts.append(Fact(f"layer.{self.compression}.frames", self._frames))
        for number, (at, size) in enumerate(self._skippable, 1):
            content = self.blob.read(at, min(size, 64)).hex()
            name = f"skippable frame {number}"
            self.facts.append(
                Fact("layer.zstd.skippable", f"{size} bytes: {content}", (at, size), name)
            )
        if self._skipped > _MOST_SKIPPABLE:
            self.facts.append(Fact("layer.zstd.skippable", self._skipped, None, "frames in all"))

    def spans(self, wanted: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Pieces of the unpacked stream: (index into `wanted`, chunk), in `wanted`'s order.

        `wanted` is sorted by offset and does not overlap. An unpacked blob is read in place;
        gzip starts from the seek points that `chunks` left; else the stream is read anew.
        """
        if self.compression == "none":
            for index, (at, size) in enumerate(wanted):
                part = self.blob.part(at, size)
                for piece in range(0, size, _OUTPUT):
                    yield index, part.read(piece, _OUTPUT)
            return
        index, taken = 0, 0
        while index < len(wanted):
            point = self._point_before(wanted[index][0] + taken)
            position = point[0]
            source = _Input(self.blob, None, point[1])
            try:
                for chunk in self._stream_from(source, point):
                    start, end = position, position + len(chunk)
                    position = end
                    while index < len(wanted):
                        at, size = wanted[index]
                        low, high = max(at + taken, start), min(at + size, end)
                        if low < high:
                            yield index, chunk[low - start : high - start]
                            taken += high - low
                        if taken < size:
                            break
                        index, taken = index + 1, 0
                    if index == len(wanted):
                        return
                    # a seek point further on may be nearer to what is wanted next
                    if self._point_before(wanted[index][0] + taken)[0] > position:
                        break
                else:
                    raise FormatError("the unpacked stream ends before a span", position)
            finally:
                source.close()

    def _point_before(self, at: int) -> tuple[int, int, Any]:
        best: tuple[int, int, Any] = (0, 0, None)
        for point in self._seek_points:
            if point[0] <= at:
                best = point
        return best

    def _stream_from(self, source: _Input, point: tuple[int, int, Any]) -> Iterator[bytes]:
        if self.compression == "gzip":
            state = point[2].copy() if point[2] is not None else None
            yield from self._gzip_from(source, point[0], state, first=False)
            return
        anew = Unpacked(self.blob, self.limits)
        yield from getattr(anew, f"_{self.compression}")(source)
