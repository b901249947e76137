"""`sxdiff batch A B`: compares two trees of images."""

# ruff: noqa: PLC0415 - late imports: help is told before all of sxdiff is loaded

import os
from typing import TYPE_CHECKING, Any

import click

from sxdiff.cli import MET, NO_VERDICT, NOT_MET
from sxdiff.cli.compare import Progress
from sxdiff.cli.gate import gate_options, with_policy
from sxdiff.cli.options import FILE, WIDTH, Command
from sxdiff.cli.outputs import Outputs, output_options
from sxdiff.cli.work import selection_options, work_options
from sxdiff.report import write
from sxdiff.report.escape import escape
from sxdiff.report.forms import FORMS

if TYPE_CHECKING:
    from sxdiff.report.build import Report


@click.command(
    cls=Command, context_settings={"max_content_width": WIDTH}, options_metavar="[OPTION]..."
)
@click.argument("a", type=FILE)
@click.argument("b", type=FILE, required=False)
@click.option(
    "--reports", type=FILE, metavar="DIR", help="Write each image's report as DIR/NAME.json."
)
@click.option(
    "--digests",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Compare A with the lines HEX NAME of FILE; may be repeated.",
)
@gate_options
@selection_options
@output_options
@work_options
@click.help_option("-h", "--help")
def command(
    a: str, b: str | None, reports: str | None, digests: tuple[str, ...], **options: Any
) -> int:
    """Compare the images of the same name in two directories, as one report.

    \b
    sxdiff batch out out2 --reports reports --html all.html
    sxdiff batch out --digests digests/core.txt
    """
    if digests:
        used = [form.name for form in FORMS if options[form.name] is not None]
        if b is not None or reports is not None or used:
            raise click.UsageError("--digests takes one directory and writes no report.")
        return _digests(a, digests, options["spool"])
    if b is None:
        raise click.UsageError("Two directories are needed, or one and --digests FILE.")
    from sxdiff.batch import compare_trees
    from sxdiff.run import Options

    outputs = Outputs.of(options, (a, b))
    progress = Progress.where_seen()

    def keep(name: str, report: "Report") -> None:
        if reports is not None:
            _keep(reports, name, report)

    try:
        with compare_trees((a, b), Options(**with_policy(options)), keep, progress) as outcome:
            if progress:
                progress.clear()
            outputs.write(outcome.report)
            # a difference that is certain beats trouble
            return NOT_MET if outcome.differ else NO_VERDICT if outcome.failed else MET
    finally:
        if progress:
            progress.clear()


def _keep(directory: str, name: str, report: "Report") -> None:
    from sxdiff.model import InputError
    from sxdiff.report import json

    target = os.path.join(directory, f"{name}.json")
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}") from error
    write.write(target, json.chunks(report))


def _digests(tree: str, files: tuple[str, ...], spool: str | None) -> int:
    """Prints the lines that would have to change, and on standard error what can't be told."""
    from sxdiff.batch import check_digests, committed
    from sxdiff.model import InputError
    from sxdiff.report.words import count

    wanted: dict[str, str] = {}
    for file in files:
        for name, digest in committed(file).items():
            if wanted.setdefault(name, digest) != digest:
                raise InputError(f"{file}: has another digest of {name}")
    equal = differ = trouble = 0
    for one in check_digests(tree, wanted, spool):
        if one.digest is None:
            trouble += 1
            click.echo(f"sxdiff: {escape(one.name)}: {escape(one.problem)}", err=True)
        elif one.digest == one.wanted:
            equal += 1
        else:
            differ += 1
            click.echo(f"{one.digest} {escape(one.name)}")
    click.echo(
        f"{count(len(wanted), 'digest')}: {equal:,} equal, {differ:,} differ,"
        f" {trouble:,} not compared",
        err=True,
    )
    return NOT_MET if differ else NO_VERDICT if trouble else MET
