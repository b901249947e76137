"""The report as Markdown that forges show: a bug report, and the summary of a step in CI.

Whatever an image chose is in code spans and code blocks only: there a forge makes no element, link,
mention, reference, emoji or formula of it. GitHub Flavored Markdown 0.29, 4.5, 6.1 and 6.3.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape, inert
from sxdiff.report.places import Place, places
from sxdiff.wire import JsonObject

MOST_OF_ISSUE: Final = 65_536
"""What an issue may have, in the forge that allows least. It counts characters; here bytes count,
and a line feed twice, which is as many or more however characters are counted."""
MOST_OF_SUMMARY: Final = 1_000_000
"""A step's summary may have 1 MiB."""

_PLATFORMS_TOLD = 50
_KINDS_TOLD = 20
_PLACES_TOLD = 20
_EXAMPLES_TOLD = 10
_ENTRIES_TOLD = 20
_NAME_CHARACTERS = 200
_VALUE_CHARACTERS = 600
_DIFF_LINES = 40
_TICKS = re.compile("`+")
_PLAIN = re.compile(
    # a word or a small number: no mention, reference, digest, address or name of an emoji
    r"(\(*)((?![0-9a-f]{7,}\b)(?!www)[^\W\d_]+(?:['’-][^\W\d_]+)*|[0-9]{1,4})([,;:.?)]*)"  # noqa: RUF001 - an apostrophe
)
LINK = re.compile(r"https?://[A-Za-z0-9.-]+(?:/[\w.~!$&'()*+,;=:@%/?#-]*)?", re.ASCII)


def chunks(report: Report) -> Iterator[str]:
    """The body of a bug report. Where it would be too long for a forge, it says what is cut."""
    yield _text(report, MOST_OF_ISSUE, brief=False)


def summary(report: Report) -> Iterator[str]:
    """The summary of a step: verdict, platforms, and each finding with its fix."""
    yield _text(report, MOST_OF_SUMMARY, brief=True)


def code(text: str) -> str:
    """A text in a code span, which it can't end: its fence is longer than any of its own."""
    shown = escape(text)
    if not shown.strip():
        return "(blank)" if shown else "(empty)"
    ticks = "`" * (_longest(shown) + 1)
    # a renderer takes one space from both ends, if both have one
    room = " " if "`" in (shown[0], shown[-1]) or " " == shown[0] == shown[-1] else ""
    return f"{ticks}{room}{shown}{room}{ticks}"


