"""Archives of `docker save` and its imitators: manifest.json lists configs and layers by name.

There is no specification since moby's image/spec/v1.2.md. Seen: moby before and since 25,
containers/image (`skopeo`, `podman save`, `buildah push docker-archive:`), go-containerregistry
(crane, kaniko, ko, apko: gzip layers) and nix. No form of it has a manifest digest.
"""

import re
from dataclasses import dataclass

from sxdiff.image.archive import shown
from sxdiff.image.blobs import Blobs, made_descriptor
from sxdiff.image.descriptor import platform_key
from sxdiff.image.document import Fields
from sxdiff.image.graph import Document, Image, Layer, PlatformImage
from sxdiff.image.index import unique_platforms
from sxdiff.image.manifest import read_config
from sxdiff.image.unpack import compression_of
from sxdiff.model import InputError

_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar"
_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?(?:sha256:)?([0-9a-f]{64})(?:\.json)?")
_MOST_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class SavedImage:
    """One entry of manifest.json: names of files, not digests."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]


def saved_images(blobs: Blobs, document: Document) -> list[SavedImage]:
    """The entries of manifest.json."""
    where = blobs.at(document.blob_name)
    if not isinstance(document.value, list):
        raise InputError(f"{where}: is no list of images")
    if not document.value:
        raise InputError(f"{where}: lists no image")
    if len(document.value) > _MOST_IMAGES:
        raise InputError(f"{where}: lists more than {_MOST_IMAGES} images")
    saved = []
    for number, value in enumerate(document.value):
        fields = Fields.of(where, value, f"/{number}")
        fields.one_spelling("Config", "RepoTags", "Layers")
        layers = fields.texts("Layers")
        blobs.count_layers(len(layers))
        saved.append(
            SavedImage(
                config=fields.text("Config", required=True),
                names=tuple(fields.texts("RepoTags")),
                layers=tuple(layers),
            )
        )
    return saved


def read_docker_archive(blobs: Blobs, document: Document) -> tuple[Image, ...]:
    """The images of a docker-archive; entries that share a name are platforms of one image."""
    saved = saved_images(blobs, document)
    blobs.store.require(
        [name for image in saved for name in (image.config, *image.layers)], blobs.limits
    )
    groups: list[tuple[list[str], dict[tuple[str, tuple[str, ...]], PlatformImage]]] = []
    for image in saved:
        key = (image.config, image.layers)
        touching = [
            group
            for group in groups
            if key in group[1] or any(name in group[0] for name in image.names)
        ]
        names, platforms = touching[0] if touching else ([], {})
        if not touching:
            groups.append((names, platforms))
        names += [name for name in image.names if name not in names]
        if key not in platforms:
            platforms[key] = _platform_image(blobs, image)
    return tuple(
        Image(tuple(names), None, (), unique_platforms(list(platforms.values())), ())
        for names, platforms in groups
    )


def _platform_image(blobs: Blobs, saved: SavedImage) -> PlatformImage:
    path = blobs.store.path
    raw = blobs.read(saved.config)
    if raw is None:
        raise InputError(f"{path}: missing blob: config {shown(saved.config)}")
    descriptor = made_descriptor(raw, _CONFIG_TYPE)
    named = _NAMED_BY_DIGEST.fullmatch(saved.config)
    if named and descriptor.digest != f"sha256:{named[1]}":
        raise InputError(
            f"{blobs.at(saved.config)}: its name promises sha256:{named[1]}, "
            f"found {descriptor.digest}"
        )
    config = Document("config", descriptor, saved.config, raw, blobs.parse(saved.config, raw))
    fields = blobs.fields(config)
    platform = platform_key(fields) or "unknown"
    diff_ids, created_by = read_config(blobs, fields, len(saved.layers), platform)
    layers = tuple(
        _layer(blobs, number, name, diff_ids, created_by)
        for number, name in enumerate(saved.layers, 1)
    )
    return PlatformImage(platform, None, config, layers, False, True, None)


def _layer(
    blobs: Blobs, number: int, name: str, diff_ids: list[str], created_by: list[str]
) -> Layer:
    blob = blobs.store.find(name)
    if blob is None:
        raise InputError(f"{blobs.store.path}: missing blob: layer {number} {shown(name)}")
    try:
        compression = compression_of(blob.read(0, 8))
    except OSError as error:
        raise InputError(f"{blobs.at(name)}: {error.strerror}") from None
    return Layer(
        number=number,
        descriptor=None,
        blob=blob,
        blob_name=name,
        media_type=_LAYER_TYPE + ("" if compression == "none" else f".{compression}"),
        diff_id=diff_ids[number - 1],
        created_by=created_by[number - 1] if created_by else None,
        absent_reason=None,
    )


def check_hybrid(blobs: Blobs, document: Document, images: tuple[Image, ...]) -> tuple[Image, ...]:
    """Compare manifest.json with the graph of index.json beside it, and take over its names.

    The graph is what is compared: it has the manifests. Where the two disagree, `docker load` may
    load another image than what is compared; that is a `Problem`.
    """
    saved = saved_images(blobs, document)
    by_config: dict[str, list[tuple[int, PlatformImage]]] = {}
    for number, image in enumerate(images):
        for platform in image.platforms:
            if platform.config is not None:
                by_config.setdefault(platform.config.digest, []).append((number, platform))
    names = [list(image.names) for image in images]
    for position, entry in enumerate(saved):
        named = _NAMED_BY_DIGEST.fullmatch(entry.config)
        found = by_config.get(f"sha256:{named[1]}" if named else "", [])
        where = f"{document.blob_name}: /{position}"
        if not found:
            _hybrid(
                blobs, f"{where}: its config {shown(entry.config)} is not in index.json's images"
            )
            continue
        layers = [_encoded(name) for name in entry.layers]
        for number, platform in found:
            known = [
                {(layer.digest or "").partition(":")[2], (layer.diff_id or "").partition(":")[2]}
                for layer in platform.layers
            ]
            if len(known) != len(layers) or any(
                layer not in both for layer, both in zip(layers, known, strict=True)
            ):
                _hybrid(blobs, f"{where}: its layers are not those of {shown(platform.platform)}")
            familiar = {familiar_name(name) for name in names[number]}
            names[number] += [n for n in entry.names if familiar_name(n) not in familiar]
    return tuple(
        Image(tuple(own), image.root, image.indexes, image.platforms, image.attestations)
        for own, image in zip(names, images, strict=True)
    )


def _hybrid(blobs: Blobs, message: str) -> None:
    blobs.problem((), "hybrid", message, "the images of index.json are compared")


def _encoded(name: str) -> str:
    """The digest in the name of a layer: blobs/sha256/HEX, HEX.tar, HEX/layer.tar, HEX.tar.gz."""
    found = re.search(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", name)
    return found[0] if found else name


def familiar_name(name: str) -> str:
    """A reference as Docker shows it: no default registry, always a tag."""
    for prefix in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    name = name.removeprefix("library/")
    last = name.rpartition("/")[2]
    return name if ":" in last or "@" in last else f"{name}:latest"
