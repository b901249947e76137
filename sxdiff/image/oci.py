"""Any input, opened: which form it has, which images it holds, which of them to compare."""

import os
import re
from collections.abc import Callable
from typing import Any

from sxdiff.image.archive import shown
from sxdiff.image.blobs import Blobs, directory_names, made_descriptor
from sxdiff.image.docker_archive import check_hybrid, familiar_name, read_docker_archive
from sxdiff.image.graph import Image, Input
from sxdiff.image.index import Indexes
from sxdiff.image.outer import Unpack
from sxdiff.image.roles import roles_of
from sxdiff.image.store import Store, open_store
from sxdiff.model import Blob, InputError, Limits

_MOST_NAMES = 10
_PART = re.compile(
    r"oci-layout|blobs/[^/]+/[^/]+"
    r"|(?:sha256:)?[0-9a-f]{64}(?:/layer\.tar|\.json|\.manifest\.json|\.tar(?:\.[a-z0-9]+)?)?"
)
"""Names that only an image's parts have: no root file system without index is made of these."""


def open_input(
    path: str, spool: Callable[[], str], limits: Limits, unpack: Unpack | None = None
) -> Input:
    """Open whatever form of image lies at `path`.

    `spool()` gives the path of a new file to write; `unpack` takes the compression off a file that
    is compressed as a whole: a worker of its own, or else this process. Raises InputError, in one
    line, where it is no image or a damaged one.
    """
    store = open_store(path, spool, limits, unpack)
    blobs = Blobs(store, spool, limits)
    opened = None
    if store.form_hint in ("oci", "docker-oci"):
        opened = _layout(blobs)
    elif store.form_hint == "docker":
        opened = _by_manifest(blobs, spool, limits)
    form, images = opened or _plain_root(store)
    for message in store.problems:
        blobs.problem((), "archive", message, "what stands in front of that is read")
    return Input(
        form=form,
        store=store,
        images=images,
        problems=tuple(blobs.problems),
        plain_root=None if images else _root(store),
        roles=roles_of(store, images),
    )


def _root(store: Store) -> Blob | str:
    return store.path if store.archive is None else store.archive


def _layout(blobs: Blobs) -> tuple[str, tuple[Image, ...]]:
    """OCI image-spec v1.1, image-layout.md; with manifest.json beside it, `docker load`s too."""
    store = blobs.store
    if "oci-layout" in store:
        fields = blobs.fields(blobs.top("oci-layout", "oci-layout"))
        version = fields.text("imageLayoutVersion")
        if version.split(".")[0] != "1":
            blobs.problem(
                (),
                "layout",
                f"imageLayoutVersion is {shown(version)!r}",
                "it is read as version 1.0.0",
            )
    elif store.problems:
        raise InputError(f"{store.path}: has no oci-layout and no end: it is truncated")
    else:
        blobs.problem(
            (), "layout", "has no oci-layout file", "it is read as an OCI image layout all the same"
        )
    images = Indexes(blobs).images(blobs.top("index.json", "index.json"))
    if "manifest.json" in store:
        images = check_hybrid(blobs, blobs.top("manifest.json", "manifest.json"), images)
        return "docker-oci-layout" if store.is_directory else "docker-oci-archive", images
    return "oci-layout" if store.is_directory else "oci-archive", images


def _by_manifest(
    blobs: Blobs, spool: Callable[[], str], limits: Limits
) -> tuple[str, tuple[Image, ...]] | None:
    """A docker-archive or `dir:`; None where manifest.json is a file of some root file system."""
    store = blobs.store
    parts = any(_PART.fullmatch(member.name) for member in store.members)
    try:
        manifest = blobs.top("manifest.json", "manifest.json")
    except InputError:
        if parts or not store.others:
            raise
        return None
    value = manifest.value
    if isinstance(value, list) and (parts or not store.others or _is_saved(value)):
        images = read_docker_archive(blobs, manifest)
        return "docker-layout" if store.is_directory else "docker-archive", images
    if isinstance(value, dict) and value.keys() & {"config", "layers", "manifests", "fsLayers"}:
        # containers/image, directory transport: blobs have bare names, manifest.json is the root
        bare = Blobs(store, spool, limits, directory_names)
        media_type = value.get("mediaType")
        descriptor = made_descriptor(
            manifest.raw, media_type if isinstance(media_type, str) else ""
        )
        image = Indexes(bare).image_of(manifest, descriptor)
        blobs.problems += bare.problems
        return "dir", (image,)
    if parts or not store.others:
        raise InputError(f"{blobs.at('manifest.json')}: is neither a list of images nor a manifest")
    return None


