"""Images of a wanted size, made once and kept: thousands of members, sizes as in real images.

Everything follows from a seed. The content is made from a pool of 64 MiB that compresses like
programs do (2 to 3 times); members are slices of it. Memory stays bounded: streams go through.
"""

import hashlib
import json
import math
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard
from zlib_ng import zlib_ng

HERE = Path(__file__).parent / "images"
RECIPE = 1
"""Raise it when the images change: the cached ones are then made anew."""

POOL = 64 << 20
GZIP_LEVEL = 6
ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Spec:
    """One image. `touched` says what differs from the plain one."""

    size: int
    compression: str = "gzip"
    layers: int = 1
    members: int = 0
    """How many members of 0 to 100 bytes; where 0, `size` bytes in realistic ones."""
    touched: str = ""
    """What differs: "middle" or "end" (one byte in one member), "layer" (one byte in a member of
    the middle layer), "mtimes" (every member's time)."""

    @property
    def name(self) -> str:
        what = f"{self.members}-members" if self.members else f"{self.size / 1e9:g}GB"
        return "-".join(filter(None, (what, self.compression, f"{self.layers}l", self.touched)))


class _Encoder(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


@cache
def _pool() -> bytes:
    """Words of 3 to 24 bytes, some frequent, between a few bytes with no pattern."""
    rng = random.Random(1)  # noqa: S311 - the same images every time
    words = [rng.randbytes(rng.randint(3, 24)) for _ in range(2000)]
    # rank-frequency as in code: a few words make most of it
    weights = list(accumulate(1 / (rank + 5) for rank in range(len(words))))
    noise = [rng.randbytes(number & 3) for number in range(50000)]
    count = 1 << 17
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < POOL:
        tokens = [b""] * (2 * count)
        tokens[::2] = rng.choices(words, cum_weights=weights, k=count)
        tokens[1::2] = rng.choices(noise, k=count)
        pieces.append(b"".join(tokens))
    return b"".join(pieces)[:POOL]


def _sizes(total: int, rng: random.Random) -> Iterator[int]:
    """Member sizes: half below 6 kB, a few of tens of megabytes, 90 kB on average."""
    left = total
    while left > 0:
        size = min(int(rng.lognormvariate(math.log(6000), 2.3)), 48 << 20, left)
        yield size
        left -= size + 512


def _header(name: bytes, size: int, mtime: int, kind: bytes, mode: int) -> bytes:
    """A USTAR header; tarfile's own takes ten times as long."""
    start = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        mode,
        0,
        0,
        size,
        mtime,
    )
    end = kind + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\x000000000\0" + bytes(167)
    checksum = sum(start) + 8 * 32 + sum(end)
    return start + b"%06o\0 " % checksum + end


