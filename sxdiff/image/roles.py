"""What each member of a store is to its image, so that members pair whatever their names."""

from collections.abc import Mapping

from sxdiff.image.graph import Image, Layer, PlatformImage
from sxdiff.image.store import Store
from sxdiff.model import Route

_TOP = ("oci-layout", "manifest.json", "repositories", "version", "VERSION")


def roles_of(store: Store, images: tuple[Image, ...]) -> Mapping[str, Route]:
    """Routes of members, by name: ("linux/amd64", "layer 1"), ("index",), ("oci-layout",), ...

    Links and the files of `docker save`'s old layer directories stand under the layer that they
    belong to. A member that several documents point at has its first role. With several images
    each route begins with the image's name.
    """
    roles: dict[str, Route] = {}

    def add(name: str, route: Route) -> None:
        if name in store:
            roles.setdefault(name, route)

    for number, image in enumerate(images, 1):
        name = image.names[0] if image.names else f"image {number}"
        prefix: Route = (name,) if len(images) > 1 else ()
        nested = 0
        for document in image.indexes:
            if document.role == "index.json":
                add(document.blob_name, ("index.json",))
            else:
                nested += 1
                label = "index" if nested == 1 else f"index {nested}"
                add(document.blob_name, (*prefix, label))
        for platform in image.platforms:
            _add_platform(store, roles, platform, (*prefix, platform.platform))
        for attestation in image.attestations:
            route = (*prefix, f"attestation {attestation.platform}")
            _add_platform(store, roles, attestation, route)
    _add_layer_directories(store, roles)
    if images:
        for top in _TOP:
            add(top, (top,))
    return roles


def _add_platform(
    store: Store, roles: dict[str, Route], platform: PlatformImage, prefix: Route
) -> None:
    if platform.manifest is not None:
        roles.setdefault(platform.manifest.blob_name, (*prefix, "manifest"))
    if platform.config is not None:
        roles.setdefault(platform.config.blob_name, (*prefix, "config"))
    for layer in platform.layers:
        _add_layer(store, roles, layer, (*prefix, f"layer {layer.number}"))
    roles.pop("", None)


def _add_layer(store: Store, roles: dict[str, Route], layer: Layer, route: Route) -> None:
    if layer.blob is None or not layer.blob_name:
        return
    target = store.resolve(layer.blob_name)
    if target is not None:
        roles.setdefault(target, route)
    if layer.blob_name != target:
        roles.setdefault(layer.blob_name, (*route, "link"))


def _add_layer_directories(store: Store, roles: dict[str, Route]) -> None:
    """`ID/layer.tar`, which may be a link to the layer, with `ID/json` and `ID/VERSION`."""
    for member in store.members:
        directory, slash, name = member.name.rpartition("/")
        if not slash or name != "layer.tar":
            continue
        if member.name not in roles:
            target = store.resolve(member.name)
            if target is None or target not in roles:
                continue
            roles[member.name] = (*roles[target], "link")
        route = roles[member.name]
        route = route[:-1] if route[-1] == "link" else route
        for beside in ("json", "VERSION"):
            if f"{directory}/{beside}" in store:
                roles.setdefault(f"{directory}/{beside}", (*route, beside))
        if directory in store:
            roles.setdefault(directory, (*route, "directory"))
