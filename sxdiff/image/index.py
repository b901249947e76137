"""Image indexes: from index.json through any nesting to manifests, grouped into images.

Sources: OCI image-spec v1.1 image-layout.md ("index.json file"), image-index.md, annotations.md;
containerd's `io.containerd.image.name`; BuildKit's docs/attestations/attestation-storage.md.
"""

from dataclasses import dataclass, field, replace

from sxdiff.image.blobs import Blobs
from sxdiff.image.descriptor import (
    ATTESTATION_TYPE,
    DOCKER_SCHEMA_1,
    IMAGE_INDEX_TYPES,
    IMAGE_MANIFEST_TYPES,
    REFERENCE_DIGEST,
    Descriptor,
)
from sxdiff.image.document import Fields
from sxdiff.image.graph import Document, Image, Layer, PlatformImage
from sxdiff.image.manifest import document_kind, read_manifest
from sxdiff.model import InputError

_MOST_MANIFESTS = 10_000
_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"


@dataclass(slots=True)
class _Walk:
    """What lies below one image's descriptors."""

    indexes: list[Document] = field(default_factory=list)
    found: list[tuple[PlatformImage, bool]] = field(default_factory=list)
    """(manifest, is it an attestation)."""
    seen: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Group:
    names: list[str]
    descriptors: list[Descriptor]


