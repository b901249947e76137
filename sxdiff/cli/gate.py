"""What is asked for and accepted: options that a policy adds to."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import click

from sxdiff.cli.options import FILE, Option, causes
from sxdiff.model import RUNGS

GATE: Final = "Gate"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def gate_options(function: _Function) -> _Function:
    """Adds the options that `with_policy` takes."""
    for option in reversed(
        (
            click.option(
                "--require",
                cls=Option,
                group=GATE,
                type=click.Choice(RUNGS[:-1]),
                metavar="RUNG",
                help="archive, index, [manifest], config, rootfs, contents",
            ),
            click.option(
                "--accept",
                cls=Option,
                group=GATE,
                multiple=True,
                metavar="RULE",
                shell_complete=causes,
                help="Accept what CAUSE[:PATH-GLOB]=REASON says; may be repeated.",
            ),
            click.option(
                "--policy",
                cls=Option,
                group=GATE,
                type=FILE,
                metavar="FILE",
                help="Read the policy there [sxdiff.toml, pyproject.toml].",
            ),
            click.option(
                "--no-policy", cls=Option, group=GATE, is_flag=True, help="Read no policy."
            ),
            click.option(
                "--now",
                cls=Option,
                group=GATE,
                type=click.DateTime(["%Y-%m-%d"]),
                metavar="DATE",
                help="The day for rules that expire [today].",
            ),
        )
    ):
        function = option(function)
    return function


def with_policy(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what the policy adds: what the command line says goes first."""
    from sxdiff import policy  # noqa: PLC0415 - help is told before all of sxdiff is loaded

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
    limits = replace(found.limits, **options.pop("limit"))
    return options | {
        "require": options["require"] or found.require,
        "platforms": options["platforms"] or found.platforms,
        "accept": policy.dated(rules, today) if today else tuple(rules),
        "now": today,
        "limits": limits,
    }


def _today() -> date:
    """The day of SOURCE_DATE_EPOCH, else of the clock, in UTC."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return (datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)).date()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"SOURCE_DATE_EPOCH is no time: {seconds}.") from None
