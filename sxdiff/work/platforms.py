"""One platform of both sides: its documents, its layers, its files, and how far they are equal."""

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sxdiff.compare.digests import written
from sxdiff.compare.documents import document_differences
from sxdiff.compare.index import Members, Row
from sxdiff.compare.rootfs import Root, RootRow, rung, shape
from sxdiff.formats.tar import HARD_LINK
from sxdiff.image.graph import Document, Layer, PlatformImage
from sxdiff.model import (
    Claim,
    Difference,
    FormatError,
    Problem,
    Route,
    Span,
    Value,
    text_of,
)
from sxdiff.work.layers import ReadLayer, promised_equal
from sxdiff.work.members import Context, MemberComparison
from sxdiff.work.packing import compression_said, end_difference, packed_differences, same_family

_COPIED = re.compile(r"\b(?:dir|file|multi):[0-9a-f]{64}\b")
_STEP = re.compile(r"/history/\d+")
_OF_STEP = {"created", "created_by", "author", "comment"}
ROOT = "root file system"
"""The step of a route below which the merged trees are compared, where layers do not pair."""


def pair_layers(a: tuple[Layer, ...], b: tuple[Layer, ...]) -> list[tuple[int, int]] | None:
    """Which layer compares with which, by index: by diff_id, else by position.

    None where the layering itself differs: then only the merged trees can be compared.
    """
    if len(a) != len(b):
        return None
    left, right = list(range(len(a))), list(range(len(b)))
    pairs = [(i, i) for i in left if _same_content(a[i], b[i])]
    left = [i for i in left if (i, i) not in pairs]
    right = [i for i in right if (i, i) not in pairs]
    for i in list(left):
        for j in right:
            if _same_content(a[i], b[j]):
                pairs.append((i, j))
                left.remove(i)
                right.remove(j)
                break
    return sorted(pairs + list(zip(left, right, strict=True)))


def _same_content(a: Layer, b: Layer) -> bool:
    if a.diff_id is not None and b.diff_id is not None:
        return a.diff_id == b.diff_id
    return promised_equal(a, b)


def contents_promised_equal(a: PlatformImage, b: PlatformImage) -> bool:
    """Do both promise the same unpacked layers in the same order?"""
    return len(a.layers) == len(b.layers) and all(
        _same_content(left, right) for left, right in zip(a.layers, b.layers, strict=True)
    )


def _steps_of_layers(image: PlatformImage) -> list[int]:
    """Numbers of the steps in the history that made a layer, in order (OCI image-spec, config)."""
    history = image.config.value.get("history") if image.config else None
    steps = history if isinstance(history, list) else []
    return [
        number
        for number, one in enumerate(steps)
        if isinstance(one, dict) and not one.get("empty_layer")
    ]


