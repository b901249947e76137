"""A cause in words: the page that `sxdiff explain` prints and docs/causes/ is made of."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.cause import Cause, NearMiss
from sxdiff.causes.suspicion import Suspicion

_LONGEST: Final = 300
"""Characters of an example that are shown."""


def ids() -> list[str]:
    """The ids of all causes, in the order of their families and names."""
    return sorted({one.id for one in CAUSES} | {one.id for one in SUSPICIONS})


def families() -> dict[str, list[Cause]]:
    """All causes by family, each list in the order of their ids; one of several of one id."""
    out: dict[str, dict[str, Cause]] = {}
    for one in CAUSES:
        out.setdefault(one.family, {}).setdefault(one.id, one)
    return {name: [found[key] for key in sorted(found)] for name, found in sorted(out.items())}


def nearest(name: str) -> list[str]:
    """Ids that are spelled much like `name`, the nearest first."""
    return get_close_matches(name, ids(), n=3, cutoff=0.5)


def pages(name: str) -> list[str]:
    """All that is known under an id, as Markdown: causes, then suspicions. Empty for no id."""
    return [
        *(page(one) for one in CAUSES if one.id == name),
        *(suspicion_page(one) for one in SUSPICIONS if one.id == name),
    ]


def page(cause: Cause) -> str:
    """One cause as Markdown."""
    lines = [f"### {cause.title}", "", f"`{cause.id}`", "", cause.why, "", "**What to change**", ""]
    lines += [f"- {_fix(fix.text, fix.tool.pattern if fix.tool else None)}" for fix in cause.fixes]
    lines += ["", "**How it is proved**", "", _proof(cause), ""]
    lines += ["Explained:", "", *_example(cause.example), ""]
    lines += ["Not explained:", "", *_example(cause.near_miss), ""]
    lines += [f"<{one}>" if one.startswith("https://") else one for one in cause.references]
    return "\n".join(lines) + "\n"


def suspicion_page(suspicion: Suspicion) -> str:
    """One suspicion as Markdown."""
    kinds = ", ".join(f"`{kind}`" for kind in suspicion.kinds)
    return (
        f"### {suspicion.title}\n\n`{suspicion.id}`, a suspicion: it is named where no cause"
        f" explains a difference of {kinds} that looks like it, and it never counts as explained."
        f"\n\n**What would show it**\n\n{suspicion.proof}\n"
    )


def contents() -> str:
    """All ids by family, for the terminal."""
    lines = []
    for family, causes in families().items():
        lines += ["", family]
        width = max(len(one.id) for one in causes)
        lines += [f"  {one.id:{width}}  {one.title}" for one in causes]
    return "\n".join(lines[1:]) + "\n"


def _fix(text: str, tool: str | None) -> str:
    return f"{text} (for {_words(tool)})" if tool else text


def _words(pattern: str) -> str:
    """What a pattern looks for, without the pattern's own signs."""
    plain = pattern.replace("(?i)", "").replace("\\b", "").replace("\\", "").replace("|", ", ")
    return plain.strip("^$()")


def _proof(cause: Cause) -> str:
    kinds = ", ".join(f"`{kind}`" for kind in cause.kinds)
    where = "any kind" if cause.kinds == ("*",) else kinds
    told = [f"In differences of {where}: without what varied both sides are the same, and each"]
    told[0] += " pair of values that differs is evidence."
    if cause.paths:
        told.append(f"The file's path has `{cause.paths.pattern}`.")
    if cause.context:
        told.append("The text, or how the file begins, says what wrote it.")
    if cause.bound:
        told.append("One value of one side goes with one of the other, over the whole image.")
    if cause.lookup:
        told.append("Both values are digests or sizes of a file that differs, each of its side.")
    return " ".join(told)


def _example(shown: NearMiss) -> Sequence[str]:
    place = "/".join(filter(None, (shown.path, *shown.where)))
    return [
        f"    {shown.kind}{f' in {place}' if place else ''}",
        *_side("a", shown.a),
        *_side("b", shown.b),
    ]


def _side(name: str, text: str) -> Iterator[str]:
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    for line in shown.rstrip("\n").split("\n"):
        yield f"    {name}  {_plain(line)}"


def _plain(line: str) -> str:
    """A line of which every character can be seen."""
    return "".join(one if one.isprintable() else _escape(one) for one in line)


def _escape(one: str) -> str:
    """A character as an escape; a surrogate is the byte that it stands for."""
    return f"\\x{ord(one) & 0xFF:02x}" if ord(one) >= 0xD800 else f"\\u{ord(one):04x}"
