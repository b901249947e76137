"""Two images compared: what is told, for tests of causes."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from fixtures.images import Item, Layer, image, layer, oci_archive
from fixtures.tar import Member, tar
from sxdiff.run import Options, compare


class Told(NamedTuple):
    """One difference that follows from no other."""

    kind: str
    place: str
    causes: tuple[str, ...]
    suspect: str | None


def roots(directory: Path, a: bytes, b: bytes) -> list[Told]:
    """What two archives differ by, without what follows."""
    paths = directory / "a.tar", directory / "b.tar"
    for path, data in zip(paths, (a, b), strict=True):
        path.write_bytes(data)
    return roots_of(*map(str, paths))


def roots_of(a: str, b: str) -> list[Told]:
    """The same, of two files."""
    with compare(a, b, Options(jobs=1), None) as report:
        return [
            Told(one["kind"], one["where"][-1], tuple(one["causes"]), one["suspect"])
            for one in report.differences()
            if not one["derived"]
        ]


def causes(found: Iterable[Told]) -> set[str]:
    """The causes that explain them; "" where one is unexplained."""
    return {cause for one in found for cause in one.causes or ("",)}


def archive(*items: Item) -> bytes:
    return oci_archive(*items)


def layered(*layers: Iterable[Member] | Layer) -> bytes:
    """An archive of one image with these layers, lowest first."""
    made = [one if isinstance(one, Layer) else layer(tar(one)) for one in layers]
    return oci_archive(image(made))
