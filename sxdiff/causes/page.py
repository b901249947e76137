"""A cause in words: the page that `sxdiff explain` prints and docs/causes/ is made of."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.suspicion import Suspicion

_LONGEST: Final = 300
"""Characters of an example that are shown."""
_EXAMPLE_LINES: Final = 8


class Part(NamedTuple):
    """A piece of a page: a `title`, a title `below` it, a `head`, `text`, an `item` of a list,
    `code` (lines as they are) or a `link`."""

    role: str
    text: str


def ids() -> list[str]:
    """The ids of all causes and suspicions."""
    return sorted({one.id for one in CAUSES} | {one.id for one in SUSPICIONS})


def families() -> dict[str, list[list[Cause]]]:
    """All causes by family, in the order of their ids; what has one id stands together."""
    by_id: dict[str, list[Cause]] = {}
    for one in CAUSES:
        by_id.setdefault(one.id, []).append(one)
    out: dict[str, list[list[Cause]]] = {}
    for name in sorted(by_id):
        out.setdefault(by_id[name][0].family, []).append(by_id[name])
    return dict(sorted(out.items()))


def nearest(name: str) -> list[str]:
    """Ids that are spelled much like `name`, the nearest first."""
    return get_close_matches(name, ids(), n=3, cutoff=0.5)


def hint(near: list[str]) -> str:
    """What to say to who asked for a cause that is none."""
    return f"did you mean {' or '.join(near)}?" if near else "sxdiff explain lists all"


def parts(name: str) -> list[Part]:
    """All that is known under an id. Empty where there is no such id."""
    causes = [one for one in CAUSES if one.id == name]
    suspicions = [one for one in SUSPICIONS if one.id == name]
    return [*parts_of(causes), *(part for one in suspicions for part in suspicion_parts(one))]


def parts_of(causes: list[Cause]) -> Iterator[Part]:
    """The page of the causes of one id. What several of them say alike is said once."""
    told: set[str] = set()
    for cause in causes:
        if not told:
            yield Part("title", cause.title)
            yield Part("text", f"`{cause.id}`, of the family {cause.family}.")
        else:
            yield Part("below", "In other places" if cause.title in told else cause.title)
        if cause.why not in told:
            yield Part("text", cause.why)
        fixes = [text for text in map(_fix, cause.fixes) if text not in told]
        if fixes:
            yield Part("head", "What to change")
            yield from (Part("item", text) for text in fixes)
        told |= {cause.title, cause.why, *fixes}
        yield Part("head", "How it is proved")
        yield Part("text", _proof(cause))
        yield Part("head", "What it looks like")
        yield Part("code", _example(cause.example))
        yield Part("head", "What looks like it and stays unexplained")
        yield Part("code", _example(cause.near_miss))
    links = dict.fromkeys(link for cause in causes for link in cause.references)
    if links:
        yield Part("head", "References")
        yield from (Part("link", link) for link in links)


def suspicion_parts(suspicion: Suspicion) -> Iterator[Part]:
    """The page of a suspicion."""
    yield Part("title", suspicion.title)
    yield Part(
        "text",
        f"`{suspicion.id}`, a suspicion: named where no cause explains a difference of"
        f" {_kinds(suspicion.kinds)} that looks like it. It never counts as explained.",
    )
    yield Part("head", "What would show it")
    yield Part("text", _sentence(suspicion.proof))


def markdown(page: Iterable[Part]) -> str:
    """A page for docs/causes/."""
    out: list[str] = []
    before = ""
    for role, text in page:
        if out and not (role == before and role in ("item", "link")):
            out.append("")
        before = role
        out.append(
            {
                "title": f"## {escaped(text)}",
                "below": f"### {escaped(text)}",
                "head": f"**{text}**",
                "item": f"- {escaped(text)}",
                "code": textwrap.indent(text, "    "),
                "link": f"- <{text}>",
            }.get(role, escaped(text))
        )
    return "\n".join(out) + "\n"


def screen(page: Iterable[Part], width: int = 80) -> str:
    """A page for the terminal."""
    out: list[str] = []
    before = ""
    for role, text in page:
        if out and not (role == before and role in ("item", "link")) and before != "head":
            out.append("")
        before = role
        if role in ("title", "below", "head"):
            out.append(text)
        elif role == "code":
            out.append(textwrap.indent(text, "  "))
        elif role == "link":
            out.append(f"  {text}")
        else:
            first = "  - " if role == "item" else "  " if out[-1:] != [""] and out else ""
            out += textwrap.wrap(
                text,
                width,
                initial_indent=first,
                subsequent_indent=" " * len(first),
                break_on_hyphens=False,
                break_long_words=False,
            )
    return "\n".join(out) + "\n"


def contents() -> str:
    """All ids by family, for the terminal."""
    lists = {
        family: [(one[0].id, one[0].title) for one in causes]
        for family, causes in families().items()
    }
    causes = {one.id for one in CAUSES}
    lists["suspicions, never proved"] = [
        (one.id, one.title) for one in SUSPICIONS if one.id not in causes
    ]
    lines = []
    for family, entries in lists.items():
        lines += ["", family]
        width = max(len(name) for name, _ in entries)
        lines += [f"  {name:{width}}  {title}" for name, title in entries]
    return "\n".join(lines[1:]) + "\n"


_CODE = re.compile(r"(`[^`]+`)")
_SIGNS = re.compile(r"([\\*_<>\[\]|~#])")


def escaped(text: str) -> str:
    """A text as Markdown that shows it as it is; what is between backticks stays code."""
    pieces = _CODE.split(text)
    pieces[::2] = [_SIGNS.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _fix(fix: Fix) -> str:
    """The advice, after the tools that it is for where it does not begin with one of them."""
    tools = _tools(fix.tool.pattern) if fix.tool else []
    if not tools or fix.text.lower().startswith(tuple(map(str.lower, tools))):
        return fix.text
    return f"for {', '.join(tools)}: {fix.text}"


def _tools(pattern: str) -> list[str]:
    """What a pattern looks for, without the pattern's own signs."""
    plain = pattern.removeprefix("(?i)").replace("\\b", "")
    names = [re.sub(r"\\.$|\\|\d+$", "", one) for one in plain.split("|")]
    return list({one.lower(): one for one in names}.values())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _kinds(kinds: Iterable[str]) -> str:
    told = ["any kind" if kind == "*" else f"`{kind}`" for kind in kinds]
    return ", ".join(told)


