"""What each target starts from: the fixtures of this repository, and what fuzzing added."""

import bz2
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path

from bench.fuzz.targets import SEPARATOR, Target, graph_seeds, pair
from fixtures.images import docker_archive, image, index, layer, oci_archive
from fixtures.packing import zstd
from fixtures.recipes.base import root
from fixtures.recipes.formats import folders, format_of, sides
from fixtures.tar import directory, file, hardlink, opaque, sparse, symlink, tar, whiteout, xattr
from sxdiff.causes.catalogue import CAUSES

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"
"""A folder a target: inputs that reach what the fixtures do not."""
CRASHES = ROOT / "tests" / "hostile" / "crashes"
"""A folder a target: inputs that broke a law once."""
PAIRS = ROOT / "fixtures" / "causes" / "pairs"
LARGEST = 64 << 10


def seeds(target: Target) -> Iterator[bytes]:
    """Inputs to start with, in the same order everywhere."""
    for data in _made(target):
        if len(data) <= LARGEST:
            yield data
    for folder in (CORPUS, CRASHES):
        yield from kept(folder, target)


def kept(folder: Path, target: Target) -> Iterator[bytes]:
    """The target's inputs below `CORPUS` or `CRASHES`."""
    for path in sorted((folder / target.name).glob("*")):
        yield path.read_bytes()


def _made(target: Target) -> Iterator[bytes]:
    if target.reads:
        for folder in folders():
            if format_of(folder) in target.reads:
                yield from (side.read_bytes() for side in sides(folder))
    elif target.name == "look":
        yield from (pair(a.read_bytes(), b.read_bytes()) for a, b in map(sides, folders()))
        yield from _pairs()
    elif target.name == "finders":
        for number, cause in enumerate(CAUSES):
            for one in (cause.example, cause.near_miss):
                texts = (text.encode("utf-8", "surrogateescape") for text in (one.a, one.b))
                yield bytes([number % 256]) + SEPARATOR.join(texts)
    elif target.name == "graph":
        yield from graph_seeds()
    elif target.name == "json":
        yield from (data[1:] for data in graph_seeds())
        yield b'{"a":[1,-0,2.5e3,true,null,"\\u00e9\\ud83d\\ude00",{}],"a/~b":""}\n'
    elif target.name == "report":
        for path in sorted((ROOT / "reports").glob("*/report.json")):
            if path.stat().st_size < LARGEST >> 3:
                yield path.read_bytes()
    elif target.name == "layer":
        yield from _tars()
    elif target.name == "archive":
        small = image([layer(tar(root()))])
        yield from (oci_archive(small), docker_archive(small), oci_archive(index([small])))
        yield from (gzip.compress(oci_archive(small), mtime=0), zstd(oci_archive(small)))
        yield from _tars()
    elif target.name == "unpack":
        for content in (b"", b"text\n" * 500, tar(root())):
            packed = gzip.compress(content, mtime=0)
            yield from (packed, packed + packed, packed + bytes(20))
            yield from (zstd(content), zstd(content) + b"\x50\x2a\x4d\x18\3\0\0\0abc")
            yield from (bz2.compress(content), lzma.compress(content), content)


def _pairs() -> Iterator[bytes]:
    """The files of the causes' pairs that both sides have and that differ."""
    for folder in sorted(PAIRS.iterdir()):
        for path in sorted((folder / "a").rglob("*")):
            other = folder / "b" / path.relative_to(folder / "a")
            if path.is_file() and other.is_file():
                a, b = path.read_bytes(), other.read_bytes()
                if a != b:
                    yield pair(a, b)


def _tars() -> Iterator[bytes]:
    yield tar(root())
    yield tar(
        [
            directory("d"), file("d/f", "x" * 700), symlink("s", "d/f"), hardlink("h", "d/f"),
            whiteout("w"), opaque("d"), file("p").but(pax=(xattr("user.a", b"\0b"),)),
            file("n" * 120).but(dialect="gnu"), file("t").but(pax=((b"mtime", b"1.5"),)),
            file("g").but(pax=((b"path", b"long/" * 40), (b"uid", b"9" * 9))),
        ]
    )  # fmt: skip
    yield tar([sparse("x", 100_000, [(0, b"data" * 200), (50_000, b"more")])])
