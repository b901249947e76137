"""What a report of a case must not say."""

import os
from collections.abc import Iterator
from typing import Any

from bench.mutations import oracle
from bench.mutations.cases import Case
from bench.mutations.oracle import RUNGS, Reading, Unreadable, infos, path_of
from tests.causes.test_causes_flips import ASSUMED

Report = dict[str, Any]


def _rank(rung: str) -> int:
    return RUNGS.index(rung)


def truth(one: Reading, b: str) -> str | None:
    """The strongest rung that holds for an input and the one at path `b`; None where that is
    damaged."""
    try:
        other = Reading(b)
    except Unreadable:
        return "archive" if one.raw == oracle.raw(b) else None
    return oracle.strongest(one, other)


def faults(case: Case, report: Report, right: str | None) -> Iterator[str]:
    """What is wrong in a report."""
    said = report["equal_at"]
    if _rank(said) < _rank(right or "nothing"):
        yield f"equal at {said}, is {right or 'damaged'}"
    met = said != "nothing" and _rank(said) <= _rank(report["options"]["require"])
    if report["met"] != met:
        yield "exit code is not the rung's"
    counts = report["summary"]["differences"]
    if counts["total"] != counts["explained"] + counts["unexplained"] + counts["derived"]:
        yield "the sum is wrong"
    if right != "archive" and not counts["total"]:
        yield "nothing is told"
    yield from _causes(case, report)


VALUES = frozenset(
    {
        "captures-build-path",
        "compiled-unit-source-mtime",
        "cpio-mtime-inode",
        "deb-member-mtimes",
        "filesystem-stat-capture",
        "font-head-modified",
        "generated-keys-certs",
        "git-metadata",
        "gzip-header-mtime",
        "gzip-header-name",
        "java-keystore-creation-date",
        "ldconfig-aux-cache",
        "line-ordering",
        "login-records",
        "oci-provenance-attestation",
        "pdf-dates-and-id",
        "pyc-co-filename-path",
        "pyc-header-mtime",
        "sbom-serial-and-timestamp",
        "sqlite-file-layout",
        "static-library-timestamps",
        "static-library-uid-gid-mode",
        "tar-mtime",
        "tar-trailing-padding",
        "timestamp-binary-epoch",
        "timestamp-in-text",
        "timestamps-in-png",
        "toolchain-version",
        "zip-dos-timestamp",
        "zip-external-attributes",
        "zip-extra-timestamp-uid",
    }
)
"""Causes of a value that stands by itself and may be any of its kind: another time, path, number
of an inode, key, version, ... One flipped bit makes another such value, which no one can tell from
one that a build has left. They alone may explain all that a mutation of a file's bytes has changed.
"""

_DOCUMENTS = {
    "config": ("config",),
    "manifest": ("manifest", "top"),
    "index.json": ("top", "index"),
    "index": ("top", "index"),
}


def _causes(case: Case, report: Report) -> Iterator[str]:
    """A cause must be of the place that was changed."""
    built = case.built
    paths = places(case)
    bytes_changed = built.stage == "content" and not built.across
    for one in report["differences"]:
        if not one["causes"]:
            continue
        said = f"{', '.join(one['causes'])} at {'/'.join(one['where'])}"
        if one["where"][0] == "archive" or one["kind"].startswith(("layer.", "archive.")):
            # how the image is packed: other bytes have other sizes, and digests another order
            above = built.stage in ("config", "manifest", "index") and not built.across
            if above and one["kind"].startswith("layer."):
                yield f"elsewhere: {said}"
            continue
        if one["path"] is not None or one["kind"] == "tar.order":
            if built.stage in ("config", "manifest", "index", "top"):
                yield f"elsewhere: {said}"
            elif one["path"] is not None and paths is not None and one["path"] not in paths:
                yield f"another file: {said}"
        else:
            stages = next(
                (_DOCUMENTS[step] for step in reversed(one["where"]) if step in _DOCUMENTS), None
            )
            inputs = ("input", "packed input")
            if not built.across and stages and built.stage not in (*stages, *inputs):
                yield f"elsewhere: {said}"
        if bytes_changed and len(one["where"]) and one["where"][-1] == one["path"]:
            yield from _span(case, one, said)
    told = [one for one in report["differences"] if one["path"] is not None]
    if bytes_changed and told and all(one["explained"] or one["derived"] for one in told):
        # equal contents are the proof of another packing, and a bit may well make one
        named = [one for one in told if not one["kind"].endswith(".packing")]
        names = {cause for one in named for cause in one["causes"]}
        if names - VALUES:
            yield f"explained by {', '.join(sorted(names - VALUES))}"
        if not any(one["causes"] for one in told) and not all(
            one["kind"] in ASSUMED for one in told
        ):
            yield "only consequences are told"


def _span(case: Case, one: dict[str, Any], said: str) -> Iterator[str]:
    """Of a value with a place in the file, a byte that was flipped must lie in that place."""
    built = case.built
    if built.operation != "flip" or not one["a"] or not one["a"]["at"]:
        return
    at, size = one["a"]["at"]
    changed = built.mutated.span
    if changed is not None and not at <= changed[0] < at + size:
        yield f"other bytes: {said}"


def places(case: Case) -> set[str] | None:
    """The files in which something was changed; None where that is not known."""
    built = case.built
    members = [member for layer in case.recipe.content.layers for member in layer]
    if any(one.type == b"g" for one in members) and built.stage != "content":
        return None  # a global header is of all that follow
    if built.stage == "members":
        found = set(built.mutated.paths)
    elif built.stage == "content":
        found = {os.fsdecode(members[built.which].name)}
    elif built.stage == "layer" and built.mutated.span is not None:
        found = set(_touched(built.value, built.mutated.span))
        found |= _new(built.value, built.mutated.value)
    else:
        return None
    links = {
        os.fsdecode(one.name)
        for one in members
        if one.type == b"1" and os.fsdecode(one.linkname) in found
    }
    return {path_of(name) for name in found | links}


def _new(layer: bytes, mutated: bytes) -> set[str]:
    """Names that only the mutated layer has, as far as it can be read."""
    names: list[set[str]] = []
    for data in (layer, mutated):
        seen: set[str] = set()
        try:
            for _, info in infos(data):
                seen.add(info.name)
        except Unreadable:
            pass
        names.append(seen)
    return names[1] - names[0]


def _touched(layer: bytes, span: tuple[int, int]) -> Iterator[str]:
    """Members of a layer that hold a byte of the span, and those beside them."""
    members = [info for _, info in infos(layer)]
    ends = [*(info.offset for info in members[1:]), len(layer)]
    inside = [
        number
        for number, (info, end) in enumerate(zip(members, ends, strict=True))
        if info.offset <= sum(span) and span[0] <= end
    ]
    near = range(min(inside, default=1) - 1, max(inside, default=-2) + 2)
    for number in near:
        if 0 <= number < len(members):
            yield members[number].name


def assumed(report: Report) -> bool:
    """Is something told only as what one file can't prove?"""
    told = [one for one in report["differences"] if one["path"] is not None]
    return bool(told) and all(one["derived"] and one["kind"] in ASSUMED for one in told)
