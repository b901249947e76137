"""Small images of every form, made in stages, so that one can be changed at any of them.

A stage is a value on the way from files to the input: the members of a layer, the layer, the
layer packed, the config, the manifest, ... What follows is made of the changed value, with right
digests; in the last stages it is the input itself that is changed.
"""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import zstandard

from fixtures.images import (
    LAYER,
    Item,
    Layer,
    archive,
    attestation,
    digest,
    dir_transport,
    docker_archive,
    hybrid,
    image,
    index,
    oci_layout,
    platform,
)
from fixtures.recipes.base import root
from fixtures.tar import (
    CAP_NET_RAW,
    Member,
    device,
    directory,
    fifo,
    file,
    global_header,
    hardlink,
    old_sparse,
    opaque,
    sparse,
    symlink,
    tar,
    whiteout,
    xattr,
)

ARTEFACTS = Path(__file__).parent.parent.parent / "fixtures" / "artefacts"
LARGEST = 4500
"""Bytes of an artefact that takes part: a comparison shall be fast."""
TOGETHER = 2
"""Artefacts in one image."""

Files: TypeAlias = dict[str, bytes]
Made: TypeAlias = bytes | Files | tuple[Member, ...]
"""An input: one file, or the files of a directory; members where it is a root directory."""
At: TypeAlias = Callable[[str, int, Any], Any]
"""Called with each stage, which of its values it is, and the value; gives the value to go on with.
"""

PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "zstd": lambda data: zstandard.ZstdCompressor(1, write_checksum=True).compress(data),
    "xz": lambda data: lzma.compress(data, preset=0),
    "bzip2": lambda data: bz2.compress(data, 1),
}
SUFFIXES = {"plain": "", "gzip": "+gzip", "zstd": "+zstd", "xz": "", "bzip2": ""}
LAYER_PACKINGS = ("plain", "gzip", "zstd")

ARCHIVES = (
    "oci-archive",
    "docker-oci-archive",
    "docker-archive-containers",
    "docker-archive-legacy",
    "docker-archive-ggcr",
    "root-tar",
)
DIRECTORIES = ("oci-layout", "docker-oci-layout", "docker-layout", "dir", "root-directory")
FORMS = (
    tuple(
        f"{form}{'' if packing == 'plain' else '.' + packing}"
        for form in ARCHIVES
        for packing in PACKINGS
    )
    + DIRECTORIES
)
"""Every form of an image, archives in every packing."""


@dataclass(frozen=True, eq=False)
class Content:
    """What images hold: the members of each layer, lowest first."""

    name: str
    layers: tuple[tuple[Member, ...], ...]


def _unusual() -> Content:
    lower = (
        directory("d"),
        file("d/text", "one\ntwo\n").but(pax=((b"mtime", b"1.5"), xattr("user.a", b"1"))),
        file("d/data", bytes(range(97)), 0o755).but(mtime=1),
        file("program").but(pax=(xattr("security.capability", CAP_NET_RAW),)),
        symlink("link", "d/text"),
        hardlink("hard", "d/data"),
        device("null", 1, 3),
        fifo("pipe"),
        sparse("hole", 9000, [(4096, b"data")]),
        old_sparse("old", 9000, [(4096, b"data")]),
        file("long/" * 25 + "name", "x").but(dialect="gnu"),
        global_header([(b"comment", b"from git")]),
        file("after", "x" * 512),
        file("gone", "goes\n"),
    )
    upper = (directory("d"), opaque("d"), file("d/new", "new\n"), whiteout("gone"))
    return Content("unusual", (lower, upper))


def _rich() -> list[Content]:
    """Images with files of many formats."""
    found = [
        path
        for folder in sorted(ARTEFACTS.iterdir())
        if folder.is_dir()
        for path in sorted(folder.glob("a.*"))
        if path.stat().st_size <= LARGEST
    ]
    contents = []
    for at in range(0, len(found), TOGETHER):
        part = found[at : at + TOGETHER]
        members = [
            file(f"opt/{path.parent.name}{path.suffix}", path.read_bytes()).but(mtime=1)
            for path in part
        ]
        contents.append(
            Content("+".join(path.parent.name for path in part), ((directory("opt"), *members),))
        )
    return contents


@lru_cache(maxsize=1)
def contents() -> tuple[Content, ...]:
    """All that images hold here. The first two are tried more often."""
    upper = (directory("etc"), whiteout("etc/hosts"), file("etc/upper", "upper\n"))
    return (Content("root", (tuple(root()), upper)), _unusual(), *_rich())


@lru_cache(maxsize=256)
def pack(packing: str, data: bytes) -> bytes:
    """Bytes in one of PACKINGS."""
    return PACKINGS[packing](data)


def parts(form: str) -> tuple[str, str]:
    """A form's name without its packing, and the packing."""
    kind, _, packing = form.partition(".")
    return kind, packing or "plain"


@dataclass(frozen=True)
class Recipe:
    """How an input is made. `shape` is one of SHAPES, for forms that hold an index."""

    form: str
    content: Content
    packing: str
    shape: str


SHAPES = ("one", "nested", "attested")


