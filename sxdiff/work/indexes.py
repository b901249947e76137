"""Indexes and attestations of an image pair: all above the manifests of its platforms."""

from collections.abc import Iterator
from typing import Any

from sxdiff.compare.documents import document_differences
from sxdiff.image.graph import Document, Image, PlatformImage
from sxdiff.model import Difference, Route, Value
from sxdiff.work.members import Context
from sxdiff.work.platforms import PlatformComparison


def compare_indexes(context: Context, a: Image, b: Image, route: Route) -> bool:
    """Tell what indexes and attestations say differently; are the roots the same?"""
    _attestations(context, a, b, route)
    left, right = list(a.indexes), list(b.indexes)
    if route:
        # several images share index.json: it is nobody's own
        left = [one for one in left if one.role != "index.json"]
        right = [one for one in right if one.role != "index.json"]
    nested_otherwise = bool(left and right) and len(left) != len(right)
    if nested_otherwise:
        values = (_nesting(left, right), _nesting(right, left))
        context.builder.add(
            (*route, "index"),
            "index",
            Difference("index.nesting", *values, bytes=1),
            None,
            True,
        )
    nesting = ((*route, "index"),)
    for one, other, name in _index_pairs(left, right):
        if one.raw == other.raw:
            continue
        derived = _index_roots(one, a, route)
        for key, routes in _index_roots(other, b, route).items():
            derived[key] = tuple(dict.fromkeys(derived.get(key, ()) + routes))
        if len(one.value.get("manifests", ())) != len(other.value.get("manifests", ())):
            derived = {
                "/manifests": tuple(dict.fromkeys(r for routes in derived.values() for r in routes))
            }
        if nested_otherwise and name == "index.json":
            for number in range(len(one.value.get("manifests", ()))):
                for key in ("mediaType", "digest", "size", "platform"):
                    derived[f"/manifests/{number}/{key}"] = nesting
        for found in document_differences(
            "index", one.raw, other.raw, context.limits, derived=derived
        ):
            context.builder.add((*route, name), "index", found, None, True)
    return a.root is not None and a.root == b.root


def _nesting(indexes: list[Document], others: list[Document]) -> Value:
    """How many indexes lie between the outermost one and the manifests, and what those of them
    that have no counterpart say beside the manifests that they list."""
    nested, counterparts = (
        [one for one in side if one.role != "index.json"] for side in (indexes, others)
    )
    alone = nested[: max(0, len(nested) - len(counterparts))]
    more = sorted({key for one in alone for key in _more_keys(one.value)})
    count = len(indexes) - 1
    return Value(f"{count}; {', '.join(more)}" if more else count)


def _more_keys(index: Any) -> Iterator[str]:
    """Keys of an index and of its descriptors that say more than which manifests there are."""
    yield from index.keys() - {"schemaVersion", "mediaType", "manifests"}
    for entry in index.get("manifests") or ():
        yield from entry.keys() - {"mediaType", "digest", "size", "platform", "annotations"}
        yield from (entry.get("annotations") or {}).keys() - {
            "vnd.docker.reference.digest",
            "vnd.docker.reference.type",
        }


def _index_roots(document: Document, image: Image, route: Route) -> dict[str, tuple[Route, ...]]:
    """Which routes the digests in an index follow from, by JSON pointer."""
    known: dict[str, Route] = {}
    for one in image.platforms:
        if one.descriptor:
            known[one.descriptor.digest] = (*route, one.platform)
    for number, one in enumerate(image.attestations):
        if one.descriptor:
            known[one.descriptor.digest] = (*route, _attestation_name(image, number))
    nested = [one for one in image.indexes if one.role != "index.json"]
    for number, index in enumerate(nested, 1):
        known.setdefault(index.digest, (*route, _index_name(number)))
    roots: dict[str, tuple[Route, ...]] = {}
    manifests = document.value.get("manifests")
    for number, entry in enumerate(manifests if isinstance(manifests, list) else ()):
        pointer = f"/manifests/{number}"
        found = known.get(entry.get("digest"))
        if found is None:
            continue
        # a nested index differs because of what it lists, or in itself
        below = [(*route, one.platform) for one in image.platforms]
        routes = (found, *below) if found[-1].startswith("index") else (found,)
        roots[f"{pointer}/digest"] = roots[f"{pointer}/size"] = routes
        subject = (entry.get("annotations") or {}).get("vnd.docker.reference.digest")
        if subject in known:
            key = f"{pointer}/annotations/vnd.docker.reference.digest"
            roots[key] = (known[subject],)
    return roots


def _attestations(context: Context, a: Image, b: Image, route: Route) -> None:
    """Attestations differ by design (times, ids of the build): told, and kept apart."""
    left = {_attestation_name(a, n): one for n, one in enumerate(a.attestations)}
    right = {_attestation_name(b, n): one for n, one in enumerate(b.attestations)}
    subjects = _subjects(a, route), _subjects(b, route)
    for name in sorted(left.keys() | right.keys()):
        one, other = left.get(name), right.get(name)
        where = (*route, name)
        if one and other:
            PlatformComparison(context, where, one, other, subjects).compare()
            continue
        side = "a" if one else "b"
        digest = identity(one or other) if one or other else None
        context.builder.add(
            where,
            "attestation",
            Difference(
                f"attestation.only_in_{side}",
                Value(digest) if one else None,
                None if one else Value(digest),
                bytes=1,
            ),
            None,
            True,
        )


def _subjects(image: Image, route: Route) -> dict[str, Route]:
    """Where the image of each manifest's digest is told."""
    return {
        one.descriptor.digest: (*route, one.platform) for one in image.platforms if one.descriptor
    }


def identity(image: PlatformImage | None) -> str | None:
    """The digest that names what one side has, where the other has nothing."""
    if image is None:
        return None
    named = image.manifest or image.config or image.descriptor
    return named.digest if named else None


def _index_name(number: int) -> str:
    return "index" if number == 1 else f"index {number}"


def _index_pairs(a: list[Document], b: list[Document]) -> Iterator[tuple[Document, Document, str]]:
    """index.json with index.json; nested indexes from the innermost outwards."""
    if a and b and a[0].role == b[0].role == "index.json":
        yield a[0], b[0], "index.json"
    left, right = ([one for one in side if one.role != "index.json"] for side in (a, b))
    depth = min(len(left), len(right))
    pairs = zip(left[len(left) - depth :], right[len(right) - depth :], strict=True)
    for number, (one, other) in enumerate(pairs, 1):
        yield one, other, _index_name(number)


def _attestation_name(image: Image, number: int) -> str:
    subject = image.attestations[number].platform
    before = [one.platform for one in image.attestations[:number]].count(subject)
    return f"attestation {subject}" + (f" {before + 1}" if before else "")
