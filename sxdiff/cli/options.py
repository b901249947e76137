"""Options in groups, so that a reader of the help finds them, and what shells complete."""

from typing import Any, Final

import click
from click.shell_completion import CompletionItem

WIDTH: Final = 80
"""Columns of the help."""

FILE: Final = click.Path(readable=False)
"""Any path: whether it can be read is told by who reads it. Shells complete it."""


class Option(click.Option):
    """An option of a `group`; without one it stands among the others, at the end."""

    def __init__(self, *arguments: Any, group: str | None = None, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.group = group


class Command(click.Command):
    """A command whose help lists its options by group."""

    def groups(self, context: click.Context) -> dict[str, list[tuple[str, str]]]:
        """What the help says of each option, by group: in their order, the others last."""
        found: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(context):
            record = one.get_help_record(context) if isinstance(one, click.Option) else None
            if record:
                found.setdefault(getattr(one, "group", None) or "", []).append(record)
        rest = found.pop("", [])
        return found | ({"More" if found else "Options": rest} if rest else {})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, as click calls it."""
        for name, records in self.groups(ctx).items():
            with formatter.section(name):
                formatter.write_dl(records)


def causes(_: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """Ids of causes that begin so, for `explain` and `--accept`."""
    from sxdiff.causes import page  # noqa: PLC0415 - only where a shell asks
    from sxdiff.causes.catalogue import CAUSES  # noqa: PLC0415 - see above

    provable = {one.id for one in CAUSES} | {"unexplained"}
    ids = sorted(provable) if parameter.name == "accept" else page.ids()
    return [CompletionItem(one) for one in ids if one.startswith(start)]
