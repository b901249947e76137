"""A second, simple reading of an image, with the standard library and nothing of sxdiff.

It says the strongest rung that truly holds between two inputs. It reads only what is plainly
there and says `Unreadable` to all else.
"""

import base64
import bz2
import hashlib
import io
import json
import lzma
import os
import posixpath
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, TypeAlias

import zstandard

RUNGS = ("archive", "index", "manifest", "config", "rootfs", "contents", "nothing")
MOST = 32 << 20
"""Bytes beyond which a file is not read: mutated sizes promise anything."""

_SIGNED = "vnd.docker.reference.type"
_HARD = b"1"


class Unreadable(Exception):  # noqa: N818 - it is an answer
    """The input is damaged, or is not plain enough."""


@dataclass(frozen=True)
class Entry:
    """What a path of the merged tree shows."""

    type: bytes
    mode: int
    owner: tuple[int, int]
    time: Decimal
    whole_seconds: bool
    xattrs: tuple[tuple[str, str], ...]
    odd: tuple[bytes, ...]
    target: str
    content: str | None
    file: tuple[int, int]
    """Which member of which layer it is, so that hard links are one file."""

    @property
    def shape(self) -> tuple[Any, ...]:
        return (self.type, self.target, self.content)

    def same(self, other: "Entry") -> bool:
        """Is all of it the same, the time as far as both can tell it?"""
        return (self.shape, self.mode, self.owner, self.xattrs, self.odd) == (
            other.shape,
            other.mode,
            other.owner,
            other.xattrs,
            other.odd,
        ) and _same_time(self, other)


Tree: TypeAlias = Mapping[str, Entry]


