"""`sxdiff A B`: compares two images."""

# ruff: noqa: PLC0415 - late imports: help is told before all of sxdiff is loaded

import os
import sys
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any, Final

import click

from sxdiff.cli import MET, NOT_MET
from sxdiff.cli.options import FILE, WIDTH, Command, Option, causes
from sxdiff.cli.outputs import OUTPUTS, Outputs, output_options
from sxdiff.report.escape import escape

_SELECTION, _GATE, _WORK = "What is compared", "Gate", "Work"
RUNGS: Final = ("archive", "index", "manifest", "config", "rootfs", "contents")


@click.command(
    cls=Command,
    context_settings={"max_content_width": WIDTH},
    options_metavar="[OPTION]...",
    epilog="Also: sxdiff batch --help, sxdiff render --help, sxdiff explain --help",
)
@click.argument("a", type=FILE)
@click.argument("b", type=FILE)
@click.option(
    "--ref",
    cls=Option,
    group=_SELECTION,
    metavar="NAME",
    help="Compare the image of this name in each input.",
)
@click.option(
    "--platform",
    "platforms",
    cls=Option,
    group=_SELECTION,
    multiple=True,
    metavar="P",
    help="Compare only OS/ARCH; may be repeated.",
)
@click.option(
    "--require",
    cls=Option,
    group=_GATE,
    type=click.Choice(RUNGS),
    metavar="RUNG",
    help="archive, index, [manifest], config, rootfs, contents",
)
@click.option(
    "--accept",
    cls=Option,
    group=_GATE,
    multiple=True,
    metavar="RULE",
    shell_complete=causes,
    help="Accept what CAUSE[:PATH-GLOB]=REASON says; may be repeated.",
)
@click.option(
    "--baseline",
    cls=Option,
    group=_GATE,
    type=FILE,
    metavar="FILE",
    help="Accept what an earlier report (JSON) tells.",
)
@click.option(
    "--policy",
    cls=Option,
    group=_GATE,
    type=FILE,
    metavar="FILE",
    help="Read the policy there [sxdiff.toml, pyproject.toml].",
)
@click.option("--no-policy", cls=Option, group=_GATE, is_flag=True, help="Read no policy.")
@click.option(
    "--now",
    cls=Option,
    group=_GATE,
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The day for rules that expire [today].",
)
@output_options
@click.option(
    "--write-normalised",
    cls=Option,
    group=OUTPUTS,
    type=FILE,
    metavar="DIR",
    help="Write both images without what is explained.",
)
@click.option(
    "--jobs",
    cls=Option,
    group=_WORK,
    type=click.IntRange(1),
    metavar="N",
    help="Work on N things at once.",
)
@click.option(
    "--spool",
    cls=Option,
    group=_WORK,
    type=FILE,
    metavar="DIR",
    help="Keep temporary files below DIR.",
)
@click.option("--debug", cls=Option, group=_WORK, is_flag=True, help="Show tracebacks.")
@click.help_option("-h", "--help")
def command(a: str, b: str, **options: Any) -> int:
    """Compare two OCI container images: where do they differ, and why?

    \b
    sxdiff a.tar b.tar
    sxdiff --json report.json --html report.html out/core-bash out2/core-bash
    sxdiff --require config --platform linux/arm64 a.tar b.tar
    sxdiff explain [CAUSE]   what a cause is, what to change (an image: ./explain)
    """
    from sxdiff.run import Options, compare

    outputs = Outputs.of(options, (a, b))
    chosen = Options(**_with_policy(options))
    progress = Progress() if sys.stderr.isatty() else None
    try:
        with compare(a, b, chosen, progress) as report:
            if progress:
                progress.clear()
            outputs.write(report)
            return MET if report.header["met"] else NOT_MET
    finally:
        if progress:
            progress.clear()


def _with_policy(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what the policy adds: what the command line says goes first."""
    from sxdiff import policy

    path, none, now = (options.pop(key) for key in ("policy", "no_policy", "now"))
    if path and none:
        raise click.UsageError("--policy and --no-policy exclude each other.")
    found = policy.Policy() if none else policy.read(path) if path else policy.find()
    try:
        rules = [*map(policy.acceptance, options["accept"])]
    except policy.PolicyError as error:
        raise click.UsageError(f"--accept: {error}.") from None
    rules += found.accept
    today = (now.date() if now else _today()) if any(one.expires for one in rules) else None
    return options | {
        "require": options["require"] or found.require,
        "platforms": options["platforms"] or found.platforms,
        "accept": policy.dated(rules, today) if today else tuple(rules),
        "now": today,
        "limits": found.limits,
    }


def _today() -> date:
    """The day of SOURCE_DATE_EPOCH, else of the clock, in UTC."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return (datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)).date()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"SOURCE_DATE_EPOCH is no time: {seconds}.") from None


class Progress:
    """One line on the terminal's standard error, drawn over and over."""

    _SECONDS = 0.1

    def __init__(self) -> None:
        self._next = 0.0
        self._drawn = False

    def __call__(self, done_bytes: int, total_bytes: int, what: str) -> None:
        now = monotonic()
        if now < self._next:
            return
        self._next, self._drawn = now + self._SECONDS, True
        share = f"{min(100, done_bytes * 100 // total_bytes):3}% " if total_bytes else ""
        sys.stderr.write(f"\r\x1b[K{share}{escape(what)[:70]}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False