class PlatformComparison:
    """Compares one platform that both sides have. `route` is where it stands in the report.

    `subjects` are the routes of the manifests of both sides by digest, for what refers to them.
    """

    def __init__(
        self,
        context: Context,
        route: Route,
        a: PlatformImage,
        b: PlatformImage,
        subjects: tuple[Mapping[str, Route], Mapping[str, Route]] = ({}, {}),
    ) -> None:
        self._context = context
        self._route = route
        self._a = a
        self._b = b
        self._subjects = subjects
        self._recut = False
        """Whether both have the same members in other layers, and nothing else in them."""
        self.touched: tuple[dict[int, list[Span]], dict[int, list[Span]]] = ({}, {})
        """By number of a layer: where in it the members lie that differ, of each side."""

    def compare(self) -> str:
        """Tell every difference; the rung at which the two are equal."""
        a, b = self._a, self._b
        if a.manifest and b.manifest and a.manifest.digest == b.manifest.digest:
            self._count_members()
            return "manifest"
        if not (a.present and b.present):
            return self._absent()
        if a.artifact or b.artifact:
            return self._artifact()
        verdict = self._layers()
        self._documents()
        if a.config and b.config and a.config.digest == b.config.digest and verdict == "rootfs":
            return "config"
        return verdict

    def same(self) -> str:
        """The rung where both inputs are the same in every byte: nothing is left to tell."""
        self._media_types([self._context.reading.get(layer) for layer in self._read_layers()], "a")
        self._count_members()
        if self._a.manifest:
            return "manifest"
        return "config" if self._a.config else "rootfs"

    def _read_layers(self) -> tuple[Layer, ...]:
        return () if self._a.artifact or not self._a.present else self._a.layers

    def _count_members(self) -> None:
        for layer in self._read_layers():
            if read := self._context.reading.get(layer):
                self._context.counts.compared += read.scanned["members"]

    def _absent(self) -> str:
        """A manifest that is not in the archive: only its descriptor can be compared."""
        a, b = self._a.descriptor, self._b.descriptor
        if a is not None and b is not None and a.digest == b.digest:
            return "manifest"
        self._tell(
            (),
            Difference(
                "manifest.digest",
                Value(a.digest if a else None),
                Value(b.digest if b else None),
                bytes=1,
            ),
        )
        return "nothing"

    def _artifact(self) -> str:
        """No image: manifests and blobs are compared as what they are."""
        a, b = self._a, self._b
        changed = []
        for index in range(max(len(a.layers), len(b.layers))):
            left = a.layers[index] if index < len(a.layers) else None
            right = b.layers[index] if index < len(b.layers) else None
            route = (*self._route, f"blob {index + 1}")
            if left and right and promised_equal(left, right):
                continue
            if left and right and left.blob and right.blob:
                changed.append(f"/layers/{index}")
                self._look_into_blobs(route, left, right)
            elif left and right:
                changed.append(f"/layers/{index}")
                values = (Value(left.digest), Value(right.digest))
                self._context.builder.add(
                    route, "blob", Difference("blob.absent", *values, bytes=1), None, True
                )
        derived: dict[str, tuple[Route, ...]] = {}
        for pointer in changed:
            route = (*self._route, f"blob {int(pointer.rpartition('/')[2]) + 1}")
            derived |= {f"{pointer}/digest": (route,), f"{pointer}/size": (route,)}
        self._document("config", a.config, b.config, {})
        config = {"/config/digest": ((*self._route, "config"),)}
        config["/config/size"] = config["/config/digest"]
        self._document("manifest", a.manifest, b.manifest, derived | config | self._subject())
        return "nothing"

    def _subject(self) -> dict[str, tuple[Route, ...]]:
        """The descriptor of the image that both refer to, which follows from the image."""
        routes = [
            known.get(_subject_digest(one.manifest))
            for known, one in zip(self._subjects, (self._a, self._b), strict=True)
        ]
        if routes[0] is None or routes[0] != routes[1]:
            return {}
        return {"/subject/digest": (routes[0],), "/subject/size": (routes[0],)}

    def _look_into_blobs(self, route: Route, a: Layer, b: Layer) -> None:
        assert a.blob is not None and b.blob is not None  # noqa: S101 - the caller looked
        from sxdiff.work.files import look_at  # noqa: PLC0415 - artifacts are rare

        node = look_at(self._context.pool, a.blob, b.blob, route[-1], self._context.limits)
        if node is not None:
            self._context.builder.add_node(route, node, None, True)

    def _documents(self) -> None:
        """Manifest and config, by JSON path; digests of layers follow from the layers."""
        a, b = self._a, self._b
        pairs = pair_layers(a.layers, b.layers)
        manifest: dict[str, tuple[Route, ...]] = {}
        config: dict[str, tuple[Route, ...]] = {}
        if pairs is None:
            everything = ((*self._route, ROOT), (*self._route, "layers"))
            manifest["/layers"] = config["/rootfs/diff_ids"] = everything
        else:
            if any(i != j for i, j in pairs):
                order = ((*self._route, "layers"),)
                manifest["/layers"] = config["/rootfs/diff_ids"] = order
            for i, j in pairs:
                for index in sorted({i, j}):
                    routes: tuple[Route, ...] = ((*self._route, _layer_name(i)),)
                    if i != j:
                        routes += ((*self._route, "layers"),)
                    if b.layers[j].digest != a.layers[i].digest or i != j:
                        manifest[f"/layers/{index}/digest"] = routes
                        manifest[f"/layers/{index}/size"] = routes
                    config[f"/rootfs/diff_ids/{index}"] = routes
                    if self._compression_follows(i, j):
                        manifest[f"/layers/{index}/mediaType"] = routes
        # a config that differs in diff_ids only follows from the layers in its turn
        layers = tuple(route for routes in config.values() for route in routes)
        config |= self._copied(pairs or [])
        manifest["/config/digest"] = ((*self._route, "config"), *layers)
        manifest["/config/size"] = manifest["/config/digest"]
        self._know("config", a.config, b.config)
        self._know("manifest", a.manifest, b.manifest)
        self._document("config", a.config, b.config, config)
        self._document("manifest", a.manifest, b.manifest, manifest)

    def _copied(self, pairs: list[tuple[int, int]]) -> dict[str, tuple[Route, ...]]:
        """Steps of the history that differ only in digests of what they copied, which buildah and
        the classic builder write there: where the layer differs they follow from it."""
        steps = [_steps_of_layers(image) for image in (self._a, self._b)]
        found: dict[str, tuple[Route, ...]] = {}
        for i, j in pairs:
            if i != j or max(i, j) >= min(map(len, steps)) or steps[0][i] != steps[1][j]:
                continue
            said = [image.layers[i].created_by or "" for image in (self._a, self._b)]
            read = [self._context.reading.get(image.layers[i]) for image in (self._a, self._b)]
            differ = read[0] and read[1] and read[0].diff_id != read[1].diff_id
            if (
                differ
                and said[0] != said[1]
                and _COPIED.sub("", said[0]) == _COPIED.sub("", said[1])
            ):
                found[f"/history/{steps[0][i]}/created_by"] = ((*self._route, _layer_name(i)),)
        return found

    def _know(self, role: str, a: Document | None, b: Document | None) -> None:
        """Attestations and files may speak of a document's digest, which follows from it."""
        if a is not None and b is not None and a.digest != b.digest:
            keys = (written(one.digest.partition(":")[2]) for one in (a, b))
            one, other = ([key] if key else [] for key in keys)
            if one and other:
                self._context.known.add(one, other, (*self._route, role))

    def _compression_follows(self, i: int, j: int) -> bool:
        """Do both media types say truly how their layers are compressed?"""
        for layer in (self._a.layers[i], self._b.layers[j]):
            read = self._context.reading.get(layer)
            if read is None or compression_said(layer.media_type) != read.scanned["compression"]:
                return False
        return same_family(self._a.layers[i].media_type, self._b.layers[j].media_type)

    def _document(
        self,
        role: str,
        a: Document | None,
        b: Document | None,
        derived: dict[str, tuple[Route, ...]],
    ) -> None:
        if a is None or b is None or a.raw == b.raw:
            return
        for found in document_differences(
            role, a.raw, b.raw, self._context.limits, derived=derived
        ):
            told = self._step_of_layer(found) if self._recut and role == "config" else found
            self._context.builder.add((*self._route, role), role, told, None, True)

    def _layers(self) -> str:
        a, b = self._a, self._b
        pairs = pair_layers(a.layers, b.layers)
        reading = self._context.reading
        a_read = [reading.get(layer) for layer in a.layers]
        b_read = [reading.get(layer) for layer in b.layers]
        same = pairs is not None and all(
            i == j and _found_equal(a.layers[i], b.layers[j], a_read[i], b_read[j])
            for i, j in pairs
        )
        self._media_types(a_read, "a")
        self._media_types(b_read, "b")
        if same and pairs is not None:
            for i, j in pairs:
                self._packing(i, a_read[i], b_read[j])
            self._count_members()
            return "rootfs"
        if None in a_read or None in b_read:
            return self._partly_absent(pairs, a_read, b_read)
        left = [read for read in a_read if read is not None]
        right = [read for read in b_read if read is not None]
        return self._trees(pairs, left, right)

    def _partly_absent(
        self,
        pairs: list[tuple[int, int]] | None,
        a_read: list[ReadLayer | None],
        b_read: list[ReadLayer | None],
    ) -> str:
        """A layer that is not in the archive: the rest is compared, nothing is called equal."""
        for i, j in pairs or []:
            left, right = a_read[i], b_read[j]
            if left and right and left.diff_id != right.diff_id:
                self._layer_pair(i, left, j, right, None)
            elif not (left and right) and not _same_content(self._a.layers[i], self._b.layers[j]):
                values = (Value(self._a.layers[i].digest), Value(self._b.layers[j].digest))
                self._tell((_layer_name(i),), Difference("layer.absent", *values, bytes=1))
        if pairs is None:
            self._tell_layering()
        return "nothing"

    def _tell_layering(self) -> None:
        counts = (Value(len(self._a.layers)), Value(len(self._b.layers)))
        kind = "layer.boundary" if self._recut else "layer.count"
        self._tell(("layers",), Difference(kind, *counts, bytes=1))

    @staticmethod
    def _is_recut(
        roots: tuple[Root, Root],
        a: list[ReadLayer],
        a_members: list[Members],
        b: list[ReadLayer],
        b_members: list[Members],
    ) -> bool:
        """Are both trees the same in every byte, and is there nothing else in the layers that only
        one side has?"""
        if next(roots[0].differing(roots[1]), None) is not None:
            return False
        known = {read.diff_id for read in a} & {read.diff_id for read in b}
        for root, layers, members in ((roots[0], a, a_members), (roots[1], b, b_members)):
            own = [number for number, read in enumerate(layers) if read.diff_id not in known]
            if any(
                layers[number].is_directory
                or not layers[number].scanned["end_told"].endswith("zero bytes")
                for number in own
            ):
                return False
            if not root.shows_all(members, own):
                return False
        return True

    def _step_of_layer(self, found: Difference) -> Difference:
        """A step of the history that one side has more, as it has a layer more (OCI image-spec,
        config: one entry for each layer, but those with `empty_layer`)."""
        one, two = (str(value.value) if value else "" for value in (found.a, found.b))
        if not _STEP.fullmatch("/".join(found.where)) or (one and two):
            return found
        try:
            entry = json.loads(one or two)
        except ValueError:
            return found  # an excerpt of a long one
        if not isinstance(entry, dict) or not entry.keys() <= _OF_STEP or not self._one_each():
            return found
        said = [f"step {text}"[:80] if text else "(none)" for text in (one, two)]
        return replace(found, claims=(Claim("oci-layer-boundary", said[0], said[1]),))

    def _one_each(self) -> bool:
        """Has each side's history a step for each of its layers?"""
        return all(
            len(_steps_of_layers(image)) == len(image.layers) for image in (self._a, self._b)
        )

    def _trees(
        self, pairs: list[tuple[int, int]] | None, a: list[ReadLayer], b: list[ReadLayer]
    ) -> str:
        merged = self._context.pool.all([self._merge_task(a), self._merge_task(b)])
        roots = (Root(merged[0]["root"]), Root(merged[1]["root"]))
        opened: dict[str, Members] = {}
        try:
            for read in a + b:
                opened.setdefault(read.scanned["index"], read.members())
            a_members = [opened[read.scanned["index"]] for read in a]
            b_members = [opened[read.scanned["index"]] for read in b]
            if pairs is None:
                self._recut = self._is_recut(roots, a, a_members, b, b_members)
                self._tell_layering()
                self._root_pair(roots, a, a_members, b, b_members)
                self._context.counts.compared += merged[0]["paths"]
            else:
                self._layer_order(pairs)
                for i, j in pairs:
                    if _found_equal(self._a.layers[i], self._b.layers[j], a[i], b[j]):
                        self._packing(i, a[i], b[j])
                    else:
                        below = a_members[:i], b_members[:j]
                        self._layer_pair(i, a[i], j, b[j], roots, below)
                    self._context.counts.compared += a[i].scanned["members"]
            try:
                return rung(*roots, a_members, b_members)
            except FormatError:
                return "contents" if self._contents_equal(roots) else "nothing"
        finally:
            for members in opened.values():
                members.close()
            for root in roots:
                root.close()

    @staticmethod
    def _contents_equal(roots: tuple[Root, Root]) -> bool:
        """Are type, target and content of every path equal, whatever the headers say?"""
        return all(
            a is not None and b is not None and (shape(a), a.content) == (shape(b), b.content)
            for a, b in roots[0].differing(roots[1])
        )

    def _merge_task(self, layers: list[ReadLayer]) -> dict[str, Any]:
        return {
            "task": "merge",
            "layers": [(read.scanned["index"], read.packing == "estargz") for read in layers],
            "whiteouts": self._a.config is not None or self._b.config is not None,
        }

    def _layer_order(self, pairs: list[tuple[int, int]]) -> None:
        if any(i != j for i, j in pairs):
            other = [j for _, j in pairs]
            inverse = sorted(range(len(other)), key=lambda i: other[i])
            values = (
                Value(", ".join(str(i + 1) for i in range(len(pairs)))),
                Value(", ".join(str(i + 1) for i in inverse)),
            )
            self._tell(("layers",), Difference("layer.order", *values, bytes=1))

    def _layer_pair(
        self,
        i: int,
        a: ReadLayer,
        j: int,
        b: ReadLayer,
        roots: tuple[Root, Root] | None,
        below: tuple[Sequence[Members], Sequence[Members]] | None = None,
    ) -> None:
        """Two layers with other content: packing, order, padding, then member by member."""
        self._packing(i, a, b)
        a_members, b_members = a.members(), b.members()
        try:
            comparison = MemberComparison(
                self._context,
                (*self._route, _layer_name(i)),
                [(a, a_members)],
                [(b, b_members)],
                (lambda path: roots[0].shows(i, path) or roots[1].shows(j, path))
                if roots
                else (lambda _: True),
                below,
            )
            comparison.run(
                (one and (0, one), other and (0, other))
                for one, other in a_members.differing(b_members)
            )
            for side, number in enumerate((i, j)):
                self.touched[side][number] = comparison.touched(side, 0)
            on_disk = a.is_directory or b.is_directory  # a directory has no order
            if a.scanned["order"] != b.scanned["order"] and not on_disk:
                self._member_order(i, a_members, b_members)
        finally:
            a_members.close()
            b_members.close()

    def _root_pair(
        self,
        roots: tuple[Root, Root],
        a: list[ReadLayer],
        a_members: list[Members],
        b: list[ReadLayer],
        b_members: list[Members],
    ) -> None:
        comparison = MemberComparison(
            self._context,
            (*self._route, ROOT),
            list(zip(a, a_members, strict=True)),
            list(zip(b, b_members, strict=True)),
            lambda _: True,
        )
        comparison.run(self._root_rows(roots, a_members, b_members))
        for side, layers in enumerate((a, b)):
            for number in range(len(layers)):
                self.touched[side][number] = comparison.touched(side, number)

    def _root_rows(
        self, roots: tuple[Root, Root], a: list[Members], b: list[Members]
    ) -> Iterator[tuple[tuple[int, Row] | None, tuple[int, Row] | None]]:
        for one, other in roots[0].differing(roots[1]):
            if one is not None and other is not None and self._source_is_gone(roots, one, other):
                # no other path of the tree tells what these names hold
                values = (_content_value(one, a), _content_value(other, b))
                self._context.builder.add(
                    (*self._route, ROOT, text_of(one.path)),
                    "data",
                    Difference("file.content", *values, bytes=max(v.size or 1 for v in values)),
                    text_of(one.path),
                    True,
                )
            yield (
                one and (one.layer, a[one.layer].row(one.ordinal)),
                other and (other.layer, b[other.layer].row(other.ordinal)),
            )

    @staticmethod
    def _source_is_gone(roots: tuple[Root, Root], one: RootRow, other: RootRow) -> bool:
        """Do two hard links hold other contents, which no pair of their sources' paths tells?"""
        if not one.type == other.type == HARD_LINK or one.content == other.content:
            return False
        return not all(
            root.shows(row.inode_layer, row.link)
            for root, row in zip(roots, (one, other), strict=True)
        )

    def _member_order(self, i: int, a: Members, b: Members) -> None:
        """Same members in another order: told once, as a permutation."""
        order = array("q", a.common_order(b))
        here = array("q", sorted(range(len(order)), key=order.__getitem__))
        there = array("q", bytes(8 * len(order)))
        for rank, place in enumerate(here):
            there[place] = rank
        # of two ways to say it the lesser, so that the same is said whichever side is a
        moves = min(here, there)
        stay = set(_longest_increasing(moves))
        moved = len(order) - len(stay)
        if not moved:
            return  # the orders differ only by members that one side has
        place, rank = next((at, to) for at, to in enumerate(moves) if to not in stay)
        ways = [(place, rank), (rank, place)]
        if here == there:
            ways.sort(key=lambda way: b.row(order[way[0]])[1:3])
        place, rank = ways[moves is here and here != there]
        name = text_of(b.row(order[place]).path) or "."
        said = f"{moved} of {len(order)} members elsewhere; {name!r} is number "
        values = (Value(f"{said}{place + 1}"), Value(f"{said}{rank + 1}"))
        self._tell((_layer_name(i),), Difference("tar.order", *values, bytes=1))

    def _packing(self, i: int, a: ReadLayer | None, b: ReadLayer | None) -> None:
        """How the layer is packed: compression, header fields, encoder, padding."""
        if a is None or b is None:
            return
        told: list[Difference] = []
        if not (a.is_directory or b.is_directory):
            if a.scanned["end_told"] != b.scanned["end_told"]:
                told.append(end_difference(a, b))
            if a.layer.digest is None or a.layer.digest != b.layer.digest:
                where = (*self._route, _layer_name(i))

                def problem(message: str, resolution: str) -> None:
                    self._problem(Problem(where, "worker", message, resolution))

                limits = self._context.limits
                told += packed_differences(self._context.pool, a, b, limits, problem)
        for difference in told:
            self._tell((_layer_name(i),), difference)

    def _media_types(self, layers: list[ReadLayer | None], side: str) -> None:
        for read in layers:
            if read is None:
                continue
            where = (*self._route, _layer_name(read.layer.number - 1))
            for kind, message in read.scanned["problems"]:
                resolution = "told as it stands; nothing is written under it"
                if kind == "tar":
                    resolution = "compared by digest only"
                self._problem(Problem(where, kind, f"{message} (side {side})", resolution))
            said = compression_said(read.layer.media_type)
            found = read.scanned["compression"]
            if read.layer.descriptor and said is not None and said != found:
                message = f"media type {read.layer.media_type} promises {said}, it is {found}"
                self._problem(
                    Problem(where, "media-type", f"{message} (side {side})", f"read as {found}")
                )

    def _problem(self, problem: Problem) -> None:
        self._context.builder.problem(problem)

    def _tell(self, below: Route, difference: Difference) -> None:
        self._context.builder.add((*self._route, *below), "layer", difference, None, True)