class Reading:
    """One input, read."""

    def __init__(self, path: str) -> None:
        self.raw = raw(path)
        self._path = path
        self._tar: bytes | None = None
        if isinstance(self.raw, dict):
            self._files = {
                name: found[1]
                for name, found in self.raw.items()
                if found[0] == "file" and isinstance(found[1], bytes)
            }
        else:
            self._tar = unpacked(self.raw)
            self._files = _members(self._tar)
        self.roots: list[str] = []
        self.manifests: list[str] = []
        self.configs: list[tuple[str, tuple[str, ...]]] = []
        self._layers: list[list[bytes]] = []
        """The unpacked layers of each platform."""
        if "index.json" in self._files:
            self._oci()
        elif "manifest.json" in self._files:
            self._by_manifest()
        elif self._tar is not None:
            self._layers.append([self._tar])

    @cached_property
    def trees(self) -> list[Tree]:
        if not self._layers:
            return [_tree_of_directory(self._path)]
        image = bool(self.configs)
        return [_merge(layers, whiteouts=image) for layers in self._layers]

    def _json(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise Unreadable("no JSON") from None

    def _oci(self) -> None:
        top = _object(self._json(self._files["index.json"]))
        for descriptor in _objects(top, "manifests"):
            self.roots.append(_text(descriptor, "digest"))
            self._walk(descriptor, 0)

    def _walk(self, descriptor: dict[str, Any], depth: int) -> None:
        if depth > 8:
            raise Unreadable("too deep")
        data = self._blob(descriptor, absent=True)
        attestation = (descriptor.get("annotations") or {}).get(_SIGNED) == "attestation-manifest"
        if data is None:  # a sparse index: what is absent has a digest only
            if not attestation:
                self.manifests.append(_text(descriptor, "digest"))
            return
        document = _object(self._json(data))
        if "manifests" in document:
            for below in _objects(document, "manifests"):
                self._walk(below, depth + 1)
            return
        attestation = attestation or "attestation" in str(document.get("artifactType"))
        self._manifest(_text(descriptor, "digest"), document, attestation=attestation)

    def _manifest(self, digest: str, document: dict[str, Any], *, attestation: bool) -> None:
        config = self._blob(_object(document.get("config")))
        layers = [self._blob(one) for one in _objects(document, "layers")]
        if attestation:
            return
        self.manifests.append(digest)
        self._image(config, layers)

    def _image(self, config: bytes | None, layers: list[bytes | None]) -> None:
        if config is None or None in layers:
            raise Unreadable("a blob is missing")
        opened = [unpacked(one) for one in layers if one is not None]
        diff_ids = tuple(_digest(one) for one in opened)
        said = _object(_object(self._json(config)).get("rootfs")).get("diff_ids")
        if list(diff_ids) != said:
            raise Unreadable("a layer is not what the config says")
        found = (_digest(config), diff_ids)
        if found not in self.configs:  # one that is listed twice is one image
            self.configs.append(found)
            self._layers.append(opened)

    def _blob(self, descriptor: dict[str, Any], *, absent: bool = False) -> bytes | None:
        digest = _text(descriptor, "digest")
        algorithm, _, name = digest.partition(":")
        data = self._files.get(f"blobs/{algorithm}/{name}", self._files.get(name))
        if data is None and isinstance(descriptor.get("data"), str):
            data = base64.b64decode(descriptor["data"])
        if data is None:
            if absent:
                return None
            raise Unreadable("a blob is missing")
        if algorithm != "sha256" or digest != _digest(data) or descriptor.get("size") != len(data):
            raise Unreadable("a blob is not what its descriptor says")
        return data

    def _by_manifest(self) -> None:
        raw = self._files["manifest.json"]
        document = self._json(raw)
        if isinstance(document, dict):  # dir:
            self.roots.append(_digest(raw))
            self._manifest(_digest(raw), document, attestation=False)
            return
        for entry in _items(document):
            names = entry.get("Layers")
            config = self._files.get(_text(entry, "Config"))
            if not isinstance(names, list) or config is None:
                raise Unreadable("no list of layers, or no config")
            # engines clean the path first: a//b is a/b
            paths = [posixpath.normpath(str(name)) for name in names]
            self._image(config, [self._files.get(path) for path in paths])


def raw(path: str) -> bytes | dict[str, tuple[Any, ...]]:
    """All bytes of an input; of a directory, what is in it by path."""
    if os.path.isdir(path):
        return dict(_walk(path))
    with open(path, "rb") as file:
        return file.read()


def strongest(a: Reading, b: Reading) -> str | None:
    """The strongest rung that holds; None where the trees cannot be read and nothing else does."""
    if a.raw == b.raw:
        return "archive"
    if a.roots and set(a.roots) == set(b.roots):
        return "index"
    if a.manifests and set(a.manifests) == set(b.manifests):
        return "manifest"
    if a.configs and set(a.configs) == set(b.configs):
        return "config"
    try:
        left, right = a.trees, b.trees
    except Unreadable:
        return None
    if len(left) != len(right):
        return "nothing"
    for rung, same in (("rootfs", _same_tree), ("contents", _same_contents)):
        rest = list(right)
        for tree in left:
            found = next((n for n, other in enumerate(rest) if same(tree, other)), None)
            if found is None:
                break
            del rest[found]
        if not rest:
            return rung
    return "nothing"


def _same_tree(a: Tree, b: Tree) -> bool:
    return (
        a.keys() == b.keys() and all(a[path].same(b[path]) for path in a) and _links(a) == _links(b)
    )


def _links(tree: Tree) -> set[frozenset[str]]:
    groups: dict[tuple[int, int], set[str]] = {}
    for path, entry in tree.items():
        groups.setdefault(entry.file, set()).add(path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def _same_contents(a: Tree, b: Tree) -> bool:
    for path in a.keys() | b.keys():
        one, other = a.get(path), b.get(path)
        if one is None or other is None:
            there = one or other
            lacking = b if one else a
            implied = any(name.startswith(f"{path}/") for name in lacking)
            if there is None or there.type != b"5" or not implied:
                return False
        elif one.shape != other.shape:
            return False
    return True


def _same_time(a: Entry, b: Entry) -> bool:
    if a.whole_seconds == b.whole_seconds:
        return a.time == b.time
    whole, fine = (a.time, b.time) if a.whole_seconds else (b.time, a.time)
    return int(whole) in (fine // 1, (fine + Decimal("0.5")) // 1)


# Trees


def _merge(layers: list[bytes], *, whiteouts: bool) -> Tree:
    tree: dict[str, Entry] = {}
    for number, layer in enumerate(layers):
        members = list(_entries(layer, number))
        if whiteouts:
            for path, _ in members:
                directory, _, name = path.rpartition("/")
                if name == ".wh..wh..opq":
                    _take(tree, directory, whole=False)
                elif name.startswith(".wh."):
                    _take(tree, f"{directory}/{name[4:]}".lstrip("/"), whole=True)
        fresh = {
            path: entry
            for path, entry in members
            if not (whiteouts and path.rpartition("/")[2].startswith(".wh."))
        }
        for path, entry in fresh.items():
            if path in tree and tree[path].type == b"5" != entry.type:
                _take(tree, path, whole=False)
        tree |= fresh
        for _ in range(8):
            for path, entry in fresh.items():
                if tree[path].type != _HARD or tree[path].target == path:
                    continue
                found = tree.get(entry.target)
                if found is not None and found.type != _HARD:
                    tree[path] = found
    tree.pop("", None)
    return tree


def _take(tree: dict[str, Entry], path: str, *, whole: bool) -> None:
    below = f"{path}/" if path else ""
    for name in [name for name in tree if name.startswith(below) or (whole and name == path)]:
        del tree[name]


def _entries(data: bytes, layer: int) -> Iterator[tuple[str, Entry]]:
    for number, (archive, info) in enumerate(infos(data)):
        kind = info.type
        name = info.name
        if kind in (b"\0", b"7", b"S"):
            kind = b"0"
        if kind == b"0" and name.endswith("/"):
            kind = b"5"
        target, content = "", None
        if kind == _HARD:
            target = path_of(info.linkname)
        elif kind == b"2":
            target = info.linkname
        elif kind in b"34":
            target = f"{info.devmajor}:{info.devminor}"
        elif kind == b"0":
            content = _digest(_content(archive, info))
        pax = info.pax_headers
        try:
            when = Decimal(pax.get("mtime") or info.mtime)
        except InvalidOperation:
            raise Unreadable("no time") from None
        yield (
            path_of(name),
            Entry(
                type=kind,
                mode=info.mode & 0o7777,
                owner=(info.uid, info.gid),
                time=when,
                whole_seconds=not pax.get("mtime"),
                odd=getattr(info, "odd", ()),
                xattrs=tuple(
                    sorted((key, value) for key, value in pax.items() if ".xattr." in key)
                ),
                target=target,
                content=content,
                file=(layer, number),
            ),
        )


def path_of(name: str) -> str:
    """A name as a path of the tree: no slashes around it, no steps that lead nowhere."""
    return "/".join(step for step in name.split("/") if step not in ("", "."))


def _tree_of_directory(top: str) -> Tree:
    tree: dict[str, Entry] = {}
    files: dict[tuple[int, int], int] = {}
    for path, found in _walk(top):
        status = os.lstat(os.path.join(top, path))
        kind = {"file": b"0", "directory": b"5", "link": b"2"}[found[0]]
        number = files.setdefault((status.st_dev, status.st_ino), len(files))
        tree[path] = Entry(
            type=kind,
            mode=stat.S_IMODE(status.st_mode),
            owner=(status.st_uid, status.st_gid),
            time=Decimal(status.st_mtime_ns) / 10**9,
            whole_seconds=False,
            xattrs=(),
            odd=(),
            target=found[1] if found[0] == "link" else "",
            content=_digest(found[1]) if found[0] == "file" else None,
            file=(0, number),
        )
    return tree


def _walk(top: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for folder, names, files in os.walk(top):
        for name in names + files:
            full = os.path.join(folder, name)
            path = os.path.relpath(full, top)
            if os.path.islink(full):
                yield path, ("link", os.readlink(full))
            elif os.path.isdir(full):
                yield path, ("directory",)
            else:
                with open(full, "rb") as file:
                    yield path, ("file", file.read())


# Archives and packings


_NUMBERS = ((100, 8), (108, 8), (116, 8), (124, 12), (136, 12), (329, 8), (337, 8))
"""Mode, owner, group, size, time, and the numbers of devices."""
_SIZE, _DEVICE = 124, 329
_WHOLE_SIZE = (483, 12)
"""That of a sparse file of old GNU tar."""


class _Info(tarfile.TarInfo):
    """As Go's archive/tar reads it, with which engines unpack layers: only a POSIX header has a
    prefix, and zeros and spaces may stand around numbers. A number that is none is a thing of its
    own (`odd`)."""

    odd: tuple[bytes, ...] = ()

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Info":
        odd = []
        changed = bytearray(buf)
        if len(buf) == 512 and _right_sum(buf):
            sparse = buf[156:157] == b"S" and buf[257:265] == b"ustar  \0"
            for at, size in (*_NUMBERS, _WHOLE_SIZE) if sparse else _NUMBERS:
                field = bytes(buf[at : at + size])
                text = field.strip(b" \0").partition(b"\0")[0].rstrip(b" ")
                if field[0] in (0x80, 0xFF):
                    continue  # binary
                if re.fullmatch(rb"[0-7]*", text):
                    changed[at : at + size] = text.rjust(size, b"0")
                elif at == _SIZE:
                    raise tarfile.InvalidHeaderError("no size")  # type: ignore[attr-defined]
                else:
                    changed[at : at + size] = bytes(size)
                    if at < _DEVICE or at == _WHOLE_SIZE[0] or buf[156:157] in b"34":
                        odd.append(field)
            if changed[99:100] == b"/" and changed[156:157] == b"\0":
                changed[156:157] = tarfile.REGTYPE  # a long name that is cut here is no directory's
            changed[148:156] = b" " * 8
            changed[148:156] = b"%06o\0 " % sum(changed)
        info = super().frombuf(bytes(changed), encoding, errors)
        info.odd = tuple(odd)
        if buf[257:263] != b"ustar\0":
            info.name = bytes(buf[:100]).partition(b"\0")[0].decode(encoding, errors)
        return info


def _right_sum(block: bytes | bytearray) -> bool:
    said = bytes(block[148:156]).strip(b" \0").partition(b"\0")[0].rstrip(b" ")
    right = sum(block) - sum(block[148:156]) + 256
    return re.fullmatch(rb"[0-7]+", said) is not None and int(said, 8) == right


def infos(data: bytes) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The members of a tar stream, which must end as one does."""
    archive = None
    try:
        archive = tarfile.open(  # noqa: SIM115 - in memory
            fileobj=io.BytesIO(data), mode="r:", tarinfo=_Info
        )
        for info in archive:
            yield archive, info
    except (tarfile.TarError, ValueError, OverflowError, EOFError, IndexError, KeyError):
        if not _only_headers(data[archive.offset if archive else 0 :]):
            raise Unreadable("no tar archive") from None
        return
    # tarfile takes a damaged header for the end
    if data[archive.offset : archive.offset + 512].strip(b"\0"):
        raise Unreadable("a damaged tar header")


def _only_headers(data: bytes) -> bool:
    """Is there nothing left but global headers, which are of no member, and long names of a member
    that does not come?"""
    while data[156:157] in (b"g", b"L", b"K") and data[257:262] == b"ustar":
        size = tarfile.TarInfo.frombuf(data[:512], "utf-8", "surrogateescape").size
        data = data[512 + size + -size % 512 :]
    return bool(data) and not data[:512].strip(b"\0")


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if not 0 <= info.size <= MOST:
        raise Unreadable("a size that cannot be")
    try:
        stream = archive.extractfile(info)
        data = stream.read() if stream is not None else b""
    except (tarfile.TarError, ValueError, OverflowError, EOFError, KeyError):
        raise Unreadable("a member that cannot be read") from None
    if len(data) != info.size:
        raise Unreadable("a member that is cut off")
    return data


def _members(data: bytes) -> dict[str, bytes]:
    """The files of an outer archive by path, links followed."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for archive, info in infos(data):
        path = path_of(info.name)
        if info.issym():
            links[path] = os.path.normpath(os.path.join(os.path.dirname(path), info.linkname))
        elif info.islnk():
            links[path] = path_of(info.linkname)
        elif info.isreg():
            files[path] = _content(archive, info)
    for path, target in links.items():
        if target in files:
            files[path] = files[target]
    return files


def unpacked(data: bytes) -> bytes:
    """What is packed, by its first bytes; what is not packed as it is. Streams in a row are one;
    what follows them and is none is no part of it."""
    out, rest = b"", data
    while start := next((start for magic, start in _PACKINGS if re.match(magic, rest)), None):
        stream = start()
        try:
            out += stream.decompress(rest)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError, ValueError):
            raise Unreadable("a damaged packing") from None
        if not stream.eof:
            raise Unreadable("a packing that is cut off")
        rest = stream.unused_data
    return data if rest is data else out


_PACKINGS: tuple[tuple[bytes, Any], ...] = (
    (rb"\x1f\x8b", lambda: zlib.decompressobj(wbits=31)),
    (rb"BZh", bz2.BZ2Decompressor),
    (rb"\xfd7zXZ\0", lzma.LZMADecompressor),
    (
        rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
        lambda: zstandard.ZstdDecompressor().decompressobj(),
    ),
)


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


# JSON


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("no object")
    return value


def _items(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Unreadable("no list")
    return [_object(one) for one in value]


def _objects(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return _items(document.get(key))


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise Unreadable("no text")
    return value
