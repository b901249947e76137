"""Image manifests and configs, read into `PlatformImage`s.

Sources: OCI image-spec v1.1 manifest.md, config.md, "Guidelines for Artifact Usage"; Docker
"Image Manifest Version 2, Schema 2"; BuildKit's docs/attestations/attestation-storage.md.
"""

from sxdiff.image.archive import shown
from sxdiff.image.blobs import Blobs
from sxdiff.image.descriptor import (
    ATTESTATION_TYPE,
    DOCKER_SCHEMA_1,
    IMAGE_CONFIG_TYPES,
    IMAGE_INDEX_TYPES,
    IMAGE_MANIFEST_TYPES,
    Descriptor,
    check_digest,
    platform_key,
)
from sxdiff.image.document import Fields
from sxdiff.image.graph import Document, Layer, PlatformImage
from sxdiff.model import InputError


def document_kind(fields: Fields) -> str:
    """ "index", "manifest" or "", by what the document holds rather than by what it says it is.

    A document that could be read as both is refused, as it has one meaning for each reader
    (CVE-2021-41190).
    """
    fields.one_spelling("mediaType", "manifests", "config", "layers", "artifactType", "subject")
    index = "manifests" in fields.value
    manifest = "layers" in fields.value or "config" in fields.value
    if index and manifest:
        raise InputError(f"{fields.where}: is an index and a manifest at once")
    media_type = fields.text("mediaType")
    if media_type.startswith(DOCKER_SCHEMA_1) or "fsLayers" in fields.value:
        raise InputError(f"{fields.where}: is a Docker schema 1 manifest, which is not supported")
    if index or media_type in IMAGE_INDEX_TYPES:
        return "index"
    return "manifest" if manifest or media_type in IMAGE_MANIFEST_TYPES else ""


def read_manifest(
    blobs: Blobs, document: Document, descriptor: Descriptor, *, plain: bool = True
) -> PlatformImage:
    """What a manifest describes. `descriptor` is what led to it.

    With `plain` false it is known to be an attestation already. Raises InputError where the
    config or a layer is missing or not as promised.
    """
    fields = blobs.fields(document)
    said = fields.text("mediaType")
    if said and descriptor.media_type and said != descriptor.media_type:
        blobs.problem(
            (),
            "media-type",
            f"{document.blob_name}: descriptor says {shown(descriptor.media_type)}, "
            f"the document itself {shown(said)}",
            "it is read as what it holds",
        )
    config_fields = fields.object("config")
    if config_fields is None:
        raise InputError(f"{fields.where}: has no 'config'")
    config_descriptor = Descriptor.parse(config_fields)
    layer_fields = fields.objects("layers", required=True)
    blobs.count_layers(len(layer_fields))
    descriptors = [Descriptor.parse(layer) for layer in layer_fields]
    artifact_type = fields.text("artifactType") or descriptor.artifact_type
    image = config_descriptor.media_type in IMAGE_CONFIG_TYPES or not config_descriptor.media_type
    attestation = artifact_type == ATTESTATION_TYPE or not plain
    artifact = attestation or bool(artifact_type) or not image
    config = blobs.document(config_descriptor, "config", json=not artifact)
    if config is None:
        raise blobs.missing(config_descriptor, "config")
    platform = descriptor.platform
    if artifact:
        platform = f"artifact {artifact_type or config_descriptor.media_type}"
        diff_ids: list[str] = []
        created_by: list[str] = []
    else:
        config_object = blobs.fields(config)
        platform = _platform(blobs, descriptor, config_object)
        diff_ids, created_by = read_config(blobs, config_object, len(descriptors), platform)
    layers = tuple(
        _layer(blobs, number, layer, diff_ids, created_by)
        for number, layer in enumerate(descriptors, 1)
    )
    return PlatformImage(platform, document, config, layers, artifact, True, descriptor)


def _platform(blobs: Blobs, descriptor: Descriptor, config: Fields) -> str:
    """The descriptor's platform, else the config's; a note where the two disagree."""
    own = platform_key(config)
    said = descriptor.platform
    if own and said and own.split("/")[:2] != said.split(" ")[0].split("/")[:2]:
        blobs.problem(
            (said,),
            "platform",
            f"the descriptor says {shown(said)}, the config {shown(own)}",
            "the descriptor's platform is used",
        )
    return said or own or "unknown"


def _layer(
    blobs: Blobs, number: int, descriptor: Descriptor, diff_ids: list[str], created_by: list[str]
) -> Layer:
    found = blobs.find(descriptor)
    if found is None and not descriptor.is_foreign:
        raise blobs.missing(descriptor, f"layer {number}")
    name, blob = found or ("", None)
    return Layer(
        number=number,
        descriptor=descriptor,
        blob=blob,
        blob_name=name,
        media_type=descriptor.media_type,
        diff_id=diff_ids[number - 1] if diff_ids else None,
        created_by=created_by[number - 1] if created_by else None,
        absent_reason=None if found else "a foreign layer, which is not part of the input",
    )


def read_config(
    blobs: Blobs, config: Fields, layers: int, platform: str
) -> tuple[list[str], list[str]]:
    """(diff_ids, created_by of each layer, empty where the history does not fit the layers).

    config.md, "Properties": rootfs and history.
    """
    rootfs = config.object("rootfs")
    if rootfs is None:
        raise InputError(f"{config.where}: has no 'rootfs'")
    diff_ids = rootfs.texts("diff_ids", required=layers > 0)
    for number, diff_id in enumerate(diff_ids):
        check_digest(rootfs.at("diff_ids", number), diff_id)
    if len(diff_ids) != layers:
        raise InputError(f"{config.where}: has {len(diff_ids)} diff_ids for {layers} layers")
    history = config.objects("history")
    created_by = [entry.text("created_by") for entry in history if not entry.truth("empty_layer")]
    if history and len(created_by) != layers:
        blobs.problem(
            (platform, "config"),
            "history",
            f"the history tells of {len(created_by)} layers, there are {layers}",
            "no layer is said to be made by a step of the history",
        )
    return diff_ids, created_by if len(created_by) == layers else []
