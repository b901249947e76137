"""The floor: two processes, each reads one side, inflates its layers and takes SHA-256 of both.

python -m bench.floor A B           every layer
python -m bench.floor --lean A B    layers that both sides have are unpacked on one of them only
"""

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from isal import isal_zlib
from zstandard import ZstdDecompressor

CHUNK = 256 << 10


def blobs(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of each layer of the archive, by digest."""
    with tarfile.open(path) as archive:
        places = {member.name: member for member in archive}

        def document(digest: str) -> dict[str, list[dict[str, str]]]:
            file = archive.extractfile(places["blobs/" + digest.replace(":", "/")])
            assert file is not None
            value: dict[str, list[dict[str, str]]] = json.load(file)
            return value

        file = archive.extractfile(places["index.json"])
        assert file is not None
        manifest = document(json.load(file)["manifests"][0]["digest"])
        found = {}
        for layer in manifest["layers"]:
            member = places["blobs/" + layer["digest"].replace(":", "/")]
            found[layer["digest"]] = (member.offset_data, member.size)
        return found


def _inflater(head: bytes) -> Callable[[bytes], bytes]:
    if head[:2] == b"\x1f\x8b":
        inflate: Callable[[bytes], bytes] = isal_zlib.decompressobj(31).decompress
        return inflate
    return ZstdDecompressor().decompressobj().decompress


def _chunks(path: Path, offset: int, size: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        while size:
            data = file.read(min(CHUNK, size))
            assert data
            size -= len(data)
            yield data


def side(path: Path, unpacked_too: set[str]) -> None:
    for digest, (offset, size) in blobs(path).items():
        packed, unpacked = hashlib.sha256(), hashlib.sha256()
        inflate = None
        for data in _chunks(path, offset, size):
            packed.update(data)
            if digest in unpacked_too:
                inflate = inflate or _inflater(data)
                unpacked.update(inflate(data))
        assert "sha256:" + packed.hexdigest() == digest


def main(arguments: list[str]) -> None:
    if arguments[0] == "--side":
        side(Path(arguments[1]), set(arguments[2:]))
        return
    lean = arguments[0] == "--lean"
    a, b = (Path(one) for one in arguments[-2:])
    of_a, of_b = set(blobs(a)), set(blobs(b))
    if lean:
        # what verifying takes: each digest on both sides, each diff_id once, on two cores
        shared = sorted(of_a & of_b)
        of_a, of_b = (of_a - of_b) | set(shared[::2]), (of_b - of_a) | set(shared[1::2])
    jobs = ((a, of_a), (b, of_b))
    processes = [
        subprocess.Popen([sys.executable, "-m", "bench.floor", "--side", str(path), *digests])
        for path, digests in jobs
    ]
    statuses = [process.wait() for process in processes]
    if any(statuses):
        raise SystemExit("the floor failed")


if __name__ == "__main__":
    main(sys.argv[1:])
