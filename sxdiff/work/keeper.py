"""Two layers that are read side by side tell each other what they found, and keep what differs.

Streams without seek points (zstd, xz, bzip2) would have to be unpacked again to fetch a member
that differs. While both sides of a pair are read by two processes, each writes the digest of
every member into a file that the other reads. A member whose digest the other side has otherwise
is written to the spool while it is still in memory. This only ever saves work: what was not kept,
because the two had drifted apart, is fetched like anything else.
"""

import os
import time
from collections import OrderedDict
from typing import NamedTuple

from blake3 import blake3

_KEY, _DIGEST = 16, 32
_RECORD = _KEY + _DIGEST
_POSITION = bytes(_KEY)
"""In place of a key: the digest is how far that side has read."""
_END = 1 << 62
_PAUSE, _PATIENCE = 0.002, 0.2
"""Seconds: between two looks at the other side, and until it counts as standing still."""
_WINDOW = 20 << 20
"""Bytes of members held in memory until the other side has told of them."""
_LARGEST = 4 << 20
_MOST_PENDING = 50_000
_MOST_KEPT = 256 << 20


class _Held(NamedTuple):
    digest: bytes
    data_at: int
    size: int
    pieces: list[memoryview]


class Keeper:
    """One side of the exchange. `mine`, `theirs` and `kept` are paths in the spool."""

    def __init__(self, mine: str, theirs: str, kept: str) -> None:
        self._mine = open(mine, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        # whoever comes first makes the file
        self._theirs = os.open(theirs, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._kept = open(kept, "wb")  # noqa: SIM115 - closed by close()
        self._heard = 0
        self._their_position = 0
        self._pacing = True
        self._said: list[bytes] = []
        self._pending: OrderedDict[bytes, bytes] = OrderedDict()
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._held_bytes = 0
        self._kept_bytes = 0
        self.spans: list[tuple[int, int]] = []
        """(data_at, offset in `kept`) of each member that was kept."""

    def wants(self, size: int) -> bool:
        """Is a member of this size to be held?"""
        return 0 < size <= _LARGEST and self._kept_bytes < _MOST_KEPT

    def member(self, path: bytes, digest: bytes, data_at: int, pieces: list[memoryview]) -> None:
        """A member went by; `pieces` is its content, empty where it was not wanted."""
        key = blake3(path).digest(_KEY)
        self._said.append(key + digest)
        theirs = self._pending.pop(key, None)
        size = sum(map(len, pieces))
        held = _Held(digest, data_at, size, pieces)
        if theirs is not None:
            self._decide(held, theirs)
        elif pieces:
            if key in self._held:  # a path twice: the other side can tell of one only
                self._held_bytes -= self._held.pop(key).size
            self._held[key] = held
            self._held_bytes += size
            # also by distance: the smallest piece keeps its whole chunk in memory
            while self._held_bytes > _WINDOW or data_at - self._oldest() > _WINDOW:
                self._held_bytes -= self._held.popitem(last=False)[1].size

    def _oldest(self) -> int:
        return next(iter(self._held.values())).data_at

    def exchange(self, position: int) -> None:
        """Tell what is new, and hear what the other side has told. Called once a chunk.

        `position` is how far this side's unpacked stream was read.
        """
        self._said.append(_POSITION + position.to_bytes(_DIGEST))
        self._mine.write(b"".join(self._said))
        self._said.clear()
        self._listen()
        self._keep_pace(position)

    def _keep_pace(self, position: int) -> None:
        """Wait for the other side where this one is so far ahead that it would have to let go.

        Waiting costs nothing, as both are needed. It ends for good when the other side does not
        move: it may have no processor, or not be running at all.
        """
        waited = 0
        while self._pacing and position - self._their_position > _WINDOW // 2:
            time.sleep(_PAUSE)
            before = self._their_position
            self._listen()
            waited = 0 if self._their_position > before else waited + 1
            self._pacing = waited * _PAUSE < _PATIENCE

    def _listen(self) -> None:
        while data := os.pread(self._theirs, 2048 * _RECORD, self._heard):
            whole = len(data) - len(data) % _RECORD
            if not whole:
                break
            self._heard += whole
            for at in range(0, whole, _RECORD):
                key, digest = data[at : at + _KEY], data[at + _KEY : at + _RECORD]
                if key == _POSITION:
                    self._their_position = int.from_bytes(digest)
                    continue
                held = self._held.pop(key, None)
                if held is not None:
                    self._held_bytes -= held.size
                    self._decide(held, digest)
                    continue
                self._pending[key] = digest
                if len(self._pending) > _MOST_PENDING:
                    self._pending.popitem(last=False)

    def _decide(self, held: _Held, theirs: bytes) -> None:
        if held.digest == theirs or not held.pieces or self._kept_bytes + held.size > _MOST_KEPT:
            return
        self.spans.append((held.data_at, self._kept_bytes))
        self._kept.writelines(held.pieces)
        self._kept_bytes += held.size

    def close(self) -> None:
        """Tell the rest; what was kept is then complete."""
        self._pacing = False
        self.exchange(_END)
        self._mine.close()
        self._kept.close()
        os.close(self._theirs)
