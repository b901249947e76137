"""Where a report goes: an option for each form, checked before the work and written after it."""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sxdiff.cli import drop_stdout
from sxdiff.cli.options import FILE, Option
from sxdiff.cli.sizes import parsed
from sxdiff.report import write
from sxdiff.report.forms import FORMS, PAGE_SIZE, Form, Manner

if TYPE_CHECKING:
    from sxdiff.report.build import Report

OUTPUTS: Final = "Outputs"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def output_options(function: _Function) -> _Function:
    """Adds `--NAME FILE` for each form, and what says how text shall look. The command gets the
    files by the form's name, `verbose` and `color`."""
    color = click.option(
        "--color",
        cls=Option,
        group=OUTPUTS,
        type=click.Choice(("auto", "always", "never")),
        metavar="WHEN",
        default="auto",
        help="auto, always or never.",
    )
    function = color(function)
    size = click.option(
        "--max-report-size",
        cls=Option,
        group=OUTPUTS,
        metavar="SIZE",
        default=f"{PAGE_SIZE // 1_000_000}MB",
        callback=_bytes,
        help="Cut the page's tree to so much (kB, MB) [15MB].",
    )
    function = size(function)
    verbose = click.option(
        "-v",
        "--verbose",
        cls=Option,
        group=OUTPUTS,
        is_flag=True,
        help="List every difference in the text.",
    )
    function = verbose(function)
    for form in reversed(FORMS):
        function = click.option(
            f"--{form.name}",
            cls=Option,
            group=OUTPUTS,
            type=FILE,
            metavar="FILE",
            help=form.help,
        )(function)
    return function


@dataclass(frozen=True, slots=True)
class Outputs:
    """The forms that were asked for, each with its file; `-` is standard output."""

    targets: tuple[tuple[Form, str], ...]
    verbose: bool
    color: str
    page_size: int

    @classmethod
    def of(cls, options: dict[str, Any], inputs: Iterable[str]) -> "Outputs":
        """What the options ask for; takes what is its own out of them. Without any form, text.

        Wrong outputs are told at once, not after the long work: raises `click.UsageError`, and
        `InputError` where a file can clearly not be written.
        """
        found = [(form, options.pop(form.name)) for form in FORMS]
        targets = [(form, target) for form, target in found if target is not None]
        if not targets:
            targets = [(form, write.STDOUT) for form in FORMS if form.name == "text"]
        _check([target for _, target in targets], inputs)
        return cls(
            targets=tuple(targets),
            verbose=options.pop("verbose"),
            color=options.pop("color"),
            page_size=options.pop("max_report_size"),
        )

    def write(self, report: "Report") -> None:
        """Writes every form. Nobody has to read standard output to its end."""
        # files first: they must be whole whoever reads on
        for form, target in sorted(self.targets, key=lambda output: output[1] == write.STDOUT):
            try:
                write.write(target, form.write(report, self._manner(target == write.STDOUT)))
            except BrokenPipeError:
                if target == write.STDOUT:
                    drop_stdout()

    def _manner(self, to_stdout: bool) -> Manner:
        terminal = to_stdout and sys.stdout.isatty()
        width = os.get_terminal_size(sys.stdout.fileno()).columns if terminal else 0
        color = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return Manner(
            verbose=self.verbose,
            color=color if self.color == "auto" else self.color == "always",
            width=width if self.verbose and width else 80,
            page_size=self.page_size,
        )


def _bytes(_: click.Context, __: click.Parameter, value: str) -> int:
    size = parsed(value)
    if size is None:
        raise click.BadParameter(f"{value!r} is no size, such as 15MB.")
    return size


def _check(targets: list[str], inputs: Iterable[str]) -> None:
    if targets.count(write.STDOUT) > 1:
        raise click.UsageError("Only one output can go to standard output.")
    paths = [os.path.realpath(target) for target in targets if target != write.STDOUT]
    if len(set(paths)) < len(paths):
        raise click.UsageError("Two outputs go to the same file.")
    if not set(paths).isdisjoint(map(os.path.realpath, inputs)):
        raise click.UsageError("An output would overwrite an input.")
    for target in targets:
        write.check(target)
