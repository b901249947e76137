"""Pass 2: fetch members whose content differs, and have the pairs looked into by workers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sxdiff.compare.index import Row
from sxdiff.compare.renames import LARGEST, Sketch
from sxdiff.model import Blob, Difference, Limits, Node, Problem, Route, Value, text_of
from sxdiff.wire import blob_to_json, node_from_json
from sxdiff.work.layers import ReadLayer
from sxdiff.work.pool import BugError, NoAnswerError, Pool, Task
from sxdiff.work.spool import Spool

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
Job = tuple[Pair, Blob, Blob]


class Files:
    """Collects pairs, and tells what was found in them a batch at a time.

    `problem` is told what could not be found out of them, and what follows: (message, resolution).
    """

    def __init__(
        self,
        pool: Pool,
        spool: Spool,
        tell: Tell,
        problem: Callable[[str, str], None],
        limits: Limits,
        debug: bool,
    ) -> None:
        self._pool = pool
        self._spool = spool
        self._tell = tell
        self._problem = problem
        self._limits = limits
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
        answer = self._answer(task, "similar files", "only names and equal contents are paired")
        for path in spooled:
            self._spool.remove(path)
        return [tuple(each) for each in answer or [()] * len(wanted)]

    def _answer(self, task: dict[str, Any], what: str, instead: str) -> Any:
        """The answer to a task that the comparison can do without: None where there is none."""
        seconds = {"name": f"looking for {what}", "cpu_seconds": self._limits.look_seconds}
        (answer,) = self._pool.answers([task | seconds])
        if not isinstance(answer, NoAnswerError):
            if isinstance(answer, Exception):
                raise answer
            return answer
        self._problem(str(answer), instead)
        return None

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
                answer = self._answer(
                    task, "digests of files", "digests of some files are not known"
                )
                out += [
                    [bytes.fromhex(value) for value in each] for each in answer or [[]] * len(batch)
                ]
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
                "cpu_seconds": self._limits.look_seconds,
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

    def _look(self, jobs: list[Job]) -> None:
        """Tell what is in each pair. One that took its worker down must not take its neighbours
        with it, so it is looked at alone; then as bytes, whatever its format."""
        failed = self._try([*_batches(jobs)])
        alone = [[job] for batch, _ in failed if len(batch) > 1 for job in batch]
        failed = [one for one in failed if len(one[0]) == 1] + self._try(alone)
        problems = [_problem(error, "compared as bytes") for _, error in failed]
        for ((pair, _, _),), error in self._try([batch for batch, _ in failed], problems):
            self._tell(pair, _undescribed(pair, error))

    def _try(
        self, batches: list[list[Job]], problems: Sequence[Problem] = ()
    ) -> list[tuple[list[Job], Exception]]:
        """Look into batches, or, with the problem that each had, at their bytes. What failed again,
        and why."""
        failed: list[tuple[list[Job], Exception]] = []
        tasks = [_task(batch, self._limits, plain=bool(problems)) for batch in batches]
        for number, answer in self._pool.run(tasks):
            if not isinstance(answer, Exception):
                self._told(batches[number], answer, problems[number : number + 1])
            elif isinstance(answer, NoAnswerError | BugError) and not (
                self._debug and isinstance(answer, BugError)
            ):
                failed.append((batches[number], answer))
            else:
                raise answer
        return failed

    def _told(self, batch: list[Job], answer: list[Any], problems: Sequence[Problem]) -> None:
        for (pair, _, _), found in zip(batch, answer, strict=True):
            # what is stored of two sparse files may be the same where their maps differ
            node = _undescribed(pair) if found is None else node_from_json(found)
            self._tell(pair, replace(node, problems=(*node.problems, *problems)))


def look_at(pool: Pool, a: Blob, b: Blob, name: str, limits: Limits) -> Node | None:
    """How two streams differ that are members of no layer; None where they are the same."""
    problems: tuple[Problem, ...] = ()
    for plain in (False, True):
        (answer,) = pool.answers([_task([(name, a, b)], limits, plain=plain)])
        if not isinstance(answer, Exception):
            node = node_from_json(answer[0]) if answer[0] is not None else None
            return node and replace(node, problems=(*node.problems, *problems))
        if not isinstance(answer, NoAnswerError):
            break
        problems = (_problem(answer, "compared as bytes"),)
    raise answer


def _disk_name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _batches(jobs: list[Job]) -> Iterator[list[Job]]:
    batch: list[Job] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += job[1].size + job[2].size
        if size >= _TASK_BYTES or len(batch) >= _TASK_PAIRS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _task(batch: Sequence[tuple[Pair | str, Blob, Blob]], limits: Limits, *, plain: bool) -> Task:
    return {
        "task": "look",
        "cpu_seconds": limits.look_seconds,
        "plain": plain,
        "pairs": [
            {
                "a": blob_to_json(a),
                "b": blob_to_json(b),
                "name": pair if isinstance(pair, str) else pair.path,
            }
            for pair, a, b in batch
        ],
    }


def _problem(error: Exception, instead: str) -> Problem:
    what = "looking into it met an error of sxdiff's own (run with --debug)"
    if isinstance(error, NoAnswerError):
        what = f"looking into it: {error.why}"
    return Problem((), "worker", what, instead)


def _undescribed(pair: Pair, error: Exception | None = None) -> Node:
    """What is certain of a pair that could not be looked into: that it differs."""

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
        (_problem(error, "compared by digest only"),) if error else (),
    )
