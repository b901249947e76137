"""docs/sxdiff.1: the manual page, written from the help of the commands.

`python -m tests.man_page` writes it anew; a test (test_man_page.py) fails where it is stale.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from sxdiff import __version__
from sxdiff.cli import COMMANDS, command
from sxdiff.cli.options import Command

PAGE = Path(__file__).parent.parent / "docs" / "sxdiff.1"
_CODES = (
    ("0", "equal at the rung asked for, once what is accepted is set aside"),
    ("1", "not equal there"),
    ("2", "no verdict: not an image, unreadable, corrupt, wrong usage, or a bug"),
    ("130, 143, 129", "interrupted, terminated, hung up"),
)
_VARIABLES = (
    ("SOURCE_DATE_EPOCH", "the time whose day says which rules of a policy are expired"),
    ("NO_COLOR", "no colour, also on a terminal"),
)
_FILES = (
    ("sxdiff.toml", "the policy, in the current directory"),
    ("pyproject.toml", "the policy, as [tool.sxdiff], where there is no sxdiff.toml"),
)


def page() -> str:
    """The page in the language of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.\\" Written from the help by ./dev reports; do not edit.'
    yield f'.TH SXDIFF 1 "" "sxdiff {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "sxdiff \\- tell two builds of one container image apart"
    yield ".SH SYNOPSIS"
    with click.Context(command, info_name="sxdiff") as top:
        found = {name: _found(top, name) for name in COMMANDS}
        for number, (name, one) in enumerate(found.items()):
            with click.Context(one, parent=top, info_name=name) as context:
                words = " ".join(one.collect_usage_pieces(context))
            yield from (".br",) if number else ()
            yield f".B sxdiff{f' {name}' if number else ''}"
            yield _plain(words)
        yield ".SH DESCRIPTION"
        yield "sxdiff compares two builds of one container image: how far down they are equal,"
        yield "where they differ, why, and what to change in the build."
        for number, (name, one) in enumerate(found.items()):
            yield f".SH {'OPTIONS' if not number else f'SXDIFF {name.upper()}'}"
            yield from _help(one)
            with click.Context(one, parent=top, info_name=name) as context:
                for group, records in one.groups(context).items():
                    yield f".SS {_plain(group)}"
                    yield from _listed(records)
    yield ".SH EXIT STATUS"
    yield from _listed(_CODES)
    yield ".SH ENVIRONMENT"
    yield from _listed(_VARIABLES)
    yield ".SH FILES"
    yield from _listed(_FILES)


def _found(top: click.Context, name: str) -> Command:
    found = command.get_command(top, name)
    assert isinstance(found, Command)
    return found


def _help(one: Command) -> Iterator[str]:
    """Its paragraphs; what follows \\b stays as it is."""
    for paragraph in re.split(r"\n\s*\n", (one.help or "").strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        yield ".PP"
        if lines[0] == "\b":
            yield from (".nf", *map(_plain, lines[1:]), ".fi")
        else:
            yield from map(_plain, lines)


def _listed(records: "list[tuple[str, str]] | tuple[tuple[str, str], ...]") -> Iterator[str]:
    for term, text in records:
        yield ".TP"
        yield f".B {_plain(term)}"
        yield _plain(text)


def _plain(text: str) -> str:
    """A text as roff that shows it as it is: no hyphen becomes another sign, no line a request."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