def _realistic(spec: Spec, layer: int) -> Iterator[bytes]:
    pool = memoryview(_pool())
    rng = random.Random(f"{spec.size} {layer}")  # noqa: S311 - as above
    sizes = list(_sizes(spec.size // spec.layers, rng))
    wanted = {"middle": len(sizes) // 2, "end": len(sizes) * 99 // 100, "layer": len(sizes) // 2}
    touched = wanted.get(spec.touched, -1)
    if spec.touched == "layer" and layer != spec.layers // 2:
        touched = -1
    while touched >= 0 and sizes[touched] < 4096:  # a small member might be empty
        touched -= 1
    mtime = 1767225600 if spec.touched == "mtimes" else 1
    for number, size in enumerate(sizes):
        folder = b"usr/lib/layer-%d/%03d/" % (layer, number // 100)
        if number % 100 == 0:
            yield _header(folder, 0, mtime, b"5", 0o755)
        yield _header(folder + b"file-%02d.so" % (number % 100), size, mtime, b"0", 0o644)
        start = rng.randrange(len(pool) - (48 << 20))
        if number == touched:
            data = bytearray(pool[start : start + size])
            data[size // 2] ^= 1
            yield bytes(data)
        else:
            for at in range(0, size, 1 << 20):
                yield bytes(pool[start + at : start + min(at + (1 << 20), size)])
        yield bytes(-size % 512)
    yield bytes(1024)


def _tiny(spec: Spec) -> Iterator[bytes]:
    pool = _pool()
    mtime = 1767225600 if spec.touched == "mtimes" else 1
    for number in range(spec.members):
        folder = b"data/%04d/%02d/" % (number // 2000, number // 100 % 20)
        if number % 100 == 0:
            yield _header(folder, 0, mtime, b"5", 0o755)
        size = number * 7919 % 101
        data = pool[number * 64 : number * 64 + size].ljust(size, b"x")
        if number == spec.members // 2 and spec.touched == "middle":
            data = b"touched".ljust(size, b"x")[: max(size, 1)]
            size = len(data)
        yield _header(folder + b"%08d" % number, size, mtime, b"0", 0o644)
        yield data + bytes(-size % 512)
    yield bytes(1024)


def _encoder(compression: str) -> _Encoder:
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()
    # window bits 31: with a gzip header
    return cast(_Encoder, zlib_ng.compressobj(GZIP_LEVEL, zlib_ng.DEFLATED, 31))


def _layer(spec: Spec, number: int, target: Path) -> tuple[str, str, int]:
    """Writes one packed layer; its digest, its diff_id and its size."""
    packed, unpacked = hashlib.sha256(), hashlib.sha256()
    encoder = _encoder(spec.compression)
    size = 0
    with target.open("wb") as file:
        for chunk in _gathered(_tiny(spec) if spec.members else _realistic(spec, number)):
            unpacked.update(chunk)
            data = encoder.compress(chunk)
            packed.update(data)
            size += file.write(data)
        data = encoder.flush()
        packed.update(data)
        size += file.write(data)
    return packed.hexdigest(), unpacked.hexdigest(), size


def _gathered(chunks: Iterator[bytes], wanted: int = 1 << 20) -> Iterator[bytes]:
    out: list[bytes] = []
    size = 0
    for chunk in chunks:
        out.append(chunk)
        size += len(chunk)
        if size >= wanted:
            yield b"".join(out)
            out, size = [], 0
    yield b"".join(out)


def _member(file: BinaryIO, name: str, data: bytes | Path) -> None:
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    file.write(_header(name.encode(), size, 0, b"0", 0o444))
    if isinstance(data, Path):
        with data.open("rb") as source:
            shutil.copyfileobj(source, file, 1 << 20)
    else:
        file.write(data)
    file.write(bytes(-size % 512))


def _document(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _write(spec: Spec, target: Path) -> None:
    work = target.with_suffix(".layers")
    work.mkdir(exist_ok=True)
    layers = [_layer(spec, number, work / str(number)) for number in range(spec.layers)]
    media = "application/vnd.oci.image"
    config = _document(
        {
            "architecture": "amd64",
            "config": {"WorkingDir": "/"},
            "created": "1970-01-01T00:00:01Z",
            "history": [{"created_by": f"COPY {n}"} for n in range(spec.layers)],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for _, d, _ in layers]},
        }
    )

    def descriptor(kind: str, data: bytes) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        return {"mediaType": f"{media}.{kind}.v1+json", "digest": digest, "size": len(data)}

    layer_type = f"{media}.layer.v1.tar+{spec.compression}"
    manifest = _document(
        {
            "schemaVersion": 2,
            "mediaType": f"{media}.manifest.v1+json",
            "config": descriptor("config", config),
            "layers": [
                {"mediaType": layer_type, "digest": f"sha256:{digest}", "size": size}
                for digest, _, size in layers
            ],
        }
    )
    index = _document({"schemaVersion": 2, "manifests": [descriptor("manifest", manifest)]})
    partial = target.with_suffix(".partial")
    with partial.open("wb") as file:
        for number, (digest, _, _) in enumerate(layers):
            _member(file, f"blobs/sha256/{digest}", work / str(number))
        for data in (config, manifest):
            _member(file, f"blobs/sha256/{hashlib.sha256(data).hexdigest()}", data)
        _member(file, "index.json", index)
        _member(file, "oci-layout", _document({"imageLayoutVersion": "1.0.0"}))
        file.write(bytes(1024))
    shutil.rmtree(work)
    partial.rename(target)


def path(spec: Spec, copy: bool = False) -> Path:
    """Where the archive of this image lies; `copy` for an equal second file."""
    return HERE / f"recipe-{RECIPE}" / f"{spec.name}{'.copy' if copy else ''}.tar"


def _make(spec: Spec) -> None:
    _write(spec, path(spec))


def make(wanted: Iterable[tuple[Spec, bool]], say: Callable[[str], None]) -> None:
    """Makes what is not there yet, one image in each of as many processes as there are cores.

    Never in this process: what it holds at its peak, the kernel counts as its children's too.
    """
    wanted = set(wanted)
    if not (HERE / f"recipe-{RECIPE}").exists():
        shutil.rmtree(HERE, ignore_errors=True)
        (HERE / f"recipe-{RECIPE}").mkdir(parents=True)
    specs = sorted({spec for spec, _ in wanted if not path(spec).exists()}, key=lambda s: -s.size)
    if specs:
        say(f"making {len(specs)} images below {HERE}")
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as processes:
            for spec, _ in zip(specs, processes.map(_make, specs), strict=True):
                say(f"  {path(spec).name}: {path(spec).stat().st_size / 1e6:.0f} MB")
    for spec, copy in sorted(wanted, key=str):
        if copy and not path(spec, copy=True).exists():
            partial = path(spec).with_suffix(".partial")
            shutil.copyfile(path(spec), partial)
            partial.rename(path(spec, copy=True))