def _subject_digest(manifest: Document | None) -> str:
    """The digest of what a manifest refers to (OCI image-spec, manifest, "subject")."""
    subject = manifest.value.get("subject") if manifest else None
    digest = subject.get("digest") if isinstance(subject, dict) else None
    return digest if isinstance(digest, str) else ""


def _content_value(row: RootRow, layers: list[Members]) -> Value:
    member = layers[row.inode_layer].row(row.inode_ordinal)
    digest = f"blake3:{row.content.hex()}" if row.content else None
    return Value(None, at=(member.data_at, member.size), size=member.size, digest=digest)


def _layer_name(index: int) -> str:
    return f"layer {index + 1}"


def _found_equal(a: Layer, b: Layer, one: ReadLayer | None, other: ReadLayer | None) -> bool:
    if one is None or other is None:
        return promised_equal(a, b)
    return one.diff_id == other.diff_id and not (one.is_directory or other.is_directory)


def _longest_increasing(values: Sequence[int]) -> list[int]:
    """A longest run of values that are already in order (patience sorting)."""
    from bisect import bisect_left  # noqa: PLC0415 - only where an order differs

    tails: list[int] = []
    places: list[int] = []
    previous: list[int] = [-1] * len(values)
    for index, value in enumerate(values):
        place = bisect_left(tails, value)
        if place:
            previous[index] = places[place - 1]
        if place == len(tails):
            tails.append(value)
            places.append(index)
        else:
            tails[place], places[place] = value, index
    run: list[int] = []
    index = places[-1] if places else -1
    while index >= 0:
        run.append(values[index])
        index = previous[index]
    return run[::-1]
