"""Laws of all forms: of a hostile report and of real ones."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sxdiff.model import Difference, Value
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.forms import FORMS, Form, Manner
from sxdiff.report.read import reading

Finish = Callable[..., Report]

AMD64 = "linux/amd64"
HOSTILE = "evil\u202etxt.exe\x1b[2J\n<script>alert(1)</script>\x9b\u2066'\"&"
REPORTS = Path(__file__).parent.parent.parent / "reports"
COMMAND = "::stop-commands::t ##[add-path]x"
PEOPLES = [form for form in FORMS if form.name != "json"]

every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
every_peoples_form = pytest.mark.parametrize("form", PEOPLES, ids=lambda form: form.name)


@pytest.fixture
def hostile(builder: ReportBuilder, finish: Finish) -> Report:
    for number, name in enumerate((HOSTILE, COMMAND, f"  {COMMAND}")):
        sides = Value(f"{name}1"), Value(f"{name}2")
        diff = f"--- a\n+++ b\n@@ -1,2 +1,2 @@\n {name}\n-{name}\n+{name}2\n"
        where = (AMD64, "layer 1", name)
        builder.add(where, "f", Difference(f"k{number}", *sides, symbol=name), name, True)
        builder.add(where, "f", Difference(f"l{number}", *sides, diff=diff), name, True)
    return finish(builder)


@every_peoples_form
@pytest.mark.parametrize("verbose", [False, True])
def test_every_line_has_visible_characters_only(form: Form, verbose: bool, hostile: Report) -> None:
    lines = "".join(form.write(hostile, Manner(verbose=verbose))).split("\n")
    if form.name == "html":
        lines = lines[lines.index("<body>") :]
    assert all(line.replace("\t", "").isprintable() for line in lines)


@pytest.mark.parametrize("name", ["text", "markdown", "summary"])
def test_no_line_is_a_command_to_a_log(name: str, hostile: Report) -> None:
    (form,) = (form for form in FORMS if form.name == name)
    lines = "".join(form.write(hostile, Manner(verbose=True))).split("\n")
    assert not [line for line in lines if re.match(r"\s*::", line)]


def test_no_line_of_the_text_has_a_command_of_the_old_form(hostile: Report) -> None:
    (form,) = (form for form in FORMS if form.name == "text")
    for verbose in (False, True):
        assert "##[" not in "".join(form.write(hostile, Manner(verbose=verbose)))


@pytest.fixture(scope="module", params=["stagex-shaped", "multi-arch-one-differs", "attestation"])
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Report]:
    folder = tmp_path_factory.mktemp("real")
    with reading(str(REPORTS / request.param / "report.json"), str(folder)) as report:
        yield report


@every_form
def test_a_report_gives_the_same_bytes_again(form: Form, real: Report) -> None:
    first = "".join(form.write(real, Manner()))
    assert first.endswith("\n")
    assert first == "".join(form.write(real, Manner()))
