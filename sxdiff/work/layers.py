"""Pass 1 over all layers of both sides: each blob is read once, on as many cores as there are."""

import os
from dataclasses import dataclass
from typing import Any

from sxdiff.compare.index import Members
from sxdiff.image.graph import Layer
from sxdiff.image.unpack import compression_of
from sxdiff.model import Blob, InputError
from sxdiff.wire import blob_to_json
from sxdiff.work.pool import Pool, Task
from sxdiff.work.spool import Spool

DIRECTORY = "inode/directory"
"""Media type of a plain root that is a directory on disk; its `blob` names the directory."""

_ESTARGZ_FOOTER = 51
"""Size of the gzip member that ends an estargz blob (stargz-snapshotter, docs/estargz.md)."""


@dataclass(frozen=True, slots=True)
class ReadLayer:
    """A layer that was read and verified. `scanned` is a `work.scan.Scan` as a dictionary."""

    layer: Layer
    blob: Blob
    scanned: dict[str, Any]
    worker: int | None

    @property
    def digest(self) -> str:
        found: str = self.scanned["digest"]
        return self.layer.digest or found

    @property
    def diff_id(self) -> str:
        found: str = self.scanned["diff_id"]
        return found

    @property
    def is_directory(self) -> bool:
        return self.layer.media_type == DIRECTORY

    @property
    def packing(self) -> str:
        """ "estargz" or "zstd:chunked" where the blob carries a table of contents, else "plain"."""
        if self.scanned["compression"] == "gzip":
            footer = self.blob.read(max(0, self.blob.size - _ESTARGZ_FOOTER))
            if footer[12:14] == b"SG" and footer[32:38] == b"STARGZ":
                return "estargz"
        if self.scanned["compression"] == "zstd":
            skippable = [f for f in self.scanned["facts"] if f["kind"] == "layer.zstd.skippable"]
            if skippable and self.blob.read(max(0, self.blob.size - 64)).endswith(b"GNUlInUx"):
                return "zstd:chunked"
        return "plain"

    def members(self) -> Members:
        """The index of its members, opened."""
        return Members(self.scanned["index"])


class Reading:
    """What has to be read, then what was found. Blobs are named by where they lie."""

    def __init__(self, pool: Pool, spool: Spool) -> None:
        self._pool = pool
        self._spool = spool
        self._pairs: list[tuple[Blob, Blob]] = []
        self._tasks: dict[Blob, Task] = {}
        self._twins: dict[Blob, Blob] = {}
        self._found: dict[Blob, dict[str, Any]] = {}
        self.total = 0
        """Bytes to read in all, for who watches the progress."""

    def want(self, layer: Layer, name: str, *, index: bool, twin: Layer | None = None) -> None:
        """Have a layer read and verified; `name` says in errors which it is.

        `twin` is a layer of the other side with the same promised digest: then that one's
        reading serves both, and here only the packed bytes are verified.
        """
        blob = layer.blob
        if blob is None:
            return
        if layer.media_type == DIRECTORY:
            self._tasks[blob] = {"task": "walk", "name": name, "directory": blob.path}
            return
        task = self._tasks.get(blob)
        if twin is not None and twin.blob is not None and twin.blob != blob:
            self._twins[blob] = twin.blob
            self._tasks.setdefault(blob, self._hash(blob, layer.digest, name))
            return
        if task is None or task["task"] == "hash":
            self._tasks[blob] = {
                "task": "scan",
                "name": name,
                "blob": blob_to_json(blob),
                "digest": layer.digest,
                "diff_id": layer.diff_id,
                "index": index,
            }
        elif task["task"] == "scan":
            task["index"] = task["index"] or index
            if task["diff_id"] != layer.diff_id and layer.diff_id is not None:
                raise InputError(
                    f"{name}: one blob with two diff_ids, {task['diff_id']} and {layer.diff_id}"
                )

    def pair(self, a: Layer, b: Layer) -> None:
        """Have two layers read side by side, each keeping what the other has otherwise."""
        if a.blob is not None and b.blob is not None and a.blob != b.blob:
            self._pairs.append((a.blob, b.blob))

    def _keep(self) -> None:
        for a, b in self._pairs:
            tasks = [self._tasks.get(blob, {}) for blob in (a, b)]
            if any(task.get("task") != "scan" or "keep" in task for task in tasks) or all(
                compression_of(blob.read(0, 8)) in ("none", "gzip") for blob in (a, b)
            ):
                continue  # spans of these are fetched without reading all again
            one, other = self._spool.new(), self._spool.new()
            tasks[0]["keep"] = [one, other, self._spool.new()]
            tasks[1]["keep"] = [other, one, self._spool.new()]

    def want_digest(self, blob: Blob, digest: str, name: str) -> None:
        """Have the bytes of a blob that is no layer verified."""
        self._tasks.setdefault(blob, self._hash(blob, digest, name))

    @staticmethod
    def _hash(blob: Blob, digest: str | None, name: str) -> Task:
        task: Task = {"task": "hash", "name": name, "blob": blob_to_json(blob)}
        if digest is not None:
            task |= {"digest": digest, "algorithm": digest.partition(":")[0]}
        return task

    def run(self) -> None:
        """Do what is wanted, largest first. Raises the first InputError."""
        self._keep()
        order = sorted(self._tasks, key=lambda blob: (-blob.size, blob.path, blob.offset))
        self.total += sum(blob.size for blob in order)
        answers = self._pool.all([self._tasks[blob] for blob in order])
        for blob, answer in zip(order, answers, strict=True):
            if isinstance(answer, dict):
                self._found[blob] = answer
        self._tasks.clear()

    def verified(self) -> set[Blob]:
        """Blobs whose digest was checked."""
        return set(self._found) | set(self._twins)

    def get(self, layer: Layer) -> ReadLayer | None:
        """What was found of a layer; None where its blob is absent."""
        blob = layer.blob
        if blob is None:
            return None
        source = self._twins.get(blob, blob)
        scanned = self._found.get(source)
        if scanned is None:
            raise KeyError(f"layer {layer.number} was not read")
        # a twin's spans lie in the blob that was scanned
        return ReadLayer(layer, source, scanned, scanned.get("worker"))


def directory_layer(directory: str) -> Layer:
    """A plain root on disk as a pseudo-layer."""
    return Layer(1, None, Blob(os.fspath(directory), 0, 0), "", DIRECTORY, None, None, None)


def root_layer(blob: Blob) -> Layer:
    """A plain root as a tar archive, as a pseudo-layer."""
    return Layer(1, None, blob, "", "", None, None, None)


def promised_equal(a: Layer, b: Layer) -> bool:
    """Do two layers promise the same packed bytes?"""
    return a.digest is not None and a.digest == b.digest
