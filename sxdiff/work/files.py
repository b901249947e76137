"""Pass 2: fetch members whose content differs, and have the pairs looked into by workers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sxdiff.compare.index import Row
from sxdiff.compare.renames import LARGEST, Sketch
from sxdiff.model import Blob, Difference, InputError, Node, Problem, Route, Value, text_of
from sxdiff.wire import node_from_json
from sxdiff.work.layers import ReadLayer
from sxdiff.work.pool import BugError, Pool, TaskFailedError, WorkerDiedError
from sxdiff.work.spool import Spool
from sxdiff.work.tasks import blob_to_json

_BATCH_BYTES = 96 << 20
_BATCH_PAIRS = 256
_TASK_BYTES = 8 << 20
_TASK_PAIRS = 24
_SKETCH_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Two members whose contents differ, each with the layer that holds it."""

    route: Route
    path: str
    visible: bool
    a_layer: ReadLayer
    a: Row
    b_layer: ReadLayer
    b: Row


Tell = Callable[[Pair, Node], None]


class Files:
    """Collects pairs, and tells what was found in them a batch at a time."""

    def __init__(self, pool: Pool, spool: Spool, tell: Tell, debug: bool) -> None:
        self._pool = pool
        self._spool = spool
        self._tell = tell
        self._debug = debug
        self._pairs: list[Pair] = []
        self._kept: dict[Blob, dict[int, int]] = {}
        self._bytes = 0

    def add(self, pair: Pair) -> None:
        """Look into this pair, now or with the next batch."""
        self._pairs.append(pair)
        self._bytes += pair.a.size + pair.b.size
        if self._bytes >= _BATCH_BYTES or len(self._pairs) >= _BATCH_PAIRS:
            self.flush()

    def sketches(self, wanted: list[tuple[ReadLayer, Row]]) -> list[Sketch]:
        """The sketch of each content; empty where there is too much to look at them all."""
        if sum(min(row.size, LARGEST) for _, row in wanted) > _SKETCH_BYTES:
            return [()] * len(wanted)
        spooled: list[str] = []
        blobs = self._contents(wanted, spooled)
        task = {"task": "sketch", "blobs": [blob_to_json(blob) for blob in blobs]}
        (answer,) = self._pool.all([task])
        for path in spooled:
            self._spool.remove(path)
        return [tuple(each) for each in answer]

    def digests(self, wanted: list[tuple[ReadLayer, Row]], sizes: set[int]) -> list[list[bytes]]:
        """What each content is known by: its digests of these sizes (`compare.digests`)."""
        out: list[list[bytes]] = []
        batch: list[tuple[ReadLayer, Row]] = []
        size = 0
        for number, one in enumerate(wanted, 1):
            batch.append(one)
            size += one[1].size
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_PAIRS or number == len(wanted):
                spooled: list[str] = []
                blobs = [blob_to_json(blob) for blob in self._contents(batch, spooled)]
                task = {"task": "digests", "blobs": blobs, "sizes": sorted(sizes)}
                (answer,) = self._pool.all([task])
                out += [[bytes.fromhex(value) for value in each] for each in answer]
                for path in spooled:
                    self._spool.remove(path)
                batch, size = [], 0
        return out

    def normalised(self, pairs: list[Pair]) -> list[tuple[Blob, Blob]]:
        """The contents of both sides of each pair with all claims taken out, in the spool."""
        out: list[tuple[Blob, Blob]] = []
        for pair in pairs:
            spooled: list[str] = []
            blobs = self._contents([(pair.a_layer, pair.a), (pair.b_layer, pair.b)], spooled)
            task = {
                "task": "normalise",
                "a": blob_to_json(blobs[0]),
                "b": blob_to_json(blobs[1]),
                "name": pair.path,
            }
            (answer,) = self._pool.all([task])
            out.append((Blob(*answer[0]), Blob(*answer[1])))
            for path in spooled:
                self._spool.remove(path)
        return out

    def flush(self) -> None:
        """Look into everything that was added."""
        pairs, self._pairs, self._bytes = self._pairs, [], 0
        if not pairs:
            return
        spooled: list[str] = []
        wanted = [(pair.a_layer, pair.a) for pair in pairs]
        wanted += [(pair.b_layer, pair.b) for pair in pairs]
        blobs = self._contents(wanted, spooled)
        self._look(list(zip(pairs, blobs[: len(pairs)], blobs[len(pairs) :], strict=True)))
        for path in spooled:
            self._spool.remove(path)

    def _contents(self, wanted: list[tuple[ReadLayer, Row]], spooled: list[str]) -> list[Blob]:
        """Where each member's content lies: in the input itself, or in the spool."""
        blobs: list[Blob | None] = [None] * len(wanted)
        groups: dict[Blob, list[int]] = {}
        for number, (layer, row) in enumerate(wanted):
            if layer.is_directory:
                path = f"{layer.blob.path}/{_disk_name(row.path)}"
                blobs[number] = Blob(path, 0, row.size)
            elif layer.scanned["compression"] == "none":
                blobs[number] = layer.blob.part(row.data_at, row.size)
            elif (at := self._kept_at(layer, row)) is not None:
                blobs[number] = Blob(layer.scanned["kept_path"], at, row.size)
            else:
                groups.setdefault(layer.blob, []).append(number)
        tasks: list[dict[str, Any]] = []
        for blob, numbers in groups.items():
            # a member may be in several pairs of one batch (two platforms, one layer)
            spans = sorted({(wanted[n][1].data_at, wanted[n][1].size) for n in numbers})
            tasks.append(
                {
                    "task": "fetch",
                    "name": f"layer {wanted[numbers[0]][0].layer.number}",
                    "blob": blob_to_json(blob),
                    "spans": spans,
                    "worker": wanted[numbers[0]][0].worker,
                }
            )
        for (_, numbers), task, answer in zip(
            groups.items(), tasks, self._pool.all(tasks), strict=True
        ):
            spooled.append(answer["path"])
            places, at = {}, 0
            for start, size in task["spans"]:
                places[start, size] = Blob(answer["path"], at, size)
                at += size
            for n in numbers:
                blobs[n] = places[wanted[n][1].data_at, wanted[n][1].size]
        return [blob for blob in blobs if blob is not None]

    def _kept_at(self, layer: ReadLayer, row: Row) -> int | None:
        """Where the first pass has kept this member's content, if it has."""
        if layer.blob not in self._kept:
            self._kept[layer.blob] = dict(layer.scanned["kept"])
        return self._kept[layer.blob].get(row.data_at)

    def _look(self, jobs: list[tuple[Pair, Blob, Blob]]) -> None:
        batches = list(_batches(jobs))
        again: list[list[tuple[Pair, Blob, Blob]]] = []
        for number, answer in self._pool.run(_task(batch) for batch in batches):
            if isinstance(answer, Exception):
                self._trouble(batches[number], answer, again)
            else:
                self._told(batches[number], answer)
        # one that took its worker down must not take its neighbours with it
        for number, answer in self._pool.run(_task(batch) for batch in again):
            if isinstance(answer, Exception):
                self._trouble(again[number], answer, None)
            else:
                self._told(again[number], answer)

    def _told(self, batch: list[tuple[Pair, Blob, Blob]], answer: list[Any]) -> None:
        for (pair, _, _), found in zip(batch, answer, strict=True):
            # what is stored of two sparse files may be the same where their maps differ
            self._tell(pair, _undescribed(pair) if found is None else node_from_json(found))

    def _trouble(
        self,
        batch: list[tuple[Pair, Blob, Blob]],
        error: Exception,
        again: list[list[tuple[Pair, Blob, Blob]]] | None,
    ) -> None:
        if isinstance(error, InputError) or (self._debug and isinstance(error, BugError)):
            raise error
        if len(batch) > 1 and again is not None:
            again += [[job] for job in batch]
            return
        for pair, _, _ in batch:
            self._tell(pair, _undescribed(pair, error))


