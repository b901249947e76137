"""`--limit`: the bounds on work, by the names of `Limits`' fields."""

import ast
import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from textwrap import fill
from typing import Any, Final, TypeVar

import click

from sxdiff.cli.options import Option
from sxdiff.cli.sizes import parsed, written
from sxdiff.model import Limits

WORK: Final = "Work"
"""The group of options that say how the work is done."""
_HELP: Final = "help"

_Function = TypeVar("_Function", bound=Callable[..., Any])


def limit_option(function: _Function) -> _Function:
    """Adds `--limit NAME=VALUE`: the command gets `limit`, pairs of a name and a number."""
    option = click.option(
        "--limit",
        cls=Option,
        group=WORK,
        multiple=True,
        metavar="NAME=N",
        callback=_limits,
        is_eager=True,
        help="Change a bound (such as 2GiB); --limit help lists all.",
    )
    return option(function)


def _limits(
    context: click.Context, _: click.Parameter, given: Iterable[str]
) -> dict[str, int] | None:
    found = {}
    for one in given:
        if one == _HELP:
            click.echo(listing(), nl=False)
            context.exit()
        name, _equals, text = one.partition("=")
        if name not in usual():
            raise click.BadParameter(f"there is no limit {name!r}; --limit help lists all.")
        value = parsed(text)
        if value is None or not (text.isdecimal() or name.endswith("_bytes")):
            raise click.BadParameter(f"{text!r} is no value for {name}, such as {usual()[name]}.")
        found[name] = value
        if not found[name]:
            raise click.BadParameter(f"{name} must be above 0.")
    return found


def usual() -> dict[str, int]:
    """Each limit as it is where nobody says otherwise."""
    return {one.name: one.default for one in fields(Limits) if isinstance(one.default, int)}


def meanings() -> dict[str, str]:
    """What each limit is about, and what comes of reaching it: the texts below the fields."""
    (definition,) = ast.parse(inspect.getsource(Limits)).body
    found, name = {}, ""
    for node in definition.body if isinstance(definition, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
    return found


def size(name: str, value: int) -> str:
    """A limit's value as a reader takes it in, and as the option takes it: `8MiB`."""
    return written(value) if name.endswith("_bytes") else str(value)


def listing() -> str:
    """All limits as text: name, value, and what each is about."""
    told = meanings()
    out = []
    for name, value in usual().items():
        text = fill(told[name], 76, initial_indent="    ", subsequent_indent="    ")
        out.append(f"{name}={size(name, value)}\n{text}\n")
    return "".join(out)
