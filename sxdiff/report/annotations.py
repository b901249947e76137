"""The report as workflow commands, which forge actions show beside a run: `::error title=…::…`.

GitHub's documentation, "Workflow commands": a command is a line that begins with `::`; `%`, CR and
LF are escaped in it, and `:` and `,` too in a property. A step may have ten of each level.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.wire import JsonObject

MOST: Final = 10
"""Of a level in a step. More would not be shown, so the last tells what is left out."""

_VALUE_CHARACTERS = 300


def chunks(report: Report) -> Iterator[str]:
    """One command a line: errors for what is unexplained, by kind; warnings for what is explained,
    by cause. Where the verdict is as good as asked for, a notice says that, and nothing else."""
    header = report.header
    verdict = words.verdict(header)
    if header["met"]:
        yield _command("notice", None, "sxdiff", verdict)
        return
    meaning = words.meaning(header)
    yield _command("error", None, "sxdiff", *(text for text in (verdict, meaning) if text))
    closing = _closing(report)
    yield from _level("error", MOST - 1, [one for one in closing if one.kind], header)
    yield from _level("warning", MOST, [one for one in closing if not one.kind], header)


@dataclass(slots=True)
class _Closing:
    """What keeps the verdict from what was asked for: a kind of what is unexplained, or a cause."""

    finding: JsonObject
    kind: str
    example: JsonObject
    differences: int = 0


def _closing(report: Report) -> list[_Closing]:
    """In the order of the findings, which is that of their weight."""
    found: dict[tuple[str, str], _Closing] = {}
    findings = {one["cause"]: one for one in report.header["findings"]}
    for difference in report.differences():
        if difference["derived"] or difference.get("accepted"):
            continue
        for cause in difference["causes"] or [UNEXPLAINED]:
            kind = "" if difference["causes"] else difference["kind"]
            if (cause, kind) not in found:
                found[cause, kind] = _Closing(findings[cause], kind, difference)
            found[cause, kind].differences += 1
    told: list[_Closing] = []
    for cause, finding in findings.items():
        for kind in finding["kinds"]:
            one = found.pop((cause, "" if finding["confirmed"] else kind["kind"]), None)
            if one:
                # the report's own example says more, if it is not accepted
                example = report.examples[kind["example"]]
                one.example = one.example if example.get("accepted") else example
                told.append(one)
    return told


def _level(level: str, most: int, closing: list[_Closing], header: JsonObject) -> Iterator[str]:
    shown = closing if len(closing) <= most else closing[: most - 1]
    for one in shown:
        finding, example = one.finding, one.example
        where = words.shortened(words.place(example, header), _VALUE_CHARACTERS)
        number = words.count(one.differences, "difference")
        a, b = words.both(example, _VALUE_CHARACTERS)
        if one.kind:
            title, told = (
                f"unexplained: {one.kind}",
                [f"{number}, as in {where}", f"a: {a}", f"b: {b}"],
            )
        else:
            varied = words.shortened(words.varied(finding), _VALUE_CHARACTERS)
            title, told = finding["title"], [f"{varied}: {number}, as in {where}"]
            told += [f"fix: {finding['fix']}"] if finding["fix"] else []
            title = f"{title} [{finding['cause']}]"
        yield _command(level, example["path"], title, *told)
    if rest := closing[len(shown) :]:
        names = ", ".join(one.kind or one.finding["cause"] for one in rest)
        told = [words.shortened(f"and {len(rest):,} more: {names}", _VALUE_CHARACTERS)]
        yield _command(level, None, "sxdiff", *told, "--json and --html tell all")


def _command(level: str, path: str | None, title: str, *lines: str) -> str:
    """A command that nothing in its texts ends: they have no line ends but the ones between."""
    file = f"file={_property(path)}," if path else ""
    message = "\n".join(map(escape, lines))
    return f"::{level} {file}title={_property(title)}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text)).replace(":", "%3A").replace(",", "%2C")
