"""`sxdiff A B`: compares two images."""

# ruff: noqa: PLC0415 - late imports: help is told before all of sxdiff is loaded

import math
import os
import sys
from time import monotonic
from typing import Any

import click

from sxdiff import ending
from sxdiff.cli import MET, NOT_MET
from sxdiff.cli.gate import GATE, gate_options, with_policy
from sxdiff.cli.options import FILE, WIDTH, Command, Option
from sxdiff.cli.outputs import OUTPUTS, Outputs, output_options
from sxdiff.cli.work import selection_options, work_options
from sxdiff.report.escape import escape


@click.command(
    cls=Command,
    context_settings={"max_content_width": WIDTH},
    options_metavar="[OPTION]...",
    epilog="Also: sxdiff batch --help, sxdiff render --help, sxdiff explain --help",
)
@click.argument("a", type=FILE)
@click.argument("b", type=FILE)
@selection_options
@gate_options
@click.option(
    "--baseline",
    cls=Option,
    group=GATE,
    type=FILE,
    metavar="FILE",
    help="Accept what an earlier report (JSON) tells.",
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
@work_options
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
    chosen = Options(**with_policy(options))
    progress = Progress.where_seen()
    try:
        with compare(a, b, chosen, progress) as report:
            if progress:
                progress.clear()
            outputs.write(report)
            return MET if report.header["met"] else NOT_MET
    finally:
        if progress:
            progress.clear()


class Progress:
    """One line on the terminal's standard error, drawn over and over."""

    _SECONDS = 0.1

    def __init__(self) -> None:
        self._next = 0.0
        self._drawn = False

    @classmethod
    def where_seen(cls) -> "Progress | None":
        """One that is drawn, where standard error is a terminal."""
        if sys.stderr is None or not sys.stderr.isatty():
            return None
        progress = cls()
        ending.leave_to(progress.clear)
        return progress

    def __call__(self, done_bytes: int, total_bytes: int, what: str) -> None:
        now = monotonic()
        if now < self._next:
            return
        self._next, self._drawn = now + self._SECONDS, True
        share = f"{min(100, done_bytes * 100 // total_bytes):3}% " if total_bytes else ""
        self._draw(f"{share}{escape(what)}")

    def clear(self) -> None:
        if self._drawn:
            self._draw("")
            self._drawn = False

    def _draw(self, text: str) -> None:
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            # a line that wraps would not be drawn over
            sys.stderr.write(f"\r\x1b[K{text[: min(columns, 76) - 1]}")
            sys.stderr.flush()
        except OSError:  # the terminal has gone; the comparison has not
            self._next = math.inf