def _disk_name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _batches(jobs: list[tuple[Pair, Blob, Blob]]) -> Iterator[list[tuple[Pair, Blob, Blob]]]:
    batch: list[tuple[Pair, Blob, Blob]] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += job[1].size + job[2].size
        if size >= _TASK_BYTES or len(batch) >= _TASK_PAIRS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _task(batch: list[tuple[Pair, Blob, Blob]]) -> dict[str, Any]:
    return {
        "task": "look",
        "pairs": [
            {"a": blob_to_json(a), "b": blob_to_json(b), "name": pair.path} for pair, a, b in batch
        ],
    }


def _undescribed(pair: Pair, error: Exception | None = None) -> Node:
    """What is certain of a pair that could not be looked into: that it differs."""
    what = "looking into it met an error of sxdiff's own (run with --debug)"
    if isinstance(error, WorkerDiedError):
        what = "the worker that looked into it died"
    elif isinstance(error, TaskFailedError):
        what = f"looking into it failed: {error}"
    problem = Problem((), "worker", what, "compared by digest only")

    def value(row: Row) -> Value:
        digest = f"blake3:{row.content.hex()}" if row.content else None
        return Value(None, at=(row.data_at, row.size), size=row.size, digest=digest)

    return Node(
        text_of(pair.a.path),
        "data",
        (
            Difference(
                "file.content", value(pair.a), value(pair.b), bytes=max(pair.a.size, pair.b.size)
            ),
        ),
        (),
        (problem,) if error else (),
    )
