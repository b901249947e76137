"""What sxdiff says of every fixture pair is what reports/ holds, and validates."""

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from fixtures.recipes import CASES
from fixtures.recipes.base import Case
from tests.golden import REPORTS, WITH_PAGE, gallery, golden
from tests.local import LocalPool

SCHEMA = json.loads((resources.files("sxdiff.report") / "report-1.schema.json").read_text())
VALID = jsonschema.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fixture_pair_gives_its_golden_reports(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stale? `make reports` rewrites them; look at the difference before you commit it. Those of
    the gallery are made with real workers; for the others one process is quicker."""
    if case.name not in WITH_PAGE:
        monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    for name, content in golden(case, tmp_path):
        assert content == (REPORTS / case.name / name).read_text(encoding="utf-8")
        if name == "report.json":
            report = json.loads(content)
            VALID.validate(report)
            assert report["equal_at"] == case.equal_at


def test_no_report_is_left_of_a_case_that_is_gone() -> None:
    kept = {path.name for path in REPORTS.iterdir() if path.is_dir()}
    assert kept == {case.name for case in CASES}


def test_the_gallery_is_not_stale() -> None:
    assert (REPORTS / "README.md").read_text(encoding="utf-8") == gallery()
