"""python -m bench.soak [MEMBERS]: layers of very many members, in every way that could hurt.

Not part of the tests: a million members take some minutes a kind. Prints time and memory of all
processes together, and fails where memory goes beyond what was promised.
"""

import hashlib
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zstandard

from bench.measure import run
from fixtures.images import image, layer, oci_archive

MEMBERS = 1_000_000
MOST_BYTES = 500 << 20
_BATCH = 1000


def header(name: bytes, size: int = 0, mtime: int = 1, link: bytes = b"") -> bytes:
    """A USTAR header, made faster than fixtures.tar makes them."""
    fields = (
        name.ljust(100, b"\0")
        + b"0000644\x000000000\x000000000\0"
        + b"%011o\0%011o\0        " % (size, mtime)
        + (b"1" if link else b"0")
        + link.ljust(100, b"\0")
        + b"ustar\x0000"
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:] + bytes(247)


def _content(data: bytes) -> bytes:
    return data.ljust(512, b"\0")


def _name(number: int) -> bytes:
    return b"d%03d/f%d" % (number // 1000, number)


Kind = Callable[[int, str], bytes]
KINDS: dict[str, Kind] = {
    "one mtime differs": lambda n, side: header(_name(n), mtime=1 + (n == 0 and side == "b")),
    "all mtimes differ": lambda n, side: header(_name(n), mtime=1 + (side == "b")),
    "all contents differ": lambda n, side: header(_name(n), 1) + _content(side.encode()),
    "all names differ": lambda n, side: header(side.encode() + _name(n), 1) + _content(b"%d" % n),
    "names that step out": lambda n, side: header(b"../" + _name(n), mtime=1 + (side == "b")),
    "one name": lambda n, side: header(b"x", 1, 1 + (side == "b")) + _content(b"%d" % (n % 10)),
    "hard links of one file": lambda n, side: (
        header(_name(n), link=_name(0)) if n else header(b"./" * (side == "b") + _name(0))
    ),
    "whiteouts": lambda n, side: header(
        b"d%03d/.wh.f%d" % (n // 1000, n), mtime=1 + (n == 0 and side == "b")
    ),
}


def archive(members: Iterator[bytes], packing: str) -> bytes:
    """An image of one layer, packed as it is made."""
    packer: Any = zlib.compressobj(1, wbits=31)
    if packing == "zstd":
        packer = zstandard.ZstdCompressor(1).compressobj()
    hashed, parts, batch = hashlib.sha256(), [], []
    for member in members:
        batch.append(member)
        if len(batch) == _BATCH:
            hashed.update(b"".join(batch))
            parts.append(packer.compress(b"".join(batch)))
            batch.clear()
    batch.append(bytes(1024))
    hashed.update(b"".join(batch))
    parts += [packer.compress(b"".join(batch)), packer.flush()]
    media_type = f"application/vnd.oci.image.layer.v1.tar+{packing}"
    config = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashed.hexdigest()}"]}}
    return oci_archive(image([layer(b"", b"".join(parts), media_type)], config=config))


def main(arguments: list[str]) -> int:
    members = int(arguments[0]) if arguments else MEMBERS
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            for packing in ("gzip", "zstd"):
                paths = [Path(folder, f"{side}.tar") for side in "ab"]
                for side, path in zip("ab", paths, strict=True):
                    path.write_bytes(archive((kind(n, side) for n in range(members)), packing))
                words = [sys.executable, "-m", "sxdiff.cli", "--json", "r.json", *map(str, paths)]
                done = run(words, pss=True, cwd=Path(folder))
                worst = max(worst, done.pss)
                print(
                    f"{name:24} {packing:5} {members:9} members  exit {done.status}"
                    f" {done.wall:7.1f} s  cpu {done.cpu:7.1f} s  {done.pss >> 20:4} MiB",
                    flush=True,
                )
    print(f"most memory: {worst >> 20} MiB of {MOST_BYTES >> 20}")
    return int(worst > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
