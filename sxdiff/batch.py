"""Trees of images: all packages of a distribution and their rebuilds, compared one by one."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sxdiff.image.graph import Input
from sxdiff.image.oci import open_input
from sxdiff.model import Difference, InputError, Limits, Value, text_of
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.merge import Merger
from sxdiff.run import Options, changed, compare
from sxdiff.work.packing import unpack_input
from sxdiff.work.pool import Pool
from sxdiff.work.spool import Spool

Progress = Callable[[int, int, str], None]
"""Told how many packages are done, of how many, and the name of the next."""

_MARKS: Final = ("index.json", "oci-layout", "manifest.json")
"""A directory that has one of these is an image, not a directory of images."""
_ARCHIVE: Final = ".tar"
_LINE: Final = re.compile(r"([0-9a-f]{64})[ \t]+(\S+)")


def images_in(tree: str) -> dict[str, str]:
    """The images of a tree by their names in it: directories as they are called, and archives
    (`NAME.tar`) without their ending.

    A directory directly in the tree in which no image is found is told as one too: a build that
    failed leaves such. Raises `InputError` where there is none at all.
    """
    try:
        found = dict(_images(tree, ""))
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    if not found:
        raise InputError(f"{tree}: holds no images (directories with index.json, or NAME.tar)")
    return {name: found[name] for name in sorted(found)}


def _images(directory: str, prefix: str) -> Iterator[tuple[str, str]]:
    with os.scandir(directory) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    taken = {entry.name for entry in ordered}
    for entry in ordered:
        name = prefix + text_of(os.fsencode(entry.name))
        if entry.is_dir():
            if any(os.path.exists(os.path.join(entry.path, mark)) for mark in _MARKS):
                yield name, entry.path
                continue
            inside = [] if entry.is_symlink() else [*_images(entry.path, f"{name}/")]
            yield from inside or ([] if prefix else [(name, entry.path)])
        elif entry.name.endswith(_ARCHIVE) and entry.name != _ARCHIVE:
            other = entry.name.removesuffix(_ARCHIVE) in taken
            yield name if other else name.removesuffix(_ARCHIVE), entry.path


@dataclass(slots=True)
class Outcome:
    """What became of a batch: `report` is of all images, `failed` names those without verdict."""

    report: Report
    failed: list[str]
    differ: bool
    """Whether there is an image that is not as equal as asked for, or on one side only."""


@contextmanager
def compare_trees(
    trees: tuple[str, str],
    options: Options,
    write: Callable[[str, Report], None],
    progress: Progress | None,
) -> Iterator[Outcome]:
    """Compares the images of the same name in two trees; `write` gets each name and report.

    An image that is corrupt, or with which sxdiff has a bug, does not stop the others. The outcome
    lives as long as the context.
    """
    a, b = map(images_in, trees)
    names = sorted(a.keys() | b.keys())
    failed: list[str] = []
    differ = False
    with Spool.create(options.spool) as spool, Merger(spool.directory) as merger:
        for number, name in enumerate(names):
            if progress:
                progress(number, len(names), name)
            with ExitStack() as stack:
                try:
                    if name in a and name in b:
                        report = stack.enter_context(compare(a[name], b[name], options, None))
                        alone = None
                    else:
                        alone = "a" if name in a else "b"
                        path = a[name] if name in a else b[name]
                        report = stack.enter_context(_alone(alone, path, options, spool))
                except Exception as error:
                    if options.debug:
                        traceback.print_exception(error, file=sys.stderr)
                    merger.failed(name, _reason(error, name, a.get(name), b.get(name)))
                    failed.append(name)
                    continue
                differ |= not report.header["met"]
                if alone is None:
                    write(name, report)
                merger.add(name, report, alone)
        # the tree's own name: where it lies is this machine's business
        a_name, b_name = (os.path.basename(os.path.abspath(tree)) or "/" for tree in trees)
        yield Outcome(merger.finish((a_name, b_name)), failed, differ)


@contextmanager
def _alone(side: str, path: str, options: Options, spool: Spool) -> Iterator[Report]:
    """The report of an image that the other tree lacks."""
    opened = _opened(path, spool, options.limits)
    roots = [image.root for image in opened.images]
    value = Value(roots[0] if len(roots) == 1 else None)
    told = Difference(
        f"image.only_in_{side}",
        value if side == "a" else None,
        value if side == "b" else None,
        bytes=1,
    )
    with ReportBuilder(spool.directory) as builder:
        builder.add((), "image", replace(told, where=("image",)), None, True)
        yield builder.finish(
            options={
                "require": options.require or "manifest",
                "ref": options.ref,
                "platforms": list(options.platforms),
            },
            inputs=[
                {
                    "side": one,
                    "name": os.path.basename(path),
                    "form": opened.form,
                    "compression": opened.store.compression,
                    "size": opened.store.size if one == side else 0,
                    "sha256": None,
                    "digest": value.value if one == side else None,
                }
                for one in "ab"
            ],
            equal_at="nothing",
            met=False,
            platforms=[],
            files={"compared": 0, "differing": 0, "only_in_a": 0, "only_in_b": 0},
        )
    os.unlink(os.path.join(spool.directory, "report.sqlite3"))


def _reason(error: Exception, name: str, *paths: str | None) -> str:
    """Why there is no verdict, in a line that is the same wherever the trees lie."""
    told = str(error)
    if not isinstance(error, InputError):
        told = f"this is a bug in sxdiff, please report it: {type(error).__name__}: {told}"
    for path in paths:
        if path is not None:
            told = told.removeprefix(f"{path}: ").replace(path, name)
    return " ".join(told.split()) or type(error).__name__


def committed(path: str) -> dict[str, str]:
    """Digests by name, of a file of lines `HEX NAME`. Raises `InputError` where it has others."""
    found: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                match = _LINE.fullmatch(line.strip())
                if match is None:
                    raise InputError(f"{path}: line {number} is not HEX NAME")
                if match[2] in found:
                    raise InputError(f"{path}: line {number} names {match[2]} once more")
                found[match[2]] = match[1]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8") from error
    if not found:
        raise InputError(f"{path}: has no digests")
    return found


@dataclass(slots=True)
class Checked:
    """An image and its committed digest: `digest` is what the tree has, `problem` why it can't
    be told."""

    name: str
    wanted: str
    digest: str | None = None
    problem: str = ""


def check_digests(
    tree: str, digests: Mapping[str, str], spool_directory: str | None
) -> Iterator[Checked]:
    """Compares the manifests in a tree with the committed digests, in the order of those.

    What is signed of a package is the digest of its first platform's manifest, in the order of the
    index. Index, manifests and configs are read and verified; layers are not.
    """
    images = images_in(tree)
    with Spool.create(spool_directory) as spool:
        for name, wanted in digests.items():
            one = Checked(name, wanted)
            if name not in images:
                one.problem = "is not in the tree"
            else:
                try:
                    one.digest = _first_manifest(images[name], spool)
                except InputError as error:
                    one.problem = _reason(error, name, images[name])
            yield one


def _opened(path: str, spool: Spool, limits: Limits) -> Input:
    with Pool(spool.directory, 1, limits=changed(limits), inputs=(path,)) as pool:
        return open_input(path, spool.new, limits, partial(unpack_input, pool))


def _first_manifest(path: str, spool: Spool) -> str:
    """The digest of the first manifest of the first entry, through all indexes."""
    opened = _opened(path, spool, Limits())
    indexes = [document for image in opened.images for document in image.indexes]
    if not indexes:
        raise InputError(f"{path}: has no index of manifests")
    nested = {document.digest: document for document in indexes}
    document = indexes[0]
    while True:
        try:
            digest = str(document.value["manifests"][0]["digest"])
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(f"{path}: has an index without a manifest") from error
        if digest not in nested:
            return digest.partition(":")[2]
        document = nested.pop(digest)