def _is_saved(value: list[Any]) -> bool:
    return any(isinstance(entry, dict) and "Config" in entry for entry in value)


def _plain_root(store: Store) -> tuple[str, tuple[Image, ...]]:
    """A root file system without an image; never the half of an image that was cut off."""
    parts = [member.name for member in store.members if _PART.fullmatch(member.name)]
    if parts:
        what = "index.json" if parts[0].startswith(("oci-layout", "blobs")) else "manifest.json"
        raise InputError(
            f"{store.path}: has {shown(parts[0])} but no {what}: is it truncated or incomplete?"
        )
    if store.problems and not store.others:
        raise InputError(f"{store.path}: has no part of an image and no end: it is truncated")
    if not store.is_directory:
        return "root-tar", ()
    if not store.members:
        raise InputError(f"{store.path}: is an empty directory")
    inside = [
        member.name
        for member in store.members
        if member.kind == "directory"
        and os.path.isfile(os.path.join(store.path, member.name, "oci-layout"))
    ]
    if len(inside) == len(store.members):
        raise InputError(
            f"{store.path}: holds {len(inside)} image layouts, name one of them: {_listed(inside)}"
        )
    return "root-directory", ()


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(shown(name) for name in names[:_MOST_NAMES]) + more


def select(opened: Input, reference: str) -> Image:
    """The image that `reference` names: wholly, as Docker shows it, or by its end.

    Raises InputError where none or several do.
    """
    named = [image for image in opened.images if reference in image.names]
    if not named:
        familiar = familiar_name(reference)
        named = [
            image
            for image in opened.images
            if any(familiar_name(name) == familiar for name in image.names)
        ]
    if not named:
        named = [
            image
            for image in opened.images
            if any(name.endswith((f":{reference}", f"/{reference}")) for name in image.names)
        ]
    if len(named) == 1:
        return named[0]
    names = [name for image in named or opened.images for name in image.names]
    known = f"it has {_listed(names)}" if names else "its images have no names"
    problem = "several images are" if named else "no image is"
    raise InputError(f"{opened.store.path}: {problem} named {shown(reference)!r}: {known}")


def pair_images(a: Input, b: Input) -> tuple[list[tuple[Image | None, Image | None]], str]:
    """Images to compare with each other, and how they were found, in one sentence.

    By a shared name first, then by position; the sentence is empty where each side has one image.
    """
    if len(a.images) == len(b.images) == 1:
        return [(a.images[0], b.images[0])], ""
    left, right = list(a.images), list(b.images)
    by_name: dict[int, Image] = {}
    for number, image in enumerate(left):
        for same in (set, _familiar_names):
            names = same(image.names)
            other = next((o for o in right if names & same(o.names)), None)
            if other is not None:
                by_name[number] = other
                right.remove(other)
                break
    pairs: list[tuple[Image | None, Image | None]] = []
    by_position = 0
    for number, image in enumerate(left):
        paired = by_name.get(number)
        if paired is None and right:
            paired = right.pop(0)
            by_position += 1
        pairs.append((image, paired))
    pairs += [(None, image) for image in right]
    said = []
    if by_name:
        said.append(f"{len(by_name)} by name")
    if by_position:
        said.append(f"{by_position} by position")
    if alone := sum(1 for pair in pairs if None in pair):
        said.append(f"{alone} without a counterpart")
    return pairs, f"images are paired: {', '.join(said)}"


def _familiar_names(names: tuple[str, ...]) -> set[str]:
    return {familiar_name(name) for name in names}
