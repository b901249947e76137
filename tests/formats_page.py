"""docs/formats.md: what sxdiff looks into, written from the formats themselves.

`python -m tests.formats_page` writes it anew; tests/test_project.py fails where it is stale.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fixtures.recipes.formats import folders, format_of, sides
from sxdiff.formats import catalogue
from sxdiff.model import Blob, Fact, Format, Inside, Limits, Member

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"
HEAD = """# What sxdiff looks into

Written from the code by `./dev reports`; do not edit. A format is known by its content, whatever
the file is called, and its members are looked into in turn, to any depth. What no format knows is
told as text or as bytes. Each name links to the reports of a pair that a real tool made.

"""
TEXTS = """
## Texts

Any text is compared by lines: other encoding, line endings, white space, case or order of lines
alone are said as that. Of these, the parts are known by name:

"""

_TITLES = {"elf": "ELF", "bytecode": "Byte code", "documents": "Documents and pictures"}


def page() -> str:
    """The whole page."""
    families: dict[str, list[Format]] = {}
    for known in catalogue.FORMATS:
        families.setdefault(_family(known), []).append(known)
    parts = [HEAD]
    for family, all_known in sorted(families.items()):
        parts.append(f"## {_TITLES.get(family, family.capitalize())}\n\n")
        parts += [_entry(known) for known in sorted(all_known, key=lambda one: one.name)]
        parts.append("\n")
    parts.append(TEXTS.lstrip())
    parts += [_entry(known) for known in sorted(catalogue.TEXTS, key=lambda one: one.name)]
    return "".join(parts)


def _family(known: Format) -> str:
    package = sys.modules[type(known).__module__.rpartition(".")[0]]
    return package.__name__.rpartition(".")[2]


def _entry(known: Format) -> str:
    module = sys.modules[type(known).__module__]
    first = (module.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    told = (inspect.getdoc(type(known)) or "").split("\n\n")[0].replace("\n", " ")
    links = " ".join(
        f"[{folder.name}](../reports/format-{folder.name}/report.txt)"
        for folder in folders()
        if format_of(folder) == known.name
    )
    kinds = ", ".join(f"`{kind}`" for kind in sorted(set(_kinds(known))))
    return f"- **{known.name}**: {first} {told}\n  Pairs: {links}.\n  Kinds: {kinds}.\n"


def _kinds(known: Format) -> Iterator[str]:
    """Kinds that the format tells of its artefacts, inner parts included."""
    for folder in folders():
        if format_of(folder) == known.name:
            for side in sides(folder):
                blob = Blob(str(side), 0, side.stat().st_size)
                yield from _told(known.dissect(blob, Limits()))


def _told(parts: Iterable[Fact | Member]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Fact) or part.kind != "bytes":
            yield part.kind
        if isinstance(part, Member) and part.inside:
            yield part.inside.format
            if isinstance(part.inside, Inside) and isinstance(part.content, Blob):
                yield from _told(part.inside.parts(part.content))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
