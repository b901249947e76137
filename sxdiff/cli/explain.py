"""`sxdiff explain`: what a cause is and what to change."""

import os
import sys

import click

from sxdiff.causes import page
from sxdiff.cli import MET, NO_VERDICT, drop_stdout
from sxdiff.cli.options import Command, causes
from sxdiff.report import write
from sxdiff.report.escape import escape


@click.command(cls=Command, options_metavar="[OPTION]...")
@click.argument("cause", required=False, shell_complete=causes)
@click.option("--list", "all_", is_flag=True, help="List all causes, as without CAUSE.")
@click.help_option("-h", "--help")
def command(cause: str | None, all_: bool) -> int:
    """Tell what a cause is, how it is proved and what to change in the build."""
    if cause is not None and all_:
        raise click.UsageError("--list takes no cause.")
    parts = page.parts(cause) if cause else []
    if cause is not None and not parts:
        hint = page.hint(page.nearest(cause))
        click.echo(f"sxdiff: there is no cause {escape(cause)}; {hint}", err=True)
        return NO_VERDICT
    told = page.screen(parts, _columns()) if parts else page.contents()
    try:
        write.write(write.STDOUT, [told])
    except BrokenPipeError:
        drop_stdout()
    return MET


def _columns() -> int:
    """How wide a text for people may be: as the terminal, but not so wide that lines get lost."""
    columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 80
    return min(max(columns, 40), 100)
