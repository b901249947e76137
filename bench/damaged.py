"""python -m bench.damaged [KIND]...: 100 damaged copies of one real image, each compared with it.

The image has gzip layers of this machine's own programs, libraries and manuals, by tar and umoci:
some 100 MB packed. In half of the copies the archive is damaged as it lies. In the others what is
inside is damaged and all digests are made right again, so that sxdiff has to look into it. Prints
exit codes, seconds and memory of all processes together by kind of damage, and fails where one
copy takes more than is promised, has an exit code or a line that it must not, or leaves a file.
"""

import gzip
import hashlib
import io
import json
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import run
from fixtures.tar import file, tar

SEED = 1
MOST_BYTES = 300 << 20
MOST_SECONDS = 60
GZIP_LEVEL = 6

TREES: tuple[tuple[str, int], ...] = (
    ("/usr/bin", 60 << 20),
    ("/usr/lib/x86_64-linux-gnu", 90 << 20),
    ("/usr/lib/python3", 60 << 20),
    ("/usr/lib/python3.11", 60 << 20),
    ("/usr/share/doc", 40 << 20),
    ("/usr/share/man", 30 << 20),
)
"""A layer each, of the first files by name, up to so many bytes."""


def _files(tree: str, most: int) -> Iterator[Path]:
    size = 0
    for path in sorted(Path(tree).rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        size += path.stat().st_size
        if size > most:
            return
        yield path


def make(folder: Path) -> Path:
    """The good image, an OCI archive below `folder`."""
    layout = folder / "layout"
    subprocess.run(["umoci", "init", "--layout", layout], check=True)
    subprocess.run(["umoci", "new", "--image", f"{layout}:good"], check=True)
    layers = []
    for number, (tree, most) in enumerate(TREES):
        names = folder / f"{number}.names"
        names.write_text("\n".join(map(str, _files(tree, most))))
        target = folder / f"{number}.tar"
        with open(folder / "tar.errors", "wb") as errors:
            subprocess.run(
                ["tar", "-cf", target, "-C", "/", "-T", names], check=True, stderr=errors
            )
        layers.append(target)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(Path("/usr/lib/python3.11").glob("*.py")):
            archive.write(path, path.name)
    layers.append(folder / "zip.tar")
    content = zipped.getvalue()
    layers[-1].write_bytes(tar([file(f"srv/{number}.zip", content) for number in range(8)]))
    for target in layers:
        subprocess.run(
            ["umoci", "raw", "add-layer", "--image", f"{layout}:good", target], check=True
        )
        target.unlink()
    subprocess.run(["umoci", "gc", "--layout", layout], check=True)
    path = folder / "good.tar"
    subprocess.run(["tar", "-cf", path, "-C", layout, "."], check=True)
    return path


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Good:
    """The good archive in memory, and how to write it anew with something else inside."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.headers: list[int] = []
        self.blobs: dict[str, tuple[int, int]] = {}
        with tarfile.open(path) as archive:
            for member in archive:
                self.headers.append(member.offset)
                if member.isfile():
                    name = member.name.removeprefix("./")
                    self.blobs[name] = (member.offset_data, member.size)
        self.index: dict[str, Any] = json.loads(self.part("index.json"))
        self.manifest: dict[str, Any] = json.loads(self.blob(self.index["manifests"][0]["digest"]))
        self.config: dict[str, Any] = json.loads(self.blob(self.manifest["config"]["digest"]))
        self.layers: list[bytes] = [self.blob(one["digest"]) for one in self.manifest["layers"]]
        self.unpacked = [gzip.decompress(one) for one in self.layers]

    def part(self, name: str) -> bytes:
        at, size = self.blobs[name]
        return self.data[at : at + size]

    def blob(self, digest: str) -> bytes:
        return self.part("blobs/" + digest.replace(":", "/"))

    def with_layer(self, number: int, packed: bytes, diff_id: str) -> bytes:
        """An archive with another layer, all digests right."""
        config = json.loads(json.dumps(self.config))
        config["rootfs"]["diff_ids"][number] = diff_id
        layers = [*self.layers]
        layers[number] = packed
        return self.written(config, layers, {})

    def written(self, config: Any, layers: list[bytes], changed: dict[str, bytes]) -> bytes:
        """An archive of this config and these layers; `changed` documents replace its own."""

        def described(old: dict[str, Any], data: bytes) -> dict[str, Any]:
            return old | {"digest": _digest(data), "size": len(data)}

        config_data = changed.get("config", json.dumps(config).encode())
        manifest = self.manifest | {
            "config": described(self.manifest["config"], config_data),
            "layers": [
                described(old, data)
                for old, data in zip(self.manifest["layers"], layers, strict=True)
            ],
        }
        manifest_data = changed.get("manifest", json.dumps(manifest).encode())
        entry = described(self.index["manifests"][0], manifest_data)
        index = changed.get("index", json.dumps(self.index | {"manifests": [entry]}).encode())
        blobs = {_digest(data): data for data in (*layers, config_data, manifest_data)}
        members = [file("blobs/" + key.replace(":", "/"), data) for key, data in blobs.items()]
        members += [file("index.json", index), file("oci-layout", self.part("oci-layout"))]
        return tar(members)


def _flip(data: bytearray, begin: int, end: int, rng: random.Random, count: int = 1) -> None:
    for _ in range(count):
        data[rng.randrange(begin, end)] ^= rng.randrange(1, 256)


def cut(good: Good, rng: random.Random) -> bytes:
    return good.data[: rng.randrange(len(good.data))]


def flipped_in_a_blob(good: Good, rng: random.Random) -> bytes:
    data = bytearray(good.data)
    at, size = good.blobs[
        "blobs/" + rng.choice(good.manifest["layers"])["digest"].replace(":", "/")
    ]
    _flip(data, at, at + size, rng, rng.choice((1, 1, 16, 1000)))
    return bytes(data)


def flipped_in_a_header(good: Good, rng: random.Random) -> bytes:
    data = bytearray(good.data)
    at = rng.choice(good.headers)
    _flip(data, at, at + 512, rng, rng.choice((1, 4)))
    return bytes(data)


def blocks_dropped(good: Good, rng: random.Random) -> bytes:
    at = rng.randrange(len(good.data) // 512) * 512
    return good.data[:at] + good.data[at + 512 * rng.choice((1, 8, 2000)) :]


def range_zeroed(good: Good, rng: random.Random) -> bytes:
    size = rng.choice((512, 4096, 1 << 20))
    at = rng.randrange(len(good.data) - size)
    return good.data[:at] + bytes(size) + good.data[at + size :]


def garbage_appended(good: Good, rng: random.Random) -> bytes:
    return good.data + rng.randbytes(rng.choice((1, 512, 10240, 8 << 20)))


def damaged_json(good: Good, rng: random.Random) -> bytes:
    which = rng.choice(("index", "manifest", "config"))
    digest = good.index["manifests"][0]["digest"]
    if which == "config":
        digest = good.manifest["config"]["digest"]
    data = bytearray(good.part("index.json") if which == "index" else good.blob(digest))
    how = rng.randrange(3)
    if how == 0:
        _flip(data, 0, len(data), rng, rng.choice((1, 5)))
    elif how == 1:
        del data[rng.randrange(len(data)) :]
    else:
        at, end = sorted(rng.sample(range(len(data)), 2))
        data[at:end] = b""
    return good.written(good.config, good.layers, {which: bytes(data)})


def _inside(magic: bytes) -> Callable[[Good, random.Random], bytes]:
    """Damages a fifth of the members of one layer that start so: flips, zeros, a lost end."""

    def damaged(good: Good, rng: random.Random) -> bytes:
        spans: dict[int, list[tuple[int, int]]] = {}
        for number, data in enumerate(good.unpacked):
            with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                for member in layer:
                    if data.startswith(magic, member.offset_data) and member.size > 64:
                        spans.setdefault(number, []).append((member.offset_data, member.size))
        number = rng.choice(sorted(spans))
        changed = bytearray(good.unpacked[number])
        for at, size in rng.sample(spans[number], -(-len(spans[number]) // 5)):
            how = rng.randrange(4)
            if how == 0:
                _flip(changed, at, at + size, rng, rng.choice((1, 20)))
            elif how == 1:
                _flip(changed, at + 4, at + min(size, 512), rng, rng.choice((1, 8)))
            elif how == 2:
                begin = rng.randrange(size)
                end = min(size, begin + rng.choice((64, 4096)))
                changed[at + begin : at + end] = bytes(end - begin)
            else:
                begin = rng.randrange(4, size)
                changed[at + begin : at + size] = bytes(size - begin)
        return good.with_layer(number, *_packed(bytes(changed)))

    return damaged


def _packed(data: bytes) -> tuple[bytes, str]:
    return gzip.compress(data, GZIP_LEVEL, mtime=0), _digest(data)


def damaged_layer_tar(good: Good, rng: random.Random) -> bytes:
    number = rng.randrange(len(good.layers))
    changed = bytearray(good.unpacked[number])
    with tarfile.open(fileobj=io.BytesIO(good.unpacked[number])) as layer:
        at = rng.choice(layer.getmembers()).offset
    _flip(changed, at, at + 512, rng)
    if rng.random() < 0.5:  # a header that is right again, and says something else
        raw = changed[at : at + 148] + b" " * 8 + changed[at + 156 : at + 512]
        changed[at + 148 : at + 156] = b"%06o\0 " % sum(raw)
    return good.with_layer(number, *_packed(bytes(changed)))


def damaged_layer_gzip(good: Good, rng: random.Random) -> bytes:
    number = rng.randrange(len(good.layers))
    packed = bytearray(good.layers[number])
    if rng.random() < 0.5:
        del packed[rng.randrange(len(packed)) :]
    else:
        _flip(packed, 0, len(packed), rng)
    return good.with_layer(number, bytes(packed), _digest(good.unpacked[number]))


Damage = Callable[[Good, random.Random], bytes]
KINDS: dict[str, tuple[int, Damage]] = {
    "archive cut off": (10, cut),
    "bytes of a layer blob": (10, flipped_in_a_blob),
    "bytes of a header": (8, flipped_in_a_header),
    "blocks dropped": (8, blocks_dropped),
    "a range of zeros": (8, range_zeroed),
    "garbage appended": (6, garbage_appended),
    "JSON documents": (12, damaged_json),
    "ELF files inside": (12, _inside(b"\x7fELF")),
    "gzip files inside": (8, _inside(b"\x1f\x8b")),
    "zip files inside": (6, _inside(b"PK\x03\x04")),
    "compiled Python inside": (4, _inside(b"\xa7\x0d\x0d\x0a")),
    "a layer's tar": (4, damaged_layer_tar),
    "a layer's gzip": (4, damaged_layer_gzip),
}
"""How many copies of each, one hundred in all. From the JSON on, digests are right again."""


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    seconds: float
    cpu: float
    bytes: int
    problems: int
    wrong: str


def compare(good: Path, bad: Path, folder: Path) -> Result:
    """Runs sxdiff on one pair; `wrong` says which promise was broken."""
    spool, work = folder / "spool", folder / "out"
    for path in (spool, work):
        path.mkdir(exist_ok=True)
    outputs = ["--json", "r.json", "--html", "r.html", "--text", "r.txt", "--spool", str(spool)]
    words = [sys.executable, "-m", "sxdiff", *outputs, str(good), str(bad)]
    with open(folder / "errors", "w+b") as errors:
        done = run(words, pss=True, limit=4 * MOST_SECONDS, cwd=work, errors=errors)
        errors.seek(0)
        said = errors.read().decode()
    wrong = []
    if done.status not in (0, 1, 2):
        wrong.append(f"exit code {done.status}")
    if "Traceback" in said or "bug in sxdiff" in said or said.count("\n") != (done.status == 2):
        wrong.append(f"says {said!r}")
    if list(spool.iterdir()):
        wrong.append("leaves files in the spool")
    written = sorted(path.name for path in work.iterdir())
    problems = 0
    if done.status in (0, 1):
        problems = len(json.loads((work / "r.json").read_text())["problems"])
    if written != (["r.html", "r.json", "r.txt"] if done.status in (0, 1) else []):
        wrong.append(f"leaves {written}")
    for path in work.iterdir():
        path.unlink()
    if done.pss > MOST_BYTES:
        wrong.append(f"{done.pss >> 20} MiB")
    if done.wall > MOST_SECONDS:
        wrong.append(f"{done.wall:.0f} s ({done.cpu:.0f} s of CPU)")
    return Result(done.status, done.wall, done.cpu, done.pss, problems, "; ".join(wrong))


def _spread(values: list[float]) -> str:
    return f"{min(values):5.1f} {statistics.median(values):5.1f} {max(values):5.1f}"


def main(arguments: list[str]) -> int:
    wanted = arguments or [*KINDS]
    broken = 0
    everything: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("making the image", flush=True)
        path = make(folder)
        good = Good(path)
        members = sum(data.count(b"ustar") for data in good.unpacked)
        print(
            f"the image: {len(good.data) / 1e6:.0f} MB, {len(good.layers)} layers,"
            f" {sum(map(len, good.unpacked)) / 1e6:.0f} MB unpacked, some {members} members"
        )
        print(
            f"{'damaged':24}   n  exit 0/1/2  problems"
            "  seconds: min, median, max   of CPU: the same   MiB: the same"
        )
        for kind in wanted:
            count, damage = KINDS[kind]
            results = []
            for number in range(count):
                rng = random.Random(f"{SEED} {kind} {number}")  # noqa: S311 - seeded on purpose
                bad = folder / "bad.tar"
                bad.write_bytes(damage(good, rng))
                found = compare(path, bad, folder)
                results.append(found)
                if found.wrong:
                    broken += 1
                    print(f"{kind} {number}, exit {found.code}: {found.wrong}", flush=True)
            codes = "/".join(str(sum(one.code == code for one in results)) for code in (0, 1, 2))
            print(
                f"{kind:24} {count:3}  {codes:>10}  {sum(one.problems for one in results):8}"
                f"  {_spread([one.seconds for one in results]):>25}"
                f"   {_spread([one.cpu for one in results])}"
                f"   {_spread([one.bytes / (1 << 20) for one in results])}",
                flush=True,
            )
            everything += results
    print(
        f"worst of {len(everything)}: {max(one.seconds for one in everything):.1f} s of"
        f" {MOST_SECONDS}, {max(one.bytes for one in everything) >> 20} MiB of {MOST_BYTES >> 20};"
        f" {broken} broke a promise"
    )
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
