"""The report as JUnit XML, in the dialect that Jenkins, GitLab and others read.

A suite a platform; in it a case for the verdict, and one for each directory in which files differ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape as xml_text
from xml.sax.saxutils import quoteattr

from sxdiff.model import RUNGS
from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.places import Place, places
from sxdiff.wire import JsonObject

CASES_TOLD: Final = 500
"""Of a suite. What differs in more directories than that is in one more case."""
PLACES_TOLD: Final = 50
"""Of a case."""

_OTHERS = "other directories"
_VALUE_CHARACTERS = 200


@dataclass(slots=True)
class _Case:
    """What differs in one directory. `closing` are causes that keep the verdict from what was asked
    for, `lines` tell the places."""

    name: str
    closing: set[str] = field(default_factory=set)
    places: int = 0
    accepted: int = 0
    lines: list[str] = field(default_factory=list)


def chunks(report: Report) -> Iterator[str]:
    """The document. Nothing in it is a time, for a report has none."""
    header = report.header
    names = [words.platform_name(one) for one in header["platforms"]]
    suites: dict[str | None, dict[str, _Case]] = {None: {}} | {name: {} for name in names}
    for place in places(report):
        name = None if place.platform is None else words.platform_name(place.platform)
        _add(suites[name], place, header)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="sxdiff">\n'
    failure = "" if header["met"] else words.verdict(header)
    yield from _suite("image", failure, suites[None], header)
    for name, platform in dict(zip(names, header["platforms"], strict=True)).items():
        cases = suites[name]
        yield from _suite(name, _failure(platform, cases, header), cases, header)
    yield "</testsuites>\n"


def _failure(platform: JsonObject, cases: dict[str, _Case], header: JsonObject) -> str:
    """Why a platform is not as equal as asked for; empty where it is, or where all that differs is
    accepted. What is above the platforms is no matter of theirs."""
    asked = header["options"].get("require") or "manifest"
    enough = max(RUNGS.index(asked), RUNGS.index("manifest"))
    if header["met"] or RUNGS.index(platform["equal_at"]) <= enough:
        return ""
    if platform["only_in"]:
        return f"only in {platform['only_in']}"
    if cases and not any(one.closing for one in cases.values()):
        return ""
    return f"equal only at {platform['equal_at']} ({RUNGS[enough]} asked for)"


def _add(cases: dict[str, _Case], place: Place, header: JsonObject) -> None:
    name = _group(place)
    if name not in cases and len(cases) >= CASES_TOLD:
        name = _OTHERS
    case = cases.setdefault(name, _Case(name))
    accepted = place.accepted == place.differences
    case.places += 1
    case.accepted += accepted
    if place.level(header) != "note":
        case.closing.add(place.cause)
    if len(case.lines) < PLACES_TOLD:
        a, b = words.both(place.first, _VALUE_CHARACTERS)
        where = words.shortened(words.place(place.first, header), 2 * _VALUE_CHARACTERS)
        cause = f"{place.cause} (accepted)" if accepted else place.cause
        told = [f"{cause}: {words.count(place.differences, 'difference')} in {where}"]
        case.lines.append("\n  ".join(map(escape, [*told, f"a: {a}", f"b: {b}"])))


def _group(place: Place) -> str:
    """The first two directories of the path, or the document above files."""
    if place.path is None:
        return place.where[-1]
    return "/" + "/".join(place.path.split("/")[:-1][:2])


def _suite(name: str, failure: str, cases: dict[str, _Case], header: JsonObject) -> Iterator[str]:
    failures = bool(failure) + sum(bool(one.closing) for one in cases.values())
    skipped = sum(one.places == one.accepted for one in cases.values())
    yield (
        f'  <testsuite name={_value(name)} tests="{len(cases) + 1}" failures="{failures}"'
        f' errors="0" skipped="{skipped}">\n'
    )
    asked = header["options"].get("require")
    verdict = f"equal at {asked}" if asked else "equal"
    yield from _case(name, verdict, _element("failure", failure, "verdict") if failure else "")
    for one in cases.values():
        yield from _case(name, one.name, _result(one))
    yield "  </testsuite>\n"


def _result(case: _Case) -> str:
    more = case.places - len(case.lines)
    lines = [*case.lines, *([f"and {words.count(more, 'more place')}"] if more else [])]
    text = "\n".join(lines)
    if case.closing:
        causes = sorted(case.closing, key=lambda one: (one != UNEXPLAINED, one))
        message = f"{words.count(case.places, 'place')}: {', '.join(causes)}"
        return _element("failure", words.shortened(message, _VALUE_CHARACTERS), causes[0], text)
    told = f"      <system-out>{xml_text(text)}</system-out>\n"
    return _element("skipped", "accepted") + told if case.places == case.accepted else told


def _case(suite: str, name: str, result: str) -> Iterator[str]:
    head = f"    <testcase classname={_value(suite)} name={_value(name)}"
    yield f"{head}>\n{result}    </testcase>\n" if result else f"{head}/>\n"


def _element(name: str, message: str, kind: str = "", text: str = "") -> str:
    attributes = f"message={_value(message)}" + (f" type={_value(kind)}" if kind else "")
    return f"      <{name} {attributes}>{xml_text(text)}</{name}>\n"


def _value(text: str) -> str:
    """An attribute. What XML 1.0 can't hold (2.2) `escape` has told in other characters."""
    return quoteattr(escape(text))
