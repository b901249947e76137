"""The story: open both, read and verify, compare platform by platform, sum up."""

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

from sxdiff.compare.redact import mask
from sxdiff.compare.transport import transport_differences
from sxdiff.image.graph import Image, Input, PlatformImage
from sxdiff.image.inputs import state_of
from sxdiff.image.oci import open_input, pair_images, select
from sxdiff.model import RUNGS, Difference, InputError, Limits, Problem, Route, Span, Value
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.findings import Diagnosis
from sxdiff.report.gate import Acceptance, Gate
from sxdiff.work.directories import directories_equal
from sxdiff.work.indexes import compare_indexes, identity
from sxdiff.work.layers import Reading, directory_layer, promised_equal, root_layer
from sxdiff.work.members import Context
from sxdiff.work.packing import unpack_input
from sxdiff.work.platforms import PlatformComparison, contents_promised_equal, pair_layers
from sxdiff.work.pool import Pool
from sxdiff.work.spool import Spool

Progress = Callable[[int, int, str], None]
"""Told how much was read: bytes done, bytes in all, what is being done."""

_SMALL = 4 << 20

PLAIN_ROOT = "plain root"
"""Stands for the platform where an input is a root file system without an image."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose; see `sxdiff --help`. `now` is the date that said which rules of
    `accept` are expired, where any may be; `baseline` is an earlier report."""

    require: str | None = None
    ref: str | None = None
    platforms: tuple[str, ...] = ()
    jobs: int | None = None
    spool: str | None = None
    write_normalised: str | None = None
    debug: bool = False
    accept: tuple[Acceptance, ...] = ()
    now: date | None = None
    baseline: str | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class PlatformPair:
    """One platform of an image pair; None on the side that lacks it."""

    route: Route
    platform: str
    a: PlatformImage | None
    b: PlatformImage | None


@contextmanager
def compare(a: str, b: str, options: Options, progress: Progress | None) -> Iterator[Report]:
    """Compare the inputs at paths `a` and `b`. The report lives as long as the context.

    Raises InputError where there is no verdict: no image, corrupt, or used wrongly.
    """
    limits = options.limits
    done = 0

    def observer(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, reading.total, "reading")

    states = {path: state_of(path) for path in (a, b)}

    def unchanged() -> None:
        for path, state in states.items():
            if state_of(path) != state:
                raise InputError(f"{path}: changed while it was read")

    with (
        _within(limits.seconds),
        Spool.create(options.spool) as spool,
        Pool(
            spool.directory,
            1,
            observer,
            debug=options.debug,
            limits=changed(limits),
            inputs=(a, b),
        ) as pool,
        ReportBuilder(spool.directory, _explained, limits.report_bytes) as builder,
    ):
        gate, known = _gate(options, spool)
        reading = Reading(pool, spool)
        unpack = partial(unpack_input, pool)
        try:
            inputs = (
                open_input(a, spool.new, limits, unpack),
                open_input(b, spool.new, limits, unpack),
            )
            pool.jobs = _jobs(options, inputs)
            context = Context(pool, spool, reading, builder, limits, options.debug)
            report = _Run((a, b), inputs, options, context, gate, known).report()
        except Exception:
            unchanged()  # says more than that a digest is not the promised one
            raise
        unchanged()
        yield report


class _LateError(BaseException):
    """There is no time left: nothing in between may take this for an error of its own."""


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Raises InputError in what takes longer. Only the main thread can be told: elsewhere nothing
    is bounded."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: object) -> None:
        raise _LateError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _LateError:
        raise InputError(f"the comparison took more than {seconds} seconds") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _explained(found: Difference, route: Route, format_name: str, path: str | None) -> Difference:
    """As `work.diagnosis.explained`, which all causes come with: where nothing differs they are
    not loaded."""
    from sxdiff.work.diagnosis import explained  # noqa: PLC0415 - start-up time

    return explained(found, route, format_name, path)


