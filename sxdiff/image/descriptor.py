"""Content descriptors: what one document of an image says of a blob.

Sources: OCI image-spec v1.1 descriptor.md ("Properties", "Digests", "Embedded Content"),
image-index.md ("Image Index Property Descriptions", platform).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sxdiff.image.archive import shown
from sxdiff.image.document import Fields
from sxdiff.model import InputError

IMAGE_INDEX_TYPES = frozenset(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
IMAGE_MANIFEST_TYPES = frozenset(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
IMAGE_CONFIG_TYPES = frozenset(
    (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    )
)
DOCKER_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
ATTESTATION_TYPE = "application/vnd.docker.attestation.manifest.v1+json"
REFERENCE_TYPE = "vnd.docker.reference.type"
REFERENCE_DIGEST = "vnd.docker.reference.digest"
ATTESTATION_REFERENCE = "attestation-manifest"

_ALGORITHMS: Mapping[str, int] = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Registered algorithms and the length of their lower-case hexadecimal digests."""
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_HEXADECIMAL = re.compile(r"[0-9a-f]+")


def check_digest(where: str, digest: str) -> str:
    """The digest, if it is one whose blob can be verified."""
    algorithm, _, encoded = digest.partition(":")
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"{where}: {shown(digest)!r} is no digest")
    length = _ALGORITHMS.get(algorithm)
    if length is None:
        raise InputError(f"{where}: digest algorithm {shown(algorithm)!r} is not supported")
    if len(encoded) != length or not _HEXADECIMAL.fullmatch(encoded):
        raise InputError(f"{where}: {shown(digest)!r} is no {algorithm} digest")
    return digest


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob, with what it says of the blob (descriptor.md)."""

    media_type: str
    digest: str
    size: int
    platform: str | None
    """The platform key, where the descriptor has a platform."""
    annotations: Mapping[str, str]
    artifact_type: str
    data: bytes | None
    """The blob itself, where it is embedded; verified."""
    raw: Mapping[str, Any]

    @classmethod
    def parse(cls, fields: Fields) -> "Descriptor":
        """Read and verify a descriptor. Raises InputError."""
        fields.one_spelling(
            "mediaType", "digest", "size", "data", "urls", "annotations", "platform"
        )
        digest = check_digest(fields.where, fields.text("digest", required=True))
        size = fields.size("size")
        data = None
        if encoded := fields.text("data"):
            try:
                data = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise InputError(f"{fields.where}: 'data' is no base64") from None
            verify(f"{fields.where}: embedded data", data, digest, size)
        fields.texts("urls")
        return cls(
            media_type=fields.text("mediaType"),
            digest=digest,
            size=size,
            platform=platform_key(fields.object("platform")),
            annotations=fields.text_map("annotations"),
            artifact_type=fields.text("artifactType"),
            data=data,
            raw=fields.value,
        )

    @property
    def short(self) -> str:
        """The digest, short enough to read in a sentence."""
        algorithm, _, encoded = self.digest.partition(":")
        return f"{algorithm}:{encoded[:12]}"

    @property
    def is_foreign(self) -> bool:
        """May its blob be absent by design? (layer.md, "Non-Distributable Layers")."""
        return bool(
            self.raw.get("urls")
            or ".nondistributable." in self.media_type
            or ".foreign." in self.media_type
        )

    @property
    def is_attestation(self) -> bool:
        """BuildKit's attestation storage: attestations lie beside what they attest."""
        return (
            self.annotations.get(REFERENCE_TYPE) == ATTESTATION_REFERENCE
            or self.platform == "unknown/unknown"
            or self.artifact_type == ATTESTATION_TYPE
        )


def verify(where: str, data: bytes, digest: str, size: int) -> None:
    """Raise InputError unless `data` is what a descriptor promises."""
    if len(data) != size:
        raise InputError(f"{where}: its descriptor promises {size} bytes, found {len(data)}")
    found = digest_of(data, digest.partition(":")[0])
    if found != digest:
        raise InputError(f"{where}: its descriptor promises {digest}, found {found}")


def platform_key(fields: Fields | None) -> str | None:
    """`os/architecture[/variant][ (os.version)]`, of a descriptor's platform or a config.

    None where neither is said. arm64 has one variant in use, v8, which most tools leave out.
    """
    if fields is None:
        return None
    system, architecture = fields.text("os"), fields.text("architecture")
    if not system and not architecture:
        return None
    key = f"{system or 'unknown'}/{architecture or 'unknown'}"
    variant = fields.text("variant")
    if variant and (architecture, variant) != ("arm64", "v8"):
        key += f"/{variant}"
    version = fields.text("os.version")
    return key + (f" ({version})" if version else "")
