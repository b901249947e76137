"""What all packed streams share: bounds on what they unpack to, decoders of the standard
library's kind, and bytes that lie behind the last stream."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from sxdiff.model import Blob, Fact, FormatError, LimitError, Limits, Member

PACKED, UNPACKED = 64 << 10, 1 << 20
"""Bytes read, and at most unpacked, at a time."""
MEMORY = 128 << 20
"""Largest dictionary or window; xz -9 and zstd -19 stay below, zstd --ultra --long=31 does not."""
SMALL = 64 << 20
"""Unpacked size that is no bomb however small the stream: zeros pack to next to nothing."""
KEPT = 4 << 20
"""Unpacked size up to which a content stays in memory rather than being unpacked anew."""


class Decoder(Protocol):
    """What `lzma.LZMADecompressor` and `bz2.BZ2Decompressor` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def unpacked(
    blob: Blob, at: int, decoder: Callable[[], Decoder], what: str
) -> Iterator[tuple[int, bytes]]:
    """Chunks of the one stream at `at`, each with the packed bytes read so far; with the last
    chunk that is the stream's size.

    Raises `FormatError` where the stream is damaged or cut short, `LimitError` where it wants too
    much memory. The caller bounds what it takes (`bounded`).
    """
    read = 0
    try:
        state = decoder()
        with blob.open() as file:
            file.seek(at)
            while not state.eof:
                data = file.read(PACKED) if state.needs_input else b""
                if state.needs_input and not data:
                    raise FormatError(f"{what} stream ends early", blob.size)
                read += len(data)
                chunk = state.decompress(data, UNPACKED)
                yield read - (len(state.unused_data) if state.eof else 0), chunk
    except (MemoryError, OSError, ValueError, EOFError) as error:
        raise FormatError(f"damaged {what} stream: {error}", at) from error
    except Exception as error:  # lzma.LZMAError, whose module need not be loaded here
        if type(error).__name__ != "LZMAError":
            raise
        if "emory" in str(error):
            raise LimitError(f"{what} stream wants more than {MEMORY} bytes", at) from error
        raise FormatError(f"damaged {what} stream: {error}", at) from error


def bounded(chunks: Iterable[bytes], size: int, limits: Limits) -> Iterator[bytes]:
    """The chunks of `size` packed bytes, as long as the limits allow. Raises `LimitError`."""
    most = min(limits.member_bytes, max(SMALL, size * limits.expansion))
    unpacked_size = 0
    for chunk in chunks:
        unpacked_size += len(chunk)
        if unpacked_size > most:
            raise LimitError(f"content of more than {most} bytes")
        yield chunk


class Keeper:
    """A content that was unpacked on the way to something else, kept as long as it is small."""

    def __init__(self) -> None:
        self._chunks: list[bytes] | None = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """The content's next chunk."""
        self._size += len(chunk)
        if self._size > KEPT:
            self._chunks = None
        elif self._chunks is not None and chunk:
            self._chunks.append(chunk)

    def content(self, anew: Callable[[], Iterator[bytes]]) -> Callable[[], Iterator[bytes]]:
        """What gives the content: the kept chunks, or `anew`."""
        chunks = self._chunks
        return anew if chunks is None else lambda: iter(chunks)


def measured(chunks: Iterator[tuple[int, bytes]], size: int, limits: Limits) -> tuple[int, Keeper]:
    """The packed size of a stream, read to its end, and its content as far as it is kept.

    `chunks` come with the packed bytes read so far, as `unpacked` gives them; `size` is what
    the stream has at most. Raises `FormatError`, and `LimitError` as `bounded` does.
    """
    keeper = Keeper()
    sizes = [0]

    def bare() -> Iterator[bytes]:
        for sizes[0], chunk in chunks:
            yield chunk

    for chunk in bounded(bare(), size, limits):
        keeper.add(chunk)
    return sizes[0], keeper


def one_of(streams: int, fact: Fact) -> Fact:
    """A fact about one of so many packed streams that give one content.

    By convention a derived fact that is a bare digest says that the content follows from its
    bytes and no others. Where there are several streams, none says that for itself.
    """
    bare = fact.derived and isinstance(fact.value, str) and fact.value.startswith("sha256:")
    return replace(fact, value=f"packed, {fact.value}") if bare and streams > 1 else fact


def trailing(blob: Blob, end: int, kind: str) -> Iterator[Member]:
    """What lies behind the last stream, which ends at `end`. Zeros fill up a block of a medium;
    anything else may be a stream of its own."""
    if end < blob.size:
        rest = blob.part(end, blob.size - end)
        zeros = only_zeros(rest)
        yield Member("trailing", rest, (end, rest.size), kind, opaque=zeros)


def only_zeros(blob: Blob) -> bool:
    """Whether all bytes are zero."""
    chunks = (blob.read(at, UNPACKED) for at in range(0, blob.size, UNPACKED))
    return all(chunk.count(0) == len(chunk) for chunk in chunks)
