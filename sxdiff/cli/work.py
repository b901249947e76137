"""Options of the commands that compare: what, and how the work is done."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from sxdiff.cli.limits import WORK, limit_option
from sxdiff.cli.options import FILE, Option

_SELECTION: Final = "What is compared"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def selection_options(function: _Function) -> _Function:
    """Adds `--ref` and `--platform`."""
    ref = click.option(
        "--ref",
        cls=Option,
        group=_SELECTION,
        metavar="NAME",
        help="Compare the image of this name in each input.",
    )
    platform = click.option(
        "--platform",
        "platforms",
        cls=Option,
        group=_SELECTION,
        multiple=True,
        metavar="P",
        help="Compare only OS/ARCH; may be repeated.",
    )
    return ref(platform(function))


def work_options(function: _Function) -> _Function:
    """Adds `--jobs`, `--spool`, `--limit` and `--debug`."""
    jobs = click.option(
        "--jobs",
        cls=Option,
        group=WORK,
        type=click.IntRange(1),
        metavar="N",
        help="Work on N things at once.",
    )
    spool = click.option(
        "--spool",
        cls=Option,
        group=WORK,
        type=FILE,
        metavar="DIR",
        help="Keep temporary files below DIR.",
    )
    debug = click.option("--debug", cls=Option, group=WORK, is_flag=True, help="Show tracebacks.")
    return jobs(spool(limit_option(debug(function))))
