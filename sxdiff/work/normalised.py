"""Both images with every confirmed cause taken out, as OCI layouts: to be compared with `cmp`.

Each side is made from that side alone and from what the report claims. Layers are written
unpacked, so that what differs only by compression does not differ here. What is not explained
stays as it is. An explained header is written anew in one dialect (PAX) without the values that
varied; of an explained file, the values that varied become the name of their cause in brackets.
A file whose other name is explained has side a's name on both sides; members go by name then.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from sxdiff.compare.index import Members, Row
from sxdiff.formats import tar
from sxdiff.formats.tar import Header
from sxdiff.image.graph import Layer, PlatformImage
from sxdiff.model import Blob, InputError, Route, bytes_of, text_of
from sxdiff.wire import blob_to_json
from sxdiff.work.files import Files, Pair
from sxdiff.work.layers import ReadLayer
from sxdiff.work.members import Context, step_of
from sxdiff.work.platforms import pair_layers
from sxdiff.work.spool import spool_error

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CLEARED: dict[str, dict[str, Any]] = {
    "tar.mtime": {"mtime": 0},
    "tar.uid": {"uid": 0},
    "tar.gid": {"gid": 0},
    "tar.uname": {"uname": ""},
    "tar.gname": {"gname": ""},
}
_STORED = ("tar.stored", "tar.sparse")
"""How a file with holes is stored, which stays."""
_UMASK = 0o022
_COPY = 1 << 20


@dataclass(slots=True)
class _Told:
    """What the report says of one member: kinds of its header that are explained, whether all of
    them are, and the same of its content."""

    header: set[str] = field(default_factory=set)
    header_stays: bool = False
    content: bool = False
    content_stays: bool = False
    only: bool = False
    copied: bool = False
    """Whether it is a hard link on one side, to a file like that of the other side."""
    renamed: bool = False
    """Whether side b has it under another name, which is explained."""


Platform = tuple[Route, PlatformImage, PlatformImage]


def write_normalised(
    context: Context, directory: str, platforms: list[Platform]
) -> list[tuple[str, str, str]]:
    """Writes DIRECTORY/a and DIRECTORY/b; the manifest digests of each platform.

    Raises InputError where the directory is not empty or can't be written, and where layers do
    not pair, so that there is no layer to be normalised.
    """
    try:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise InputError(f"{directory}: is not empty")
        written = [
            (route[-1], _Writer(context, directory, route, a, b).write())
            for route, a, b in platforms
        ]
        for side, name in enumerate("ab"):
            _index(os.path.join(directory, name), [both[side] for _, both in written])
    except OSError as error:
        raise spool_error(error) from None
    return [(name, one["digest"], other["digest"]) for name, (one, other) in written]


class _Writer:
    """One platform of both sides."""

    def __init__(
        self, context: Context, directory: str, route: Route, a: PlatformImage, b: PlatformImage
    ) -> None:
        self._context = context
        self._route = route
        self._images = a, b
        self._blobs = [os.path.join(directory, side, "blobs", "sha256") for side in "ab"]
        for path in self._blobs:
            os.makedirs(path, exist_ok=True)

    def write(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both descriptors of the manifests written."""
        a, b = self._images
        pairs = pair_layers(a.layers, b.layers)
        if pairs is None:
            raise InputError("the images have not as many layers: they can't be normalised")
        layers: tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]]] = ({}, {})
        for i, j in pairs:
            layers[0][i], layers[1][j] = self._layers(i, a.layers[i], b.layers[j])
        route = (*self._route, "layers")
        if any(kind == "layer.order" for _, kind, *_ in self._context.builder.explained(route)):
            order = [j for _, j in pairs]
            layers = (layers[0], {i: layers[1][j] for i, j in enumerate(order)})
        one, two = (self._documents(side, layers[side]) for side in (0, 1))
        return one, two

    def _documents(self, side: int, layers: dict[int, dict[str, Any]]) -> dict[str, Any]:
        """Config and manifest of one side; the manifest's descriptor."""
        image = self._images[side]
        told = [layers[number] for number in sorted(layers)]
        config = self._edited("config", image.config.raw if image.config else b"{}")
        config["rootfs"] = {"type": "layers", "diff_ids": [one["digest"] for one in told]}
        manifest = self._edited("manifest", image.manifest.raw if image.manifest else b"{}")
        written = self._document(side, config, _CONFIG)
        manifest |= {"schemaVersion": 2, "mediaType": _MANIFEST, "config": written, "layers": told}
        descriptor = self._document(side, manifest, _MANIFEST)
        names = image.platform.split("/")
        if len(names) > 1:
            keys = ("os", "architecture", "variant")
            descriptor["platform"] = dict(zip(keys, names, strict=False))
        return descriptor

    def _edited(self, role: str, raw: bytes) -> dict[str, Any]:
        """A document with what is explained in it replaced by the names of the causes."""
        value: dict[str, Any] = json.loads(raw)
        for where, _, causes, *_ in self._context.builder.explained((*self._route, role)):
            if where and where[-1].startswith("/"):
                _put(value, where[-1], f"<{', '.join(causes)}>")
        return value

    def _document(self, side: int, value: Any, media_type: str) -> dict[str, Any]:
        data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self._blobs[side], digest), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def _layers(self, i: int, a: Layer, b: Layer) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two layers that are a pair; the descriptors of what was written."""
        reads = [self._context.reading.get(layer) for layer in (a, b)]
        left, right = reads
        if left is None or right is None:
            raise InputError(f"layer {i + 1} is not there: it can't be normalised")
        streams = [self._stream(read) for read in (left, right)]
        if left.diff_id == right.diff_id:
            out = self._copied(0, streams[0]), self._copied(1, streams[1])
        else:
            out = self._pair(i, (left, right), (streams[0], streams[1]))
        for stream in streams:
            self._context.spool.remove(stream.path)
        return out

    def _stream(self, read: ReadLayer) -> Blob:
        """A layer, unpacked into the spool."""
        size = read.scanned["unpacked"]
        task = {
            "task": "fetch",
            "name": f"layer {read.layer.number}",
            "blob": blob_to_json(read.blob),
            "spans": [(0, size)],
        }
        (answer,) = self._context.pool.all([task])
        return Blob(answer["path"], 0, size)

    def _copied(self, side: int, stream: Blob) -> dict[str, Any]:
        with _Layer(self._blobs[side]) as layer:
            layer.copy(stream)
        return layer.descriptor()

    def _pair(
        self, i: int, reads: tuple[ReadLayer, ReadLayer], streams: tuple[Blob, Blob]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        route = (*self._route, f"layer {i + 1}")
        told, by_name, tail = self._told(route)
        renamed = self._context.builder.renamed(route)
        names = {name: where[len(route)] for where, name in renamed}
        members = reads[0].members(), reads[1].members()
        try:
            contents = self._contents(route, told, names, reads, members)
            out = []
            for side in (0, 1):
                with _Layer(self._blobs[side]) as layer:
                    _write_members(
                        layer,
                        members[side],
                        streams[side],
                        told,
                        names if side else {},
                        contents[side],
                        by_name,
                        tail,
                    )
                out.append(layer.descriptor())
            return out[0], out[1]
        finally:
            for one in members:
                one.close()

    def _told(self, route: Route) -> tuple[dict[str, _Told], bool, bool]:
        """What is told of each member; whether they go by name; whether the end is plain."""
        told: dict[str, _Told] = {}
        by_name = tail = renamed = stays_ordered = False
        for where, kind, causes, derived, explained in self._context.builder.told(route):
            if len(where) == len(route):
                by_name = by_name or (kind == "tar.order" and explained)
                stays_ordered = stays_ordered or (kind == "tar.order" and not explained)
                tail = tail or (kind == "layer.padding" and explained)
                continue
            member = told.setdefault(where[len(route)], _Told())
            stays = not (explained or derived)
            if kind.startswith("file.only_in") or kind == "file.idle_marker":
                member.only = (bool(causes) and explained) or derived
            elif kind == "file.renamed":
                member.renamed, member.content_stays = not stays, stays
                renamed = renamed or not stays
            elif kind == "file.hard_link":
                member.copied = explained
            elif kind in _STORED:
                member.header_stays = True
            elif kind.startswith("tar."):
                member.header_stays = member.header_stays or stays
                member.header.add(kind)
            else:
                member.content = True
                member.content_stays = member.content_stays or stays
        # what has another name may lie elsewhere for it
        return told, by_name or (renamed and not stays_ordered), tail

    def _contents(
        self,
        route: Route,
        told: dict[str, _Told],
        names_b: dict[str, str],
        reads: tuple[ReadLayer, ReadLayer],
        members: tuple[Members, Members],
    ) -> tuple[dict[str, Blob], dict[str, Blob]]:
        """The normalised contents of both sides by member."""
        wanted = {name for name, one in told.items() if one.content and not one.content_stays}
        found: tuple[dict[str, Row], dict[str, Row]] = ({}, {})
        for side in (0, 1):
            for row in members[side].rows():
                name = step_of(row)
                name = names_b.get(name, name) if side else name
                if name in wanted:
                    found[side][name] = row
        names = sorted(name for name in wanted if name in found[0] and name in found[1])
        context = self._context
        files = Files(context.pool, context.spool, _nobody, _nobody, context.limits, context.debug)
        pairs = [
            Pair((*route, name), text_of(found[0][name].path), True,
                 reads[0], found[0][name], reads[1], found[1][name])
            for name in names
        ]  # fmt: skip
        blobs = files.normalised(pairs)
        return (
            {name: one for name, (one, _) in zip(names, blobs, strict=True)},
            {name: other for name, (_, other) in zip(names, blobs, strict=True)},
        )


def _write_members(
    layer: "_Layer",
    members: Members,
    stream: Blob,
    told: dict[str, _Told],
    names: dict[str, str],
    contents: dict[str, Blob],
    by_name: bool,
    plain_end: bool,
) -> None:
    """All members of one layer, as they are or normalised; `names` has other names for them."""

    def named(row: Row) -> str:
        step = step_of(row)
        return names.get(step, step)

    rows: Iterator[Row] = members.rows()
    if by_name:
        rows = iter(sorted(rows, key=lambda row: (bytes_of(named(row)), row.occurrence)))
    end = 0
    for row in rows:
        stored = row.size + (-row.size % tar.BLOCK)
        end = max(end, row.data_at + (0 if row.content is None else stored))
        name = named(row)
        one = told.get(name)
        if one is not None and one.only:
            continue
        content = contents.get(name)
        if one is not None and one.copied and not one.header_stays:
            source = members.linked(row) if row.type == tar.HARD_LINK else row
            if source is not None:
                header = replace(members.header(row), type=tar.REGULAR, linkname=b"")
                data = stream.part(source.data_at, source.size)
                layer.write(_cleared(header, one.header, data.size))
                layer.copy(data)
                layer.write(bytes(-data.size % tar.BLOCK))
                continue
        data = content or stream.part(row.data_at, 0 if row.content is None else row.size)
        if one is not None and (one.header or one.renamed) and not one.header_stays:
            header = members.header(row)
            header = replace(header, name=bytes_of(name)) if one.renamed else header
            layer.write(_cleared(header, one.header, data.size))
        elif content is not None:
            layer.write(_resized(stream.read(row.at, row.head_size), content.size))
        else:
            layer.write(stream.read(row.at, row.head_size))
        layer.copy(data)
        layer.write(bytes(-data.size % tar.BLOCK))
    if plain_end:
        layer.write(bytes(2 * tar.BLOCK))
    else:
        layer.copy(stream.part(end, stream.size - end))


def _cleared(header: Header, kinds: set[str], size: int) -> bytes:
    """A header without what varied: what the kinds name is zero, the rest as it was."""
    info = tarfile.TarInfo(os.fsdecode(header.name))
    info.type, info.size, info.mode = header.type, size, header.mode
    info.uid, info.gid, info.mtime = header.uid, header.gid, header.mtime / 1_000_000_000
    info.uname, info.gname = os.fsdecode(header.uname), os.fsdecode(header.gname)
    info.linkname = os.fsdecode(header.linkname)
    info.devmajor, info.devminor = header.device
    if "tar.mode" in kinds:
        info.mode &= ~_UMASK
    for kind in kinds:
        for name, cleared in _CLEARED.get(kind, {}).items():
            setattr(info, name, cleared)
    if "tar.xattr" not in kinds:
        info.pax_headers = {
            f"SCHILY.xattr.{key}": os.fsdecode(value) for key, value in header.xattrs
        }
    if info.mtime == int(info.mtime):
        info.mtime = int(info.mtime)
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _resized(head: bytes, size: int) -> bytes:
    """A header with another size, and the checksum that follows."""
    block = bytearray(head[-tar.BLOCK :])
    block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return head[: -tar.BLOCK] + bytes(block)


class _Layer:
    """A layer that is being written, under its digest when it is whole."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = os.path.join(directory, "layer")
        self._digest = hashlib.sha256()
        self._size = 0
        self._file: BinaryIO = io.BytesIO()

    def __enter__(self) -> "_Layer":
        self._file = open(self._path, "wb")
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        os.replace(self._path, os.path.join(self._directory, self._digest.hexdigest()))

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)

    def copy(self, blob: Blob) -> None:
        for at in range(0, blob.size, _COPY):
            self.write(blob.read(at, _COPY))

    def descriptor(self) -> dict[str, Any]:
        digest = f"sha256:{self._digest.hexdigest()}"
        return {"mediaType": _LAYER, "digest": digest, "size": self._size}


def _index(directory: str, manifests: list[dict[str, Any]]) -> None:
    """The files of an OCI layout beside its blobs (OCI image-spec, image-layout)."""
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}
    for name, value in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            json.dump(value, file, sort_keys=True, separators=(",", ":"))


def _put(document: Any, pointer: str, value: str) -> None:
    """Sets what a JSON pointer (RFC 6901) names, if it is there."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for number, step in enumerate(steps):
        key: Any = step
        if isinstance(document, list):
            if not step.isdigit() or int(step) >= len(document):
                return
            key = int(step)
        elif not isinstance(document, dict) or (step not in document and number < len(steps) - 1):
            return
        if number == len(steps) - 1:
            document[key] = value
            return
        document = document[key]


def _nobody(*_: object) -> None:
    """Contents are normalised here, not told."""
