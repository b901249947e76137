"""`sxdiff render`: other forms of a report that was made before."""

from typing import Any

import click

from sxdiff.cli import MET
from sxdiff.cli.outputs import Outputs, output_options
from sxdiff.report.read import reading
from sxdiff.work.spool import Spool


@click.command(options_metavar="[OPTION]...")
@click.argument("report")
@output_options
@click.option("--spool", metavar="DIR", help="Keep temporary files below DIR.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.help_option("-h", "--help")
def command(report: str, spool: str | None, debug: bool, **options: Any) -> int:  # noqa: ARG001 - main looks for --debug
    """Write a report (JSON, of this or an earlier version) in other forms."""
    outputs = Outputs.of(options, (report,))
    with Spool.create(spool) as directory, reading(report, directory.directory) as found:
        outputs.write(found)
    return MET
