"""The manual page is what the help says, and roff takes it without a warning."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.man_page import PAGE, page


def test_the_page_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "./dev reports writes it anew"


@pytest.mark.parametrize(
    "linter", [["groff", "-man", "-ww", "-z", "-Tutf8"], ["mandoc", "-Tlint", "-W", "warning"]]
)
def test_no_warning(linter: list[str]) -> None:
    if not shutil.which(linter[0]):
        pytest.skip(f"{linter[0]} is not installed")
    done = subprocess.run([*linter, PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_wheel_brings_it() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/sxdiff.1": "share/man/man1/sxdiff.1"}
