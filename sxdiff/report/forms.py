"""The forms in which a report can be written: a line here each, and a module beside this one.

A form's module is loaded only where the form is asked for: some are slow to load.
"""

# ruff: noqa: PLC0415 - late imports: see above

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from sxdiff.report.build import Report

PAGE_SIZE: Final = 15_000_000
"""Bytes that a page takes at most, if its findings leave it so much."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a form that people see shall look: `width` in columns, colour only on a terminal, a page
    of `page_size` bytes at most."""

    verbose: bool = False
    color: bool = False
    width: int = 80
    page_size: int = PAGE_SIZE


Write: TypeAlias = Callable[["Report", Manner], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Form:
    """One form: the option that asks for it, what its help says, and the text of a report in it."""

    name: str
    help: str
    write: Write


def _json(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import json

    return json.chunks(report)


def _html(report: "Report", manner: Manner) -> Iterator[str]:
    from sxdiff.report import html

    return html.chunks(report, size=manner.page_size)


def _markdown(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import markdown

    return markdown.chunks(report)


def _summary(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import markdown

    return markdown.summary(report)


def _annotations(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import annotations

    return annotations.chunks(report)


def _sarif(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import sarif

    return sarif.chunks(report)


def _junit(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import junit

    return junit.chunks(report)


def _attest(report: "Report", _: Manner) -> Iterator[str]:
    from sxdiff.report import attest

    return attest.chunks(report)


def _text(report: "Report", manner: Manner) -> Iterator[str]:
    from sxdiff.report import text

    return text.chunks(report, verbose=manner.verbose, color=manner.color, width=manner.width)


FORMS: Final = (
    Form("json", "Write the report as JSON.", _json),
    Form("html", "Write it as one HTML page.", _html),
    Form("markdown", "Write it as Markdown, for a bug report.", _markdown),
    Form("summary", "Write it as Markdown, for a step's summary in CI.", _summary),
    Form("annotations", "Write it as workflow commands of forge actions.", _annotations),
    Form("sarif", "Write it as SARIF 2.1.0, for code scanning.", _sarif),
    Form("junit", "Write it as JUnit XML.", _junit),
    Form("attest", "Write an in-toto Statement of the verdict, to be signed.", _attest),
    Form("text", "Write it as text [-, standard output].", _text),
)
"""In the order in which help lists them."""
