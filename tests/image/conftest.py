"""Images by real tools, and a builder of small ones that can be wrong in every way."""

import hashlib
import io
import itertools
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sxdiff.image.graph import Input
from sxdiff.image.oci import open_input
from sxdiff.model import Limits

IMAGES = Path(__file__).parent.parent / "artefacts" / "images"

Sample = Callable[[str], str]
Open = Callable[..., Input]
Spool = Callable[[], str]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The path of an unpacked sample, by its name."""
    directory = tmp_path_factory.mktemp("samples")

    def unpacked(name: str) -> str:
        path = directory / f"{name}.tar"
        if not path.exists():
            packed = (IMAGES / f"{name}.tar.zst").read_bytes()
            path.write_bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
        return str(path)

    return unpacked


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Paths of new files, as the spool of a run gives them."""
    numbers = itertools.count()
    (tmp_path / "spool").mkdir()
    return lambda: str(tmp_path / "spool" / str(next(numbers)))


@pytest.fixture
def opened(spool: Spool) -> Open:
    """Opens an input, with limits of its own where a test wants some."""

    def open_it(path: "str | os.PathLike[str]", limits: Limits | None = None) -> Input:
        return open_input(os.fspath(path), spool, limits or Limits())

    return open_it


class Layout:
    """An OCI image layout in memory; documents are written as they are given."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.entries: list[dict[str, Any]] = []

    def blob(self, content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        """Add a blob; its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}

    def document(self, value: Any, media_type: str, **more: Any) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode(), media_type, **more)

    def config(self, diff_ids: list[str], **more: Any) -> dict[str, Any]:
        value = {"architecture": "amd64", "os": "linux"} | more
        value["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        return self.document(value, "application/vnd.oci.image.config.v1+json")

    def layer(self, data: bytes = b"layer") -> dict[str, Any]:
        return self.blob(data, "application/vnd.oci.image.layer.v1.tar")

    def manifest(
        self, layers: int = 1, entry: dict[str, Any] | None = None, **config: Any
    ) -> dict[str, Any]:
        """An image manifest of so many layers; its descriptor."""
        parts = [self.layer(f"layer {number}".encode()) for number in range(layers)]
        media_type = "application/vnd.oci.image.manifest.v1+json"
        value = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self.config([part["digest"] for part in parts], **config),
            "layers": parts,
        }
        return self.document(value, media_type, **(entry or {}))

    def index(self, entries: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        value = {"schemaVersion": 2, "manifests": entries}
        return self.document(value, "application/vnd.oci.image.index.v1+json", **more)

    def members(self) -> Iterator[tuple[str, bytes]]:
        for digest, data in self.blobs.items():
            yield f"blobs/sha256/{digest}", data
        if "index.json" not in self.files:
            top = {"schemaVersion": 2, "manifests": self.entries}
            yield "index.json", json.dumps(top).encode()
        yield from self.files.items()

    def write(self, path: Path) -> str:
        return write_tar(path, dict(self.members()))


def write_tar(path: Path, members: "dict[str, bytes | tarfile.TarInfo]") -> str:
    """A tar archive; a member may be given as its header, for links and the like."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                data.name = name
                archive.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.fixture
def layout() -> Layout:
    return Layout()


@pytest.fixture
def tar_of(tmp_path: Path) -> Callable[..., str]:
    """Writes members into a new tar archive; its path."""
    numbers = itertools.count()

    def write(members: "dict[str, bytes | tarfile.TarInfo]") -> str:
        return write_tar(tmp_path / f"made-{next(numbers)}.tar", members)

    return write