class Indexes:
    """Reads images out of one input's indexes, with bounds on all of them together."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._manifests = 0

    def images(self, top: Document) -> tuple[Image, ...]:
        """The images of an index that no descriptor points at (index.json)."""
        fields = self._blobs.fields(top)
        if document_kind(fields) != "index":
            raise InputError(f"{fields.where}: is no image index: has no 'manifests'")
        descriptors = self._manifests_of(fields)
        if not descriptors:
            raise InputError(f"{fields.where}: lists no image")
        groups = _groups(descriptors)
        walks = [self._walk_group(group) for group in groups]
        self._check_presence(walks)
        return tuple(
            _image(group, walk, top, len(groups)) for group, walk in zip(groups, walks, strict=True)
        )

    def image_of(self, top: Document, descriptor: Descriptor) -> Image:
        """The one image of a document that is its own root (`dir:`)."""
        walk = _Walk()
        fields = self._blobs.fields(top)
        if document_kind(fields) == "index":
            walk.indexes.append(replace(top, role="index"))
            for below in self._manifests_of(fields):
                self._walk(walk, below, 1)
        else:
            walk.found.append((read_manifest(self._blobs, top, descriptor), False))
        self._check_presence([walk])
        group = _Group([], [descriptor])
        return replace(_image(group, walk, top, 1), indexes=tuple(walk.indexes))

    def _manifests_of(self, fields: Fields) -> list[Descriptor]:
        items = fields.objects("manifests", required=True)
        self._manifests += len(items)
        if self._manifests > _MOST_MANIFESTS:
            raise InputError(
                f"{self._blobs.store.path}: more than {_MOST_MANIFESTS} manifests in its indexes"
            )
        return [Descriptor.parse(item) for item in items]

    def _walk_group(self, group: _Group) -> _Walk:
        walk = _Walk()
        for descriptor in group.descriptors:
            self._walk(walk, descriptor, 0)
        return walk

    def _walk(self, walk: _Walk, descriptor: Descriptor, depth: int) -> None:
        if descriptor.digest in walk.seen:
            return
        walk.seen.add(descriptor.digest)
        blobs = self._blobs
        media_type = descriptor.media_type
        known_type = media_type in IMAGE_INDEX_TYPES | IMAGE_MANIFEST_TYPES or (
            media_type.startswith(DOCKER_SCHEMA_1)
        )
        if not known_type and (
            not (media_type or "json").endswith("json")
            or descriptor.size > blobs.limits.document_bytes
        ):
            walk.found.append((_blob_as_artifact(blobs, descriptor), False))
            return
        document = blobs.document(descriptor, "manifest", json=known_type)
        if document is None:
            platform = descriptor.platform or "unknown"
            absent = PlatformImage(platform, None, None, (), False, False, descriptor)
            walk.found.append((absent, descriptor.is_attestation))
            return
        kind = document_kind(blobs.fields(document)) if isinstance(document.value, dict) else ""
        if kind == "index":
            if depth >= blobs.limits.index_depth:
                raise InputError(
                    f"{blobs.at(document.blob_name)}: indexes are nested deeper than "
                    f"{blobs.limits.index_depth} levels"
                )
            walk.indexes.append(replace(document, role="index"))
            for below in self._manifests_of(blobs.fields(document)):
                self._walk(walk, below, depth + 1)
        elif kind == "manifest":
            attestation = descriptor.is_attestation
            found = read_manifest(blobs, document, descriptor, plain=not attestation)
            attestation = attestation or found.platform == f"artifact {ATTESTATION_TYPE}"
            walk.found.append((found, attestation))
        elif known_type:
            raise InputError(
                f"{blobs.at(document.blob_name)}: is neither an image index nor an image manifest"
            )
        else:
            walk.found.append((_blob_as_artifact(blobs, descriptor), False))

    def _check_presence(self, walks: list[_Walk]) -> None:
        """Manifests may be absent (a sparse index), but not all of them."""
        found = [item for walk in walks for item in walk.found]
        absent = [manifest for manifest, _ in found if not manifest.present]
        images = [manifest for manifest, attestation in found if not attestation] or [
            manifest for manifest, _ in found
        ]
        for manifest in absent:
            if manifest.descriptor is None:
                continue
            if not any(image.present for image in images):
                raise self._blobs.missing(manifest.descriptor, "manifest")
            self._blobs.problem(
                (manifest.platform,),
                "absent",
                f"the manifest {manifest.descriptor.digest} is not in the input",
                "it is compared by its digest only",
            )
        if not found:
            raise InputError(f"{self._blobs.store.path}: its indexes hold no image manifest")


def _blob_as_artifact(blobs: Blobs, descriptor: Descriptor) -> PlatformImage:
    """A blob that an index points at directly; its type need not be known (image-index.md)."""
    found = blobs.find(descriptor)
    layers: tuple[Layer, ...] = ()
    if found is not None:
        name, blob = found
        layers = (Layer(1, descriptor, blob, name, descriptor.media_type, None, None, None),)
    platform = f"artifact {descriptor.artifact_type or descriptor.media_type}"
    return PlatformImage(platform, None, None, layers, True, found is not None, descriptor)


def _names(descriptor: Descriptor) -> list[str]:
    """The reference names of an entry of index.json.

    BuildKit writes the whole name for containerd and the tag alone for the OCI annotation.
    """
    name = descriptor.annotations.get(_NAME, "")
    reference = descriptor.annotations.get(_REF_NAME, "")
    names = [name] if name else []
    if reference and reference != name and not name.endswith((f":{reference}", f"@{reference}")):
        names.append(reference)
    return names


def _groups(descriptors: list[Descriptor]) -> list[_Group]:
    """Entries of index.json that share a digest or a name are one image; so are all unnamed."""
    groups: list[_Group] = []
    for descriptor in descriptors:
        names = _names(descriptor)
        touching = [
            group
            for group in groups
            if any(known.digest == descriptor.digest for known in group.descriptors)
            or any(name in group.names for name in names)
        ]
        if not touching and not names:
            touching = [group for group in groups if not group.names]
        group = touching[0] if touching else _Group([], [])
        if not touching:
            groups.append(group)
        for other in touching[1:]:
            group.names += [name for name in other.names if name not in group.names]
            group.descriptors += other.descriptors
            groups.remove(other)
        group.names += [name for name in names if name not in group.names]
        group.descriptors.append(descriptor)
    return groups


def _image(group: _Group, walk: _Walk, top: Document, groups: int) -> Image:
    digests = {descriptor.digest for descriptor in group.descriptors}
    if len(digests) == 1:
        root: str | None = group.descriptors[0].digest
    else:
        root = top.digest if groups == 1 else None
    platforms = unique_platforms([found for found, attestation in walk.found if not attestation])
    subjects = {image.descriptor.digest: image.platform for image in platforms if image.descriptor}
    attestations = unique_platforms(
        [
            replace(found, platform=_subject_platform(found, subjects))
            for found, attestation in walk.found
            if attestation
        ]
    )
    return Image(
        names=tuple(group.names),
        root=root,
        indexes=(top, *walk.indexes),
        platforms=platforms,
        attestations=attestations,
    )


def _subject_platform(attestation: PlatformImage, platforms: dict[str, str]) -> str:
    digest = ""
    if attestation.descriptor:
        digest = attestation.descriptor.annotations.get(REFERENCE_DIGEST, "")
    if not digest and attestation.manifest and isinstance(attestation.manifest.value, dict):
        subject = attestation.manifest.value.get("subject")
        digest = subject.get("digest", "") if isinstance(subject, dict) else ""
    return platforms.get(digest, "unknown") if isinstance(digest, str) else "unknown"


def unique_platforms(images: list[PlatformImage]) -> tuple[PlatformImage, ...]:
    """The second of a kind is "linux/amd64 #2", and so on."""
    used: set[str] = set()
    out = []
    for image in images:
        key, number = image.platform, 1
        while key in used:
            number += 1
            key = f"{image.platform} #{number}"
        used.add(key)
        out.append(replace(image, platform=key))
    return tuple(out)
