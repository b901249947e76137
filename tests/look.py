"""A closer look at two byte strings or files, for tests."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from sxdiff.compare.closer import look
from sxdiff.model import Blob, Difference, LimitError, Limits, Node, Route

Look = Callable[..., Node | None]
"""Called with two byte strings or paths, and limits where the default is not meant."""

LIMITS = Limits()


class Files:
    """A `Scratch` over numbered files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()

    def store(self, chunks: Iterable[bytes], limit: int) -> Blob:
        path = self._directory / f"{next(self._numbers)}"
        size = 0
        with path.open("wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
                if size > limit:
                    raise LimitError("too long")
        return Blob(str(path), 0, size)


def looking(folder: Path) -> Look:
    """`look` with `folder` as its scratch."""
    scratch = Files(folder)

    def run(a: bytes | Path, b: bytes | Path, limits: Limits = LIMITS) -> Node | None:
        sides = []
        for side, data in (("a", a), ("b", b)):
            path = folder / side if isinstance(data, bytes) else data
            if isinstance(data, bytes):
                path.write_bytes(data)
            sides.append(Blob(str(path), 0, path.stat().st_size))
        return look(sides[0], sides[1], "f", scratch, limits)

    return run


def differences(node: Node | None, where: Route = ()) -> Iterator[Difference]:
    """All differences of a tree with their whole routes."""
    if node is None:
        return
    for difference in node.differences:
        yield replace(difference, where=where + difference.where)
    for child in node.nodes:
        yield from differences(child, (*where, child.name))


def told(node: Node | None, *, derived: bool = False) -> list[tuple[str, Route, object, object]]:
    """(kind, where, a's value, b's value) of each difference that is no consequence, in order;
    of consequences with `derived`."""
    return [
        (one.kind, one.where, one.a and one.a.value, one.b and one.b.value)
        for one in differences(node)
        if one.derived == derived
    ]
