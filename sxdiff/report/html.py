"""The report as one page: no script, nothing loaded, readable on a phone, in the dark, on paper.

jinja2 is slow to load, so this module is imported only where HTML is asked for.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from itertools import islice

import jinja2
from markupsafe import Markup

from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.wire import JsonObject

DIFFERENCES_TOLD = 5000
"""How many differences the page's tree holds; more would choke a browser."""

_VALUE_CHARACTERS = 2000
_DIFF_LINES = 300
_OPEN_BELOW = 40
"""A tree with fewer differences than this is shown unfolded, a larger one down to its layers."""


def chunks(report: Report, *, limit: int = DIFFERENCES_TOLD) -> Iterator[str]:
    """The page in pieces. The same report gives the same page, byte for byte."""
    templates = resources.files("sxdiff.report") / "templates"
    style = (templates / "report.css").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=lambda value: f"{value:,}", size=words.size)
    template = environment.from_string((templates / "report.html.j2").read_text("utf-8"))
    header = report.header
    total = header["summary"]["differences"]["total"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    yield from template.generate(
        header=header,
        # trusted: our own file, whose digest the page's policy names
        style=Markup(style),  # noqa: S704
        style_digest=f"sha256-{digest}",
        verdict=words.verdict(header),
        meaning=words.meaning(header),
        counterfactual=words.counterfactual(header),
        names=[*map(words.platform_name, header["platforms"])],
        count=words.count,
        findings=[_finding(report, one) for one in header["findings"]],
        problems=header["problems"],
        tree=tree(report, limit),
        unfolded_depth=99 if total < _OPEN_BELOW else 2,
        left_out=max(0, total - limit),
        step=words.STEP,
    )


@dataclass(slots=True)
class Branch:
    """One line of the tree, flat so that no depth of it can exhaust a stack.

    `opens` begins a step of the route, `closes` ends that many; else there is a difference.
    """

    opens: str | None = None
    depth: int = 0
    closes: bool = False
    differences: int = 0
    leaf: JsonObject = field(default_factory=dict)


def tree(report: Report, limit: int) -> list[Branch]:
    """The first `limit` differences as a tree, each step with the count of what is told in it."""
    lines: list[Branch] = []
    open_steps: list[Branch] = []
    shown: list[str] = []
    for difference in islice(report.differences(), limit):
        where = difference["where"]
        same = words.common(shown, where)
        lines += [Branch(closes=True)] * (len(shown) - same)
        del open_steps[same:]
        for step in where[same:]:
            open_steps.append(Branch(opens=step, depth=len(open_steps)))
            lines.append(open_steps[-1])
        for one in open_steps:
            one.differences += 1
        lines.append(Branch(leaf=leaf(difference)))
        shown = where
    return lines + [Branch(closes=True)] * len(shown)


def leaf(difference: JsonObject) -> JsonObject:
    """What the page shows of one difference, cut to a size that a page can bear."""
    text = difference["diff"] or ""
    lines = text.splitlines()
    notes = words.marks(difference)
    if difference["bytes"]:
        notes.append(f"{words.size(difference['bytes'])} differ")
    return {
        "id": difference["id"],
        "kind": difference["kind"],
        "notes": notes,
        "muted": difference["derived"] or not difference["visible"],
        "sides": [] if lines else _sides(difference),
        "diff": [(_diff_class(line), _cut(line)) for line in lines[:_DIFF_LINES]],
        "diff_left_out": max(0, len(lines) - _DIFF_LINES),
    }


def _diff_class(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "soft"
    return {"-": "went", "+": "came", "@": "at"}.get(line[:1], "")


def _sides(difference: JsonObject) -> list[JsonObject]:
    """Both sides, each text in three pieces: what is alike before and after, and what is not."""
    texts = [words.side(difference, name) for name in "ab"]
    head = tail = 0
    # a number differs as a whole, and so does what is on one side only
    marked = all(
        side is not None and (side["value"] is None or isinstance(side["value"], str))
        for side in (difference["a"], difference["b"])
    )
    if marked:
        head = words.common(*texts)
        tail = words.common(*(text[head:][::-1] for text in texts))
    sides = []
    for name, text in zip("ab", texts, strict=True):
        value = difference[name] or {}
        at, line, excerpt = value.get("at"), value.get("line"), value.get("excerpt")
        place = [f"line {line:,}"] if line is not None else []
        place += [f"at {at[0]:,}, {words.count(at[1], 'byte')}"] if at else []
        place += [f"address {value['address']:#x}"] if "address" in value else []
        end = len(text) - tail
        sides.append(
            {
                "name": name,
                "marked": marked,
                "pieces": [_cut(text[:head]), _cut(text[head:end]), _cut(text[end:])],
                # the excerpt beside a value shows what surrounds it
                "excerpt": _cut(excerpt) if excerpt is not None and excerpt != text else "",
                "place": ", ".join(place),
                "absent": difference[name] is None,
            }
        )
    return sides


def _finding(report: Report, finding: JsonObject) -> JsonObject:
    kinds = []
    for kind in finding["kinds"]:
        example = report.examples[kind["example"]]
        alike = example.get("count", 1)  # not in reports of before 0.2
        place = words.place(example, report.header)
        kinds.append({**kind, "alike": alike, "place": place, "leaf": leaf(example)})
    # reports of before 0.2 do not know these
    later = {"why": "", "consequences": 0, "suspects": []}
    return {**later, **finding, "kinds": kinds}


def _cut(text: str) -> str:
    if len(text) <= _VALUE_CHARACTERS:
        return text
    half = _VALUE_CHARACTERS // 2
    left_out = words.count(len(text) - 2 * half, "character")
    return f"{text[:half]} … {left_out} left out … {text[-half:]}"


def _finalize(value: object) -> object:
    """Every text that the template prints passes here: no image chooses what a page does."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape(value)
    return value