def _proof(cause: Cause) -> str:
    told = [
        f"In differences of {_kinds(cause.kinds)}:",
        "without what varied both sides are the same,",
        "and each pair of values that differs is evidence.",
    ]
    if cause.paths:
        told.append(f"The file's path has `{cause.paths.pattern}`.")
    if cause.context:
        told.append("The text, or how the file begins, says what wrote it.")
    if cause.bound:
        told.append("One value of one side goes with one of the other, over the whole image.")
    if cause.entire:
        told.append("All else that differs in the program is explained.")
    if cause.lookup == "path":
        told.append("Both values follow from two paths that other places show.")
    elif cause.lookup == "build-id":
        told.append("Both values are build-ids of one program, each of its side.")
    elif cause.lookup:
        told.append("Both values are digests or sizes of a file that differs, each of its side.")
    return " ".join(told)


def _example(shown: NearMiss) -> str:
    place = "/".join(filter(None, (shown.path, *shown.where)))
    head = f"{shown.kind} in {place}" if place else shown.kind
    return "\n".join([head, *_side("a", shown.a), *_side("b", shown.b)])


def _side(name: str, text: str) -> Iterator[str]:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    lines = shown.rstrip("\n").split("\n")
    yield from (f"{name}  {_plain(line)}".rstrip() for line in lines[:_EXAMPLE_LINES])
    if len(lines) > _EXAMPLE_LINES:
        yield f"{name}  …"


def _plain(line: str) -> str:
    """A line of which every character can be seen."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)
