"""Pairs of files in images: all that is equal is equal to the byte, so that one cause is left.

An image of a wrapped pair has a layer that is the same on both sides, and a layer with the files.
Headers of members, the config and the manifest say the same on both sides.
"""

import gzip
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fixtures.causes.make import PAIRS, Recipe, contents, real_name
from fixtures.images import Item, Layer, image, layer
from fixtures.packing import gzip as stored_gzip
from fixtures.tar import Member, directory, file, symlink, tar

MTIME = 1
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
HOME = "usr/lib/app"
"""Where a recipe's files are put that says no place of its own."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file of a side."""

    content: bytes
    mode: int = 0o644
    target: str | None = None

    def but(self, **changes: object) -> "Held":
        return replace(self, **changes)  # type: ignore[arg-type]  # names are checked by replace


Files = dict[str, Held]
"""Files by their path in the image."""


def read(root: Path) -> Files:
    """What is stored of one side."""
    held: Files = {}
    for name, path in contents(root).items():
        real = real_name(name.removesuffix(".packed"))
        if path.is_symlink():
            held[real] = Held(b"", 0o777, os.readlink(path))
        else:
            mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            data = path.read_bytes()
            if name.endswith(".packed"):
                data = gzip.decompress(data)
            held[real] = Held(data, mode)
    return held


def placed(recipe: Recipe, side: str, home: str = HOME) -> Files:
    """The files of one side of a recipe's pair where they belong in an image."""
    target = recipe.get("destination", home)
    strip = recipe.get("strip", "")
    return {
        "/".join(filter(None, (target, name.removeprefix(strip)))): held
        for name, held in read(PAIRS / recipe["id"] / side).items()
    }


def differing(a: Files, b: Files) -> tuple[str, ...]:
    """Paths whose file differs or is on one side only."""
    return tuple(sorted(path for path in a.keys() | b.keys() if a.get(path) != b.get(path)))


def members(files: Files) -> list[Member]:
    """Members for these files and the directories above them, by name."""
    made: dict[str, Member] = {}
    for path, held in files.items():
        steps = path.split("/")
        for number in range(1, len(steps)):
            parent = "/".join(steps[:number])
            made.setdefault(parent, directory(parent))
        if held.target is not None:
            made[path] = symlink(path, held.target)
        else:
            made[path] = file(path, held.content, held.mode)
    return [_long(made[path].but(mtime=MTIME)) for path in sorted(made)]


def _long(member: Member) -> Member:
    return member.but(dialect="gnu") if len(member.name) > 100 else member


def packed(unpacked: bytes) -> Layer:
    return layer(unpacked, gzip.compress(unpacked, 6, mtime=0), LAYER_GZIP)


def stored(unpacked: bytes) -> Layer:
    return layer(unpacked, stored_gzip(unpacked), LAYER_GZIP)


BASE: Files = {
    "etc/os-release": Held(b'PRETTY_NAME="Example Linux 1"\nID=example\nVERSION_ID="1"\n'),
    "etc/issue": Held(b"Example Linux 1 \\n \\l\n"),
}


def base() -> Layer:
    """The layer that is the same on both sides."""
    return packed(tar(members(BASE)))


def wrap(layers: Iterable[Files], where: Mapping[str, str] | None = None) -> Item:
    """An image of the base and these layers."""
    return image([base(), *(packed(tar(members(files))) for files in layers)], where=where)


def merge(parts: Sequence[Files]) -> Files:
    merged: Files = {}
    for part in parts:
        if merged.keys() & part.keys():
            raise ValueError(f"twice: {sorted(merged.keys() & part.keys())}")
        merged |= part
    return merged
