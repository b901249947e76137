"""What other tools make equal of the same pairs: strip-nondeterminism, and oss-rebuild's passes.

The second is our own reading of what oss-rebuild's stabilisers for gzip, tar, zip and jar do, by
their names and documentation; it is not their code, and it may be kinder or harder than they are.
"""

import gzip
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.causes.cases import Case
from bench.causes.pairs import sides, with_pairs
from bench.causes.wrap import Files
from fixtures.causes.make import Recipe

EPOCH = 1_000_000_000
DOS = (1980, 1, 1, 0, 0, 0)
BUILD_ATTRIBUTES = re.compile(
    rb"^(Archiver-Version|Bnd-LastModified|Build-Jdk(-Spec)?|Build-Number|Build-Time|Built-By"
    rb"|Built-Date|Created-By|Implementation-Build|Tool): .*\r?\n",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Baseline:
    name: str
    pairs: int
    equal: int


def baselines(cases: Sequence[Case], jobs: int) -> list[Baseline]:
    """Each other tool over the recipes' pairs among these cases."""
    wanted = {one.name for one in cases if one.group == "pair"}
    chosen = [one for one in with_pairs(differs=True) if one["id"] in wanted]
    tools: list[tuple[str, Callable[[Recipe], bool]]] = [
        ("passes of oss-rebuild, our reading", _passes)
    ]
    if shutil.which("strip-nondeterminism"):
        tools.insert(0, ("strip-nondeterminism", _stripped))
    found = []
    with ThreadPoolExecutor(jobs) as pool:
        for name, tool in tools:
            found.append(Baseline(name, len(chosen), sum(pool.map(tool, chosen))))
    return found if chosen else []


def _stripped(recipe: Recipe) -> bool:
    """Whether strip-nondeterminism, run in place over both sides, makes them equal."""
    results = []
    for files in sides(recipe):
        with tempfile.TemporaryDirectory(prefix="strip-") as name:
            written = {}
            for number, (path, held) in enumerate(sorted(files.items())):
                if held.target is None:
                    target = Path(name) / str(number) / Path(path).name
                    target.parent.mkdir()
                    target.write_bytes(held.content)
                    written[path] = target
            subprocess.run(
                ["strip-nondeterminism", "--timestamp", str(EPOCH), *map(str, written.values())],
                capture_output=True,
                check=False,
            )
            results.append({path: target.read_bytes() for path, target in written.items()})
    return results[0] == results[1] and _links(recipe)


def _links(recipe: Recipe) -> bool:
    a, b = (
        {p: h.target for p, h in files.items() if h.target is not None} for files in sides(recipe)
    )
    return a == b


def _passes(recipe: Recipe) -> bool:
    return _stable_files(sides(recipe)[0]) == _stable_files(sides(recipe)[1])


def _stable_files(files: Files) -> dict[str, bytes | str]:
    return {
        path: stable(held.content) if held.target is None else held.target
        for path, held in files.items()
    }


def stable(data: bytes) -> bytes:
    """One file with what the passes know taken out; as it is where they know nothing."""
    try:
        if data[:2] == b"\x1f\x8b":
            return b"gzip" + stable(gzip.decompress(data))  # level, name and time all go
        if data[257:262] == b"ustar":
            return _stable_tar(data)
        if data[:4] == b"PK\x03\x04":
            return _stable_zip(data)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError):
        pass
    return data


def _stable_tar(data: bytes) -> bytes:
    """Order, times, owners, modes, device numbers and attributes are made the same."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as source,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda one: one.name):
            content = source.extractfile(member) if member.isreg() else None
            member.mtime, member.uid, member.gid, member.uname, member.gname = EPOCH, 0, 0, "", ""
            member.mode, member.devmajor, member.devminor, member.pax_headers = 0o777, 0, 0, {}
            target.addfile(member, content)
    return out.getvalue()


def _stable_zip(data: bytes) -> bytes:
    """Order, times, modes, encoders, extra fields and comments are made the same."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for member in sorted(source.infolist(), key=lambda one: one.filename):
            content = source.read(member)
            if member.filename == "META-INF/MANIFEST.MF":
                content = BUILD_ATTRIBUTES.sub(b"", content)
            target.writestr(zipfile.ZipInfo(member.filename, DOS), content)
    return out.getvalue()