def block(lines: Iterable[str], language: str = "") -> str:
    """Lines in a code block, which they can't end."""
    shown = "\n".join(inert(escape(line)) for line in lines)
    fence = "`" * max(3, _longest(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def prose(text: str) -> str:
    """A sentence in which only plain words stand outside of code spans."""
    told: list[str] = []
    odd: list[str] = []
    for word in filter(None, text.split(" ")):
        if _PLAIN.fullmatch(word) and escape(word) == word:
            told += [*_odd(odd), word]
            odd = []
        elif word.startswith("("):
            told += _odd(odd)
            odd = [word]
        else:
            odd.append(word)
    return " ".join([*told, *_odd(odd)]) or code(text)


def _odd(neighbours: list[str]) -> list[str]:
    """Neighbours that are no plain words, as one code span; marks of the sentence stay outside."""
    inner = " ".join(neighbours)
    if not inner:
        return []
    begin = "(" if inner.startswith("(") else ""
    inner = inner.removeprefix("(")
    end = ""
    while inner and (
        inner[-1] in ",;:" or (inner[-1] == ")" and inner.count(")") > inner.count("("))
    ):
        inner, end = inner[:-1], inner[-1] + end
    return [f"{begin}{code(inner)}{end}" if inner else code(begin + end)]


def _longest(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def _size(text: str) -> int:
    return len(text.encode()) + text.count("\n")


@dataclass(slots=True)
class _Part:
    """One part of the text, and what is told with it where there is room."""

    told: str
    details: str = ""


def _text(report: Report, most: int, *, brief: bool) -> str:
    header = report.header
    seen = _Seen(report) if header.get("accepted") or not brief else _Seen()
    head = "\n\n".join(_head(header))
    parts = [
        *(
            _brief(one, seen) if brief else _finding(report, one, seen)
            for one in header["findings"]
        ),
        *_accepted(header),
        *_problems(header),
    ]
    room = most - _size(head) - _size(_left_out(len(parts), len(parts)))
    kept: list[_Part] = []
    for part in parts:
        room -= _size(part.told) + 4
        if room < 0:
            break
        kept.append(part)
    cut = 0
    for part in kept:
        if room >= _size(part.details) + 4:
            room -= _size(part.details) + 4
        else:
            part.details, cut = "", cut + 1
    blocks = [head, *(text for part in kept for text in (part.told, part.details) if text)]
    if cut or len(kept) < len(parts):
        blocks.append(_left_out(len(parts) - len(kept), cut))
    return "\n\n".join(blocks) + "\n"


def _left_out(parts: int, details: int) -> str:
    told = [words.count(parts, "section")] if parts else []
    told += [f"places and examples of {words.count(details, 'section')}"] if details else []
    return f"**Left out here, for it would be too long:** {', '.join(told)}. {_ALL}"


_ALL: Final = "`--json` and `--html` tell all."


def _head(header: JsonObject) -> Iterator[str]:
    yield f"## sxdiff: {prose(words.verdict(header))}"
    if meaning := words.meaning(header):
        yield prose(meaning)
    yield "\n".join(_table(header["platforms"]))
    inputs = (
        f"{one['side']} is {_name(one['name'])} ({prose(one['form'])})" for one in header["inputs"]
    )
    yield ", ".join(inputs) + f"; told by sxdiff {code(header['tool']['version'])}."
    files, differences = header["summary"]["files"], header["summary"]["differences"]
    if differences["total"]:
        verb = "differs" if files["differing"] == 1 else "differ"
        told = [f"{files['differing']:,} of {words.count(files['compared'], 'file')} {verb}"]
        told += [
            f"{files[key]:,} only in {key[-1]}" for key in ("only_in_a", "only_in_b") if files[key]
        ]
        counts = [f"{differences[key]:,} {key}" for key in ("unexplained", "explained")]
        counts.append(f"{differences['derived']:,} in consequence of others")
        total = words.count(differences["total"], "difference")
        yield f"{', '.join(told)}. {total}: {', '.join(counts)}."
    if would := words.counterfactual(header):
        yield f"**{prose(would)}**"


def _table(platforms: list[JsonObject]) -> Iterator[str]:
    yield "| platform | equal at | manifest of a | manifest of b |"
    yield "| --- | --- | --- | --- |"
    for one in platforms[:_PLATFORMS_TOLD]:
        a, b = (_cell(digest) if digest else "none" for digest in words.digests(one))
        only = f", only in {prose(one['only_in'])}" if one["only_in"] else ""
        yield f"| {_cell(words.platform_name(one))} | {prose(one['equal_at'])}{only} | {a} | {b} |"
    if len(platforms) > _PLATFORMS_TOLD:
        rest = words.count(len(platforms) - _PLATFORMS_TOLD, "more platform")
        yield f"| and {rest} | | | |"


def _cell(text: str) -> str:
    """Of a table, which a bar would cut even in a code span: it is told as other marks are."""
    return _name(text).replace("|", "\\u{7c}")


def _name(text: str) -> str:
    return code(words.shortened(text, _NAME_CHARACTERS))


class _Seen:
    """What a pass over all places shows: the first of each cause, how many, what is accepted."""

    def __init__(self, report: Report | None = None) -> None:
        self.first: dict[str, list[Place]] = {}
        self.number: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        for place in places(report) if report else ():
            self.number[place.cause] = self.number.get(place.cause, 0) + 1
            self.accepted[place.cause] = self.accepted.get(place.cause, 0) + place.accepted
            first = self.first.setdefault(place.cause, [])
            if len(first) < _PLACES_TOLD:
                first.append(place)

    def counted(self, finding: JsonObject) -> str:
        """How often, in how many files, and whether it is accepted."""
        number = len(finding["differences"])
        accepted = self.accepted.get(finding["cause"], 0)
        told = f", {'all' if accepted == number else f'{accepted:,}'} accepted" if accepted else ""
        return words.places(number, finding["files"]) + told


def _title(finding: JsonObject) -> str:
    title = prose(finding["title"])
    return f"{title} ({code(finding['cause'])})" if finding["confirmed"] else title


def _brief(finding: JsonObject, seen: _Seen) -> _Part:
    told = f"- **{_title(finding)}**: {seen.counted(finding)}."
    if finding["fix"]:
        told += f" Fix: {prose(finding['fix'])}"
    if not finding["confirmed"]:
        told += "".join(f"\n  - {line}" for line in _kinds(finding))
    return _Part(told)


def _kinds(finding: JsonObject) -> Iterator[str]:
    kinds = finding["kinds"]
    for kind in kinds[:_KINDS_TOLD]:
        yield f"{_name(kind['kind'])}: {words.places(kind['differences'], kind['files'])}"
    if len(kinds) > _KINDS_TOLD:
        yield f"and {words.count(len(kinds) - _KINDS_TOLD, 'more kind')}"


def _finding(report: Report, finding: JsonObject, seen: _Seen) -> _Part:
    """A finding with one example; the other examples and the places are its details."""
    examples = [report.examples[kind["example"]] for kind in finding["kinds"]]
    told = [f"### {_title(finding)}: {seen.counted(finding)}"]
    if finding["confirmed"]:
        told.append(f"Varied: {code(words.shortened(words.varied(finding), _VALUE_CHARACTERS))}")
    else:
        told.append("\n".join(f"- {line}" for line in _kinds(finding)))
    told += _example(report, examples[0], finding["cause"])
    suspects = finding.get("suspects", [])
    if suspects:
        told.append("\n".join(map(_suspect, suspects[:_KINDS_TOLD])))
    told += [f"**Why:** {prose(finding['why'])}"] if finding.get("why") else []
    told += [f"**Fix:** {prose(finding['fix'])}"] if finding["fix"] else []
    if finding["references"]:
        told.append(f"See {', '.join(map(_link, finding['references']))}")
    details = ["<details><summary>Places and examples</summary>"]
    details.append("\n".join(_places(report, finding["cause"], seen)))
    for example in examples[1:_EXAMPLES_TOLD]:
        details += _example(report, example, finding["cause"])
    if len(examples) > _EXAMPLES_TOLD:
        more = words.count(len(examples) - _EXAMPLES_TOLD, "more kind")
        details.append(f"Examples of {more} are left out. {_ALL}")
    details.append("</details>")
    return _Part("\n\n".join(told), "\n\n".join(details))


def _suspect(suspect: JsonObject) -> str:
    some = "1 looks" if suspect["differences"] == 1 else f"{suspect['differences']:,} look"
    return f"- {some} like {code(suspect['cause'])}, not proved. To see: {prose(suspect['proof'])}"


def _link(reference: str) -> str:
    return f"<{reference}>" if LINK.fullmatch(reference) else code(reference)


def _places(report: Report, cause: str, seen: _Seen) -> Iterator[str]:
    first = seen.first.get(cause, [])
    for place in first:
        where = words.shortened(
            words.place({"where": place.where}, report.header), _VALUE_CHARACTERS
        )
        number = (
            "" if place.differences == 1 else f": {words.count(place.differences, 'difference')}"
        )
        yield f"- {code(where)}{number}"
    if seen.number.get(cause, 0) > len(first):
        yield f"- and {words.count(seen.number[cause] - len(first), 'more place')}. {_ALL}"


def _example(report: Report, difference: JsonObject, cause: str) -> Iterator[str]:
    where = words.shortened(words.place(difference, report.header), _VALUE_CHARACTERS)
    marks = [one for one in words.marks(difference) if one != f"cause: {cause}"]
    notes = "".join(f"; {prose(words.shortened(one, _VALUE_CHARACTERS))}" for one in marks)
    yield f"{_name(difference['kind'])} in {code(where)}{notes}:"
    if difference["diff"]:
        lines = difference["diff"].removesuffix("\n").split("\n")
        shown = [words.shortened(line, _NAME_CHARACTERS) for line in lines[:_DIFF_LINES]]
        if len(lines) > _DIFF_LINES:
            shown.append(f"… {words.count(len(lines) - _DIFF_LINES, 'more line')}")
    else:
        a, b = words.both(difference, _VALUE_CHARACTERS)
        shown = [f"- {a}", f"+ {b}"]
    yield block(shown, "diff")


def _accepted(header: JsonObject) -> Iterator[_Part]:
    entries = header.get("accepted") or []
    if not entries:
        return
    told = [f"### Accepted: {len(entries):,}", ""]
    for one in entries[:_ENTRIES_TOLD]:
        path = f" at {_name(one['path'])}" if one.get("path") else ""
        expired = ", expired" if one.get("expired") else ""
        reason = prose(words.shortened(one.get("reason") or "", _VALUE_CHARACTERS))
        name = f"{_name(one['cause'])}{path}" if one["cause"] else "what was known"
        used = "" if one.get("differences") else ", accepted nothing"
        told.append(f"- {name}{expired}{used}: {reason}")
    if len(entries) > _ENTRIES_TOLD:
        told.append(f"- and {len(entries) - _ENTRIES_TOLD:,} more")
    yield _Part("\n".join(told))


def _problems(header: JsonObject) -> Iterator[_Part]:
    problems = header["problems"]
    if not len(problems):
        return
    told = [f"### {words.count(len(problems), 'problem')}", ""]
    for one in islice(problems, _ENTRIES_TOLD):
        where = words.place(one, header)
        place = f" (in {code(words.shortened(where, _VALUE_CHARACTERS))})" if where else ""
        text = words.shortened(f"{one['message']}; {one['resolution']}", _VALUE_CHARACTERS)
        told.append(f"- {_name(one['kind'])}: {prose(text)}{place}")
    if len(problems) > _ENTRIES_TOLD:
        told.append(f"- and {len(problems) - _ENTRIES_TOLD:,} more")
    yield _Part("\n".join(told))