class _Run:
    """One comparison: what its steps share."""

    def __init__(
        self,
        paths: tuple[str, str],
        inputs: tuple[Input, Input],
        options: Options,
        context: Context,
        gate: Gate | None,
        known: str | None,
    ) -> None:
        self._paths = paths
        self._gate = gate
        self._known = known
        self._inputs = inputs
        self._options = options
        self._context = context
        self._builder = context.builder
        self._rungs: list[str] = []
        self._platforms: list[dict[str, Any]] = []
        self._configs: tuple[list[bytes], list[bytes]] = ([], [])
        """The configs of all images, by side."""

    def report(self) -> Report:
        """Do everything; the finished report."""
        a, b = self._inputs
        sums = self._input_digests()
        same = None not in sums and sums[0] == sums[1]
        for opened in self._inputs:
            for problem in opened.problems:
                self._builder.problem(problem)
        pairs = self._image_pairs()
        platforms = [
            pair for one, other, route in pairs for pair in self._platform_pairs(one, other, route)
        ]
        self._read(platforms, pairs, same)
        for pair in platforms:
            self._compare_platform(pair, same)
        roots = {compare_indexes(self._context, *pair) for pair in pairs}
        if not same and not self._builder.count and a.store.is_directory and b.store.is_directory:
            same = directories_equal(*self._paths, self._context.reading)
        if not same:
            self._transport(sums)
        report = self._finish(self._equal_at(same, roots), sums)
        if self._options.write_normalised is not None:
            self._write_normalised(self._options.write_normalised, platforms, report)
        return report

    def _write_normalised(
        self, directory: str, platforms: list[PlatformPair], report: Report
    ) -> None:
        """Both images without what is explained; the report says whether they are the same."""
        from sxdiff.work.normalised import write_normalised  # noqa: PLC0415 - rarely asked for

        both = [
            (pair.route, pair.a, pair.b)
            for pair in platforms
            if pair.a is not None and pair.b is not None and not pair.a.artifact
        ]
        written = write_normalised(self._context, directory, both)
        report.header["summary"]["counterfactual"]["normalised"] = [
            {"platform": name, "a": a, "b": b} for name, a, b in written
        ]

    def _input_digests(self) -> tuple[str | None, str | None]:
        files = [opened for opened in self._inputs if not opened.store.is_directory]
        tasks: list[dict[str, Any]] = [
            {"task": "hash", "name": name, "blob": [name, 0, os.path.getsize(name)]}
            for name in dict.fromkeys(opened.store.path for opened in files)
        ]
        self._context.reading.total = sum(task["blob"][2] for task in tasks)
        sums = dict(
            zip([task["name"] for task in tasks], self._context.pool.all(tasks), strict=True)
        )
        return sums.get(self._inputs[0].store.path), sums.get(self._inputs[1].store.path)

    def _image_pairs(self) -> list[tuple[Image, Image, Route]]:
        """Images to compare, each pair with the beginning of its routes."""
        a, b = (self._with_plain_root(opened) for opened in self._inputs)
        if self._options.ref is not None:
            return [(select(a, self._options.ref), select(b, self._options.ref), ())]
        found, said = pair_images(a, b)
        if said:
            self._builder.problem(
                Problem((), "pairing", said, "name one image with --ref to compare only that")
            )
        pairs: list[tuple[Image, Image, Route]] = []
        for number, (one, other) in enumerate(found, 1):
            names = (one or other or _EMPTY).names
            route: Route = () if len(found) == 1 else (names[0] if names else f"image {number}",)
            if (one is None or other is None) and not (one or other or _EMPTY).platforms:
                side = "a" if other is None else "b"
                value = Value((one or other or _EMPTY).root)
                self._builder.add(
                    route or ("image",),
                    "image",
                    Difference(
                        f"image.only_in_{side}",
                        value if other is None else None,
                        value if one is None else None,
                        bytes=1,
                    ),
                    None,
                    True,
                )
                self._rungs.append("nothing")
            pairs.append((one or _EMPTY, other or _EMPTY, route))
        return pairs

    def _with_plain_root(self, opened: Input) -> Input:
        """A plain root as an image of one nameless layer, for the platform that the other has."""
        root = opened.plain_root
        if root is None:
            return opened
        layer = directory_layer(root) if isinstance(root, str) else root_layer(root)
        other = self._inputs[opened is self._inputs[0]]
        keys = {one.platform for image in other.images for one in image.platforms}
        if self._options.platforms:
            keys &= {_normal(name) for name in self._options.platforms}
        if len(keys) > 1:
            raise InputError(
                f"{opened.store.path}: is a plain root file system; choose one platform of the"
                f" other side with --platform: {', '.join(sorted(keys))}"
            )
        platform = next(iter(keys), PLAIN_ROOT)
        image = PlatformImage(platform, None, None, (layer,), False, True, None)
        return replace(opened, images=(Image((), None, (), (image,), ()),))

    def _platform_pairs(self, a: Image, b: Image, route: Route) -> list[PlatformPair]:
        left = {one.platform: one for one in a.platforms}
        right = {one.platform: one for one in b.platforms}
        keys = sorted(left.keys() | right.keys())
        if self._options.platforms:
            wanted = {_normal(name) for name in self._options.platforms}
            missing = wanted - set(keys)
            if missing and (a is not _EMPTY or b is not _EMPTY):
                raise InputError(
                    f"no image for platform {', '.join(sorted(missing))}: there are"
                    f" {', '.join(keys) or 'none'}"
                )
            keys = [key for key in keys if key in wanted]
        return [PlatformPair((*route, key), key, left.get(key), right.get(key)) for key in keys]

    def _read(
        self, platforms: list[PlatformPair], pairs: list[tuple[Image, Image, Route]], same: bool
    ) -> None:
        """Pass 1 over everything that has to be verified."""
        reading = self._context.reading
        for pair in platforms:
            a, b = pair.a, pair.b
            index = a is not None and b is not None and not contents_promised_equal(a, b)
            if a is not None and b is not None and index:
                for i, j in pair_layers(a.layers, b.layers) or []:
                    if not promised_equal(a.layers[i], b.layers[j]):
                        reading.pair(a.layers[i], b.layers[j])
            for image, path in ((a, self._paths[0]), (b, self._paths[1])):
                if image is None or (same and image is b and a is not None):
                    continue  # the other side's bytes are the same, and are verified
                for number, layer in enumerate(image.layers):
                    name = f"{path}: {pair.platform}, layer {layer.number}"
                    if layer.digest:
                        name += f" ({layer.digest})"
                    if image.artifact:
                        if layer.blob and layer.digest:
                            reading.want_digest(layer.blob, layer.digest, name)
                        continue
                    twin = None
                    if image is b and a is not None:
                        # another diff_id of the same bytes is a lie, which reading them shows
                        twins = (one for one in a.layers if promised_equal(one, layer))
                        twin = next((one for one in twins if one.diff_id == layer.diff_id), None)
                        if twin is None and number < len(a.layers) and layer.blob is None:
                            continue
                    reading.want(layer, name, index=index, twin=twin)
        for a_image, b_image, _ in pairs:
            for side, whole in enumerate((a_image, b_image)):
                for attestation in whole.attestations:
                    for layer in attestation.layers:
                        if layer.blob and layer.digest:
                            name = f"{self._paths[side]}: attestation blob {layer.digest}"
                            reading.want_digest(layer.blob, layer.digest, name)
        reading.run()

    def _compare_platform(self, pair: PlatformPair, same: bool) -> None:
        a, b = pair.a, pair.b
        touched: tuple[dict[int, list[Span]], ...] = ({}, {})
        for configs, one in zip(self._configs, (a, b), strict=True):
            if one is not None and one.config is not None:
                configs.append(one.config.raw)
        if a is None or b is None:
            side = "a" if b is None else "b"
            one = a or b
            value = Value(identity(one) if one else None)
            self._builder.add(
                pair.route,
                "platform",
                Difference(
                    f"platform.only_in_{side}",
                    value if side == "a" else None,
                    value if side == "b" else None,
                    bytes=1,
                ),
                None,
                True,
            )
            rung = "nothing"
        else:
            comparison = PlatformComparison(self._context, pair.route, a, b)
            rung = comparison.same() if same else comparison.compare()
            touched = comparison.touched
        self._rungs.append(rung)
        self._platforms.append(
            {
                "platform": pair.platform,
                "image": pair.route[0] if len(pair.route) > 1 else None,
                "equal_at": rung,
                "only_in": "a" if b is None else "b" if a is None else None,
                "a": a and self._side(a, touched[0]),
                "b": b and self._side(a if same and a else b, touched[1]),
            }
        )

    def _side(self, image: PlatformImage, touched: dict[int, list[Span]]) -> dict[str, Any]:
        layers = []
        for number, layer in enumerate(image.layers):
            read = None if image.artifact else self._context.reading.get(layer)
            if read is not None and read.is_directory:
                continue
            layers.append(
                {
                    "digest": layer.digest or (read and read.digest),
                    "diff_id": read.diff_id if read else layer.diff_id,
                    "size": layer.size,
                    "created_by": layer.created_by and mask(layer.created_by),
                    "unpacked": read and read.scanned["unpacked"],
                    "touched": [list(span) for span in touched.get(number, ())],
                }
            )
        return {
            "manifest": image.manifest.digest
            if image.manifest
            else image.descriptor.digest
            if image.descriptor
            else None,
            "config": image.config.digest if image.config else None,
            "layers": layers,
        }

    def _transport(self, sums: tuple[str | None, str | None]) -> None:
        a, b = self._inputs
        told = transport_differences(a, b, self._context.limits)
        other_form = any(found.kind == "archive.form" for found in told)
        for found in told:
            if other_form and found.kind in ("archive.header", "archive.order"):
                # every form names, orders and labels its members in its own way
                found = replace(found, derived=True, derived_from=(("archive",),))  # noqa: PLW2901
            self._builder.add(("archive",), "archive", found, None, True)
        if not self._builder.count:
            # the promise that bytes which differ are always told, whatever was overlooked
            self._builder.add(
                ("archive",),
                "archive",
                Difference("untold", Value(sums[0]), Value(sums[1]), bytes=1),
                None,
                True,
            )

    def _equal_at(self, same: bool, roots: set[bool]) -> str:
        if same:
            return "archive"
        weakest = max(self._rungs, key=RUNGS.index, default="nothing")
        if roots == {True} and weakest in ("manifest", "nothing") and "nothing" not in self._rungs:
            return "index"
        return weakest

    def _finish(self, equal_at: str, sums: tuple[str | None, str | None]) -> Report:
        require = self._options.require or self._default_rung()
        inputs = []
        for side, opened, found in zip("ab", self._inputs, sums, strict=True):
            roots = {image.root for image in opened.images}
            inputs.append(
                {
                    "side": side,
                    "name": os.path.basename(os.path.normpath(opened.store.path)),
                    "form": opened.form,
                    "compression": opened.store.compression,
                    "size": opened.store.size,
                    "sha256": found and found.partition(":")[2],
                    "digest": roots.pop() if len(roots) == 1 else None,
                }
            )
        counts = self._context.counts
        return self._builder.finish(
            options=self._told_options(require),
            inputs=inputs,
            equal_at=equal_at,
            met=equal_at != "nothing" and RUNGS.index(equal_at) <= RUNGS.index(require),
            platforms=self._platforms,
            files=asdict(counts),
            diagnosis=self._diagnosis() if self._builder.count else None,
            gate=self._gate,
        )

    def _diagnosis(self) -> Diagnosis:
        """What all claims are judged with, and what the configs of both sides say."""
        from sxdiff.work import diagnosis  # noqa: PLC0415 - start-up time

        builders: set[str] = set()
        said: tuple[dict[str, str], dict[str, str]] = ({}, {})
        for side, configs in zip(said, self._configs, strict=True):
            for config in configs:
                builders |= diagnosis.builders_of(config)
                side.update(diagnosis.said_by(config))
        return diagnosis.Diagnosis(self._context.known, "\n".join(sorted(builders)), said)

    def _told_options(self, require: str) -> dict[str, Any]:
        """All that can change the result; what is rarely used, only where it is."""
        options = self._options
        told: dict[str, Any] = {
            "require": require,
            "ref": options.ref,
            "platforms": list(options.platforms),
        }
        if options.accept:
            told["accept"] = [str(one) for one in options.accept]
        if any(one.expires for one in options.accept) and options.now:
            told["now"] = options.now.isoformat()
        if options.baseline is not None:
            name = os.path.basename(options.baseline)
            told |= {"baseline": name, "baseline_digest": f"sha256:{self._known}"}
        if limits := changed(options.limits):
            told["limits"] = [f"{name}={value}" for name, value in limits.items()]
        return told

    def _default_rung(self) -> str:
        """What is asked for where the user does not say: the strongest that both forms have."""
        if any(opened.plain_root is not None for opened in self._inputs):
            return "rootfs"
        manifests = all(
            image.root is not None for opened in self._inputs for image in opened.images
        )
        return "manifest" if manifests else "config"


def changed(limits: Limits) -> dict[str, int]:
    """The limits that are not as they always are."""
    usual = asdict(Limits())
    return {name: value for name, value in asdict(limits).items() if value != usual[name]}


def _gate(options: Options, spool: Spool) -> tuple[Gate | None, str | None]:
    """What is accepted, if anything is to be, and the SHA-256 of the report that is known."""
    if options.baseline is None:
        return (Gate(options.accept) if options.accept else None), None
    from sxdiff.report.baseline import read_known  # noqa: PLC0415 - rarely asked for

    known = read_known(options.baseline, os.path.basename(options.baseline), spool.directory)
    with open(options.baseline, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Gate(options.accept, known), digest


def _jobs(options: Options, inputs: tuple[Input, Input]) -> int:
    """How many workers: starting one costs more than a small input does."""
    if options.jobs:
        return options.jobs
    small = all(opened.store.size is not None and opened.store.size < _SMALL for opened in inputs)
    return 1 if small else os.cpu_count() or 1


_EMPTY = Image((), None, (), (), ())


def _normal(platform: str) -> str:
    """arm64 has one variant only, v8, which may be left out (containerd's normalisation)."""
    return platform.replace("linux/arm64/v8", "linux/arm64")
