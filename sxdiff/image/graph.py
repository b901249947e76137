"""The nouns of an opened image: documents and layers under the names of the OCI image-spec."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sxdiff.image.descriptor import Descriptor, digest_of
from sxdiff.image.store import Store
from sxdiff.model import Blob, Problem, Route

FORMS = (
    "oci-archive",
    "oci-layout",
    "docker-archive",
    "docker-layout",
    "docker-oci-archive",
    "docker-oci-layout",
    "dir",
    "root-tar",
    "root-directory",
)


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document of the graph: its bytes, which digests are of, and its value."""

    role: str
    """ "index.json", "index", "manifest" or "config"."""
    descriptor: Descriptor | None
    """None for the document at the top."""
    blob_name: str
    """Its name in the store; "" where it is embedded in its descriptor only."""
    raw: bytes
    value: Any
    """None where the config of an artifact is no JSON."""

    @property
    def digest(self) -> str:
        return self.descriptor.digest if self.descriptor else digest_of(self.raw)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, found but not read."""

    number: int
    """From 1, the lowest layer."""
    descriptor: Descriptor | None
    """None in a docker-archive, which has digests of unpacked layers only."""
    blob: Blob | None
    blob_name: str
    media_type: str
    """As the descriptor says, which may be wrong; known by magic number in a docker-archive."""
    diff_id: str | None
    """As the config says."""
    created_by: str | None
    """From the history of the config: a hint only, as builders fill it in at will."""
    absent_reason: str | None

    @property
    def digest(self) -> str | None:
        return self.descriptor.digest if self.descriptor else None

    @property
    def size(self) -> int | None:
        """Size of the blob, packed as it is."""
        if self.descriptor:
            return self.descriptor.size
        return self.blob.size if self.blob else None


@dataclass(frozen=True, slots=True)
class PlatformImage:
    """What one manifest describes: an image for one platform, or an artifact."""

    platform: str
    """The platform key; of an attestation, that of its subject; else "artifact TYPE"."""
    manifest: Document | None
    """None in a docker-archive and where it is absent."""
    config: Document | None
    layers: tuple[Layer, ...]
    artifact: bool
    """Its layers are no file system (attestations, signatures, charts, ...)."""
    present: bool
    descriptor: Descriptor | None
    """Of the manifest; None in a docker-archive."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an input: what one name, or several, stand for."""

    names: tuple[str, ...]
    root: str | None
    """Digest of the root descriptor, that of an index or a manifest; None without one."""
    indexes: tuple[Document, ...]
    """index.json first (where the form has one), then the indexes nested in it."""
    platforms: tuple[PlatformImage, ...]
    attestations: tuple[PlatformImage, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """One opened input."""

    form: str
    """One of FORMS."""
    store: Store
    images: tuple[Image, ...]
    """Empty for a plain root."""
    problems: tuple[Problem, ...]
    plain_root: Blob | str | None
    """The tar, or the path of the directory, that is a root file system without an image."""
    roles: Mapping[str, Route]
    """What each member of the store is, by its name: ("linux/amd64", "layer 1")."""