def shapes(form: str) -> tuple[str, ...]:
    """What may be in an input of this form."""
    return SHAPES if parts(form)[0] in ("oci-archive", "oci-layout") else SHAPES[:1]


def make(recipe: Recipe, at: At) -> Made:
    """The input; `at` sees each value on the way, and may give another one."""
    kind, packing = parts(recipe.form)
    if kind == "root-directory":
        return tuple(at("members", 0, _plain(recipe.content.layers[0], at)))
    if kind == "root-tar":
        members = at("members", 0, _plain(recipe.content.layers[0], at))
        data = at("layer", 0, tar(members))
        return bytes(at("packed input", 0, pack(packing, at("input", 0, data))))
    saved, item = _item(recipe, kind, at)
    made: bytes | Files
    if kind in ("oci-archive", "oci-layout"):
        made = oci_layout([item], ["example:latest"])
    elif kind in ("docker-oci-archive", "docker-oci-layout"):
        made = oci_layout([item])
        made["manifest.json"] = extract(hybrid(saved, tags=["example:latest"]))["manifest.json"]
    elif kind == "dir":
        made = dir_transport(item)
    else:
        style = "ggcr" if kind == "docker-layout" else kind.rpartition("-")[2]
        made = docker_archive(item, style)
        if kind == "docker-layout":
            made = extract(made)
    made = _documents_at_the_top(made, at)
    if kind in DIRECTORIES:
        files = made if isinstance(made, dict) else extract(made)
        return {
            name: at("input", number, data) for number, (name, data) in enumerate(files.items())
        }
    data = archive(made) if isinstance(made, dict) else made
    return bytes(at("packed input", 0, pack(packing, at("input", 0, data))))


def _plain(members: tuple[Member, ...], at: At, first: int = 0) -> list[Member]:
    """The members, each file's content as `at` gives it."""
    out = []
    for number, member in enumerate(members, first):
        if member.type == b"0" and member.content and not member.pax and not member.raw:
            member = replace(member, content=at("content", number, member.content))  # noqa: PLW2901
        out.append(member)
    return out


def _item(recipe: Recipe, kind: str, at: At) -> tuple[Item, Item]:
    """The image, and the same with what is changed in the manifest or the index."""
    whole = _platform(recipe, "amd64", at)
    if kind.startswith(("docker-archive", "docker-layout")):
        return whole, whole  # has no manifest
    if recipe.shape == "one":
        return whole, replace(whole, data=at("manifest", 0, whole.data))
    items = [
        replace(whole, data=at("manifest", 0, whole.data)),
        _platform(recipe, "arm64", _unchanged),
    ]
    if recipe.shape == "attested":
        statement = {"predicateType": "https://slsa.dev/provenance/v0.2", "subject": []}
        items.append(attestation(items[0], statement))
    both = index(items)
    return whole, replace(both, data=at("index", 0, both.data))


def _unchanged(_stage: str, _number: int, value: Any) -> Any:
    return value


def _platform(recipe: Recipe, machine: str, at: At) -> Item:
    layers = []
    first = 0
    for number, members in enumerate(recipe.content.layers):
        data = at("layer", number, tar(at("members", number, _plain(members, at, first))))
        first += len(members)
        packed = at("packed layer", number, pack(recipe.packing, data))
        layers.append(Layer(data, packed, LAYER + SUFFIXES[recipe.packing]))
    made = image(layers, where=platform(machine), annotations={"key": "value"})
    blobs = dict(made.blobs)
    old = json.loads(made.data)["config"]["digest"]
    config = blobs.pop(old)
    other = at("config", 0, config)
    blobs[digest(other)] = other
    manifest = made.data.replace(old.encode(), digest(other).encode())
    size = b'"size":%d'
    manifest = manifest.replace(size % len(config), size % len(other), 1)  # it stands first
    return replace(made, data=manifest, blobs=blobs)


TOP = ("index.json", "oci-layout", "manifest.json", "repositories", "version")


def _documents_at_the_top(made: bytes | Files, at: At) -> bytes | Files:
    files = made if isinstance(made, dict) else extract(made)
    for number, name in enumerate(TOP):
        if name not in files:
            continue
        other = at("top", number, files[name])
        if other is files[name]:
            continue
        made = made | {name: other} if isinstance(made, dict) else put(made, name, other)
    return made


def extract(data: bytes) -> Files:
    """The plain files of a tar archive."""
    files: Files = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for info in opened:
            stream = opened.extractfile(info) if info.isreg() or info.issym() else None
            if stream is not None:
                files[info.name] = stream.read()
    return files


def put(data: bytes, name: str, content: bytes) -> bytes:
    """The tar archive with another content of a member."""
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        info = opened.getmember(name)
    header = bytearray(data[info.offset_data - 512 : info.offset_data])
    header[124:136] = b"%011o\0" % len(content)
    repair(header, 0)
    end = info.offset_data + info.size + -info.size % 512
    filled = content + bytes(-len(content) % 512)
    return data[: info.offset_data - 512] + bytes(header) + filled + data[end:]


def repair(data: bytearray, block: int) -> None:
    """Make the checksum of a tar header right."""
    data[block + 148 : block + 156] = b" " * 8
    data[block + 148 : block + 156] = b"%06o\0 " % sum(data[block : block + 512])
