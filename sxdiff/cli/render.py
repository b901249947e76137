"""`sxdiff render`: other forms of a report that was made before, or of several as one."""

from typing import Any

import click

from sxdiff.cli import MET
from sxdiff.cli.options import FILE, Command
from sxdiff.cli.outputs import Outputs, output_options
from sxdiff.report.merge import Merger, names_of
from sxdiff.report.read import reading
from sxdiff.work.spool import Spool


@click.command(cls=Command, options_metavar="[OPTION]...")
@click.argument("reports", type=FILE, metavar="REPORT...", nargs=-1, required=True)
@output_options
@click.option("--spool", type=FILE, metavar="DIR", help="Keep temporary files below DIR.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.help_option("-h", "--help")
def command(reports: tuple[str, ...], spool: str | None, debug: bool, **options: Any) -> int:  # noqa: ARG001 - main looks for --debug
    """Write a report (JSON, of this or an earlier version) in other forms.

    Several reports become one: which packages of a distribution differ by the same cause?
    The exit code is 0 whatever the reports say.
    """
    outputs = Outputs.of(options, reports)
    with Spool.create(spool) as made:
        directory = made.directory
        if len(reports) == 1:
            with reading(reports[0], directory) as report:
                outputs.write(report)
            return MET
        with Merger(directory) as merger:
            # by name, so that the order of the words says nothing
            for name, path in sorted(zip(names_of(reports), reports, strict=True)):
                with reading(path, directory) as report:
                    merger.add(name, report)
            outputs.write(merger.finish())
    return MET
