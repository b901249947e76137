"""What a worker can be asked to do. Arguments and results are plain JSON values."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sxdiff.model import InputError, Limits
from sxdiff.wire import blob_from_json, blob_to_json, node_to_json
from sxdiff.work import isolation
from sxdiff.work.spool import Spool, spool_error

_REPORT_EVERY = 16 << 20


class Tasks:
    """The tasks of one worker, and what it keeps between them (seek points of layers).

    `missing` is what the worker lacks of its isolation.
    """

    def __init__(
        self,
        directory: str,
        prefix: str,
        progress: Callable[[int], None],
        limits: Limits | None = None,
        missing: Sequence[str] = (),
    ) -> None:
        self._limits = limits or Limits()
        self._missing = missing
        self._spool = Spool(directory, prefix)
        self._scratch = Spool(directory, prefix + "s")
        self._report = progress
        self._unreported = 0
        self._unpacked: dict[str, Any] = {}

    def run(self, name: str, task: dict[str, Any]) -> Any:
        """Do the task called `name`."""
        if "cpu_seconds" in task:
            isolation.limit_seconds(task["cpu_seconds"])
        return getattr(self, f"do_{name}")(task, self._limits)

    def _progress(self, count: int) -> None:
        self._unreported += count
        if self._unreported >= _REPORT_EVERY:
            self._report(self._unreported)
            self._unreported = 0

    def do_hash(self, task: dict[str, Any], _limits: Limits) -> str:
        """Digest of a blob, `algorithm:hex`; checked against `digest` where one is promised."""
        blob, algorithm = blob_from_json(task["blob"]), task.get("algorithm", "sha256")
        hashed = hashlib.new(algorithm)
        buffer = memoryview(bytearray(1 << 20))
        with open(blob.path, "rb", buffering=0) as file:
            at, left = blob.offset, blob.size
            while left:
                count = os.preadv(file.fileno(), [buffer[: min(left, len(buffer))]], at)
                if not count:
                    raise InputError(f"{task['name']}: the file ends while it is read")
                hashed.update(buffer[:count])
                at, left = at + count, left - count
                self._progress(count)
        found = f"{algorithm}:{hashed.hexdigest()}"
        if task.get("digest", found) != found:
            raise InputError(f"{task['name']}: digest promised {task['digest']}, found {found}")
        return found

    def do_unpack(self, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Take the compression off an input: `path` and `size` of what it held, and an `Outer`."""
        from sxdiff.image.outer import unpack_outer  # noqa: PLC0415 - start-up time

        path = self._spool.new()
        blob, outer = unpack_outer(task["name"], blob_from_json(task["blob"]), path, limits)
        return {"path": blob.path, "size": blob.size, **asdict(outer)}

    def do_scan(self, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Read, verify and index one layer: a `Scan` as a dictionary."""
        from sxdiff.image.unpack import Unpacked  # noqa: PLC0415 - start-up time
        from sxdiff.work.keeper import Keeper  # noqa: PLC0415 - start-up time
        from sxdiff.work.scan import scan  # noqa: PLC0415 - start-up time

        blob = blob_from_json(task["blob"])
        unpacked = Unpacked(blob, limits)
        keeper = Keeper(*task["keep"]) if "keep" in task else None
        try:
            found = scan(
                unpacked,
                name=task["name"],
                digest=task["digest"],
                diff_id=task["diff_id"],
                index=self._spool.new() if task["index"] else None,
                limits=limits,
                progress=self._progress,
                keeper=keeper,
            )
        finally:
            if keeper:
                keeper.close()  # also where this side ends early: the other must not wait for it
        if keeper:
            found.kept_path = task["keep"][2]
        if task["index"]:
            self._unpacked[json.dumps(task["blob"])] = unpacked
        return asdict(found)

    def do_walk(self, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Index a directory on disk as if it were a layer."""
        from sxdiff.work.walk import walk  # noqa: PLC0415 - start-up time

        found = walk(task["directory"], self._spool.new(), limits, self._progress)
        return asdict(found)

    def do_merge(self, task: dict[str, Any], _limits: Limits) -> dict[str, Any]:
        """Merge layer indexes into one tree."""
        from sxdiff.compare.rootfs import merge  # noqa: PLC0415 - start-up time

        target = self._spool.new()
        layers = [(path, estargz) for path, estargz in task["layers"]]
        return {"root": target, "paths": merge(layers, target, whiteouts=task["whiteouts"])}

    def do_fetch(self, task: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Copy spans of an unpacked layer into one file of the spool, one after the other."""
        from sxdiff.image.unpack import Unpacked  # noqa: PLC0415 - start-up time

        blob = blob_from_json(task["blob"])
        unpacked = self._unpacked.get(json.dumps(task["blob"])) or Unpacked(blob, limits)
        path = self._spool.new()
        try:
            with open(path, "wb") as file:
                for _, chunk in unpacked.spans([(at, size) for at, size in task["spans"]]):
                    file.write(chunk)
        except OSError as error:
            raise spool_error(error) from None
        return {"path": path}

    def do_look(self, task: dict[str, Any], limits: Limits) -> list[Any]:
        """Look into pairs of files that differ: one node, as JSON, for each. With `plain` only as
        bytes, whatever their format."""
        from sxdiff.compare import closer  # noqa: PLC0415 - start-up time

        nodes = []
        for pair in task["pairs"]:
            a, b, name = blob_from_json(pair["a"]), blob_from_json(pair["b"]), pair["name"]
            if task.get("plain"):
                node = closer.plain(a, b, name, limits)
            else:
                node = closer.look(a, b, name, self._scratch, limits)
            nodes.append(None if node is None else node_to_json(node))
            self._scratch.clear()
        return nodes

    def do_sketch(self, task: dict[str, Any], _limits: Limits) -> list[Any]:
        """Sketches of contents, by which similar ones are found."""
        from sxdiff.compare.renames import sketch  # noqa: PLC0415 - start-up time

        return [sketch(blob_from_json(blob)) for blob in task["blobs"]]

    def do_normalise(self, task: dict[str, Any], limits: Limits) -> list[Any]:
        """Both sides of a pair of files with all claims taken out: two blobs of the spool."""
        from sxdiff.compare.closer import normalised  # noqa: PLC0415 - start-up time

        sides = normalised(
            blob_from_json(task["a"]),
            blob_from_json(task["b"]),
            task["name"],
            self._scratch,
            limits,
        )
        blobs = [self._spool.store(chunks, limits.member_bytes) for chunks in sides]
        self._scratch.clear()
        return [blob_to_json(blob) for blob in blobs]

    def do_digests(self, task: dict[str, Any], _limits: Limits) -> list[list[str]]:
        """What contents are known by elsewhere (`compare.digests`), in hexadecimal."""
        from sxdiff.compare.digests import values  # noqa: PLC0415 - start-up time

        return [
            [value.hex() for value in values(blob_from_json(blob), task["sizes"])]
            for blob in task["blobs"]
        ]

    def do_encoder(self, task: dict[str, Any], limits: Limits) -> str | None:
        """Which encoder gives these packed bytes, where recompressing can prove it."""
        from sxdiff.image.encoder import fingerprint  # noqa: PLC0415 - start-up time

        return fingerprint(blob_from_json(task["blob"]), limits)

    def do_isolation(self, _task: dict[str, Any], _limits: Limits) -> dict[str, Any]:
        """What this worker lacks of its isolation, and what it really can't do."""
        return {"missing": [*self._missing], "tried": isolation.tried()}

    def do_forget(self, task: dict[str, Any], _limits: Limits) -> None:
        """Let go of what was kept for a layer that nobody asks about any more."""
        self._unpacked.pop(json.dumps(task["blob"]), None)
