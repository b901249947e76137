"""docs/ci.md and action.yml: every script in them is run as its runner runs it."""

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.__main__ import TRY
from fixtures.recipes import CASES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "ci.md").read_text()
ACTION = (ROOT / "action.yml").read_text()
ACTIONS_SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""How a runner of GitHub or Forgejo runs `shell: bash`."""


def scripts(text: str) -> Iterator[str]:
    """Block scalars (`run: |`, `- |`), and blocks of sh."""
    for indent, block in re.findall(r"^( *)(?:run: |- )\|\n((?:\1 +.*\n|\n)+)", text, re.MULTILINE):
        yield textwrap.dedent(block) if indent is not None else block


def section(name: str) -> str:
    return PAGE.split(f"## {name}\n")[1].split("\n## ")[0]


INSTALL, COMPARE = scripts(ACTION)


class Runner:
    """A step's surroundings, and what it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for side in "ab":
            (folder / f"{side}.tar").write_bytes((TRY / f"{side}.tar").read_bytes())
        for name in ("output", "summary", "path"):
            (folder / name).touch()

    def run(self, script: str, shell: list[str], **values: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "step").write_text(script)
        binaries = os.path.dirname(sys.executable)
        environment = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_PATH": str(self.folder / "path"),
        }
        return subprocess.run(
            [*shell, str(self.folder / "step")],
            cwd=self.folder,
            env=environment | values,
            capture_output=True,
            text=True,
            check=False,
        )

    def compare(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        names = re.findall(
            r"^        ([A-Z_]+): \$\{\{ inputs\.", ACTION.split("id: compare")[1], re.M
        )
        values = dict.fromkeys(names, "")
        values |= {"IMAGE_A": "a.tar", "IMAGE_B": "b.tar", "REPORTS": "sxdiff-reports"}
        assert inputs.keys() <= values.keys()
        return self.run(COMPARE, ACTIONS_SHELL, **(values | inputs))

    def outputs(self) -> dict[str, str]:
        lines = (self.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


CAUSES = (
    "captures-build-path-via-file-macro=a",
    "timestamp-in-text:**=b c",
    "timestamps-from-cpp-macros=d",
)


def test_the_action_fails_and_says_why(runner: Runner) -> None:
    done = runner.compare()
    assert done.returncode == 1, done.stderr
    assert runner.outputs() == {
        "equal-at": "nothing",
        "met": "false",
        "json": "sxdiff-reports/report.json",
        "html": "sxdiff-reports/report.html",
    }
    assert "sxdiff: differ" in (runner.folder / "summary").read_text()
    assert "::error" in done.stdout
    assert json.loads((runner.folder / "sxdiff-reports/report.json").read_text())["met"] is False
    assert (runner.folder / "sxdiff-reports/report.html").exists()


def test_the_action_passes_on_every_input(runner: Runner) -> None:
    old = runner.folder / "old.json"
    done = runner.compare(ACCEPT="\n".join(CAUSES) + "\n")
    assert done.returncode == 0, done.stderr
    assert runner.outputs()["met"] == "true"
    (runner.folder / "sxdiff-reports/report.json").rename(old)
    assert runner.compare(BASELINE="old.json").returncode == 0
    policy = '[[accept]]\ncause = "timestamp-in-text"\nreason = "r"\n'
    (runner.folder / "p.toml").write_text(policy)
    assert runner.compare(POLICY="p.toml", ACCEPT="\n".join(CAUSES[::2])).returncode == 0
    assert runner.compare(POLICY="p.toml", ACCEPT=CAUSES[0]).returncode == 1
    assert runner.compare(IMAGE_B="a.tar", REQUIRE="archive").returncode == 0
    done = runner.compare(ARGS="--platform\nlinux/arm64\n\n")
    report = json.loads((runner.folder / "sxdiff-reports/report.json").read_text())
    assert (done.returncode, report["options"]["platforms"]) == (1, ["linux/arm64"])


def test_what_the_action_is_given_is_never_a_command(runner: Runner) -> None:
    for name in ("IMAGE_A", "IMAGE_B", "REQUIRE", "ACCEPT", "POLICY", "BASELINE", "ARGS"):
        done = runner.compare(**{name: "$(touch owned) `touch owned`; touch owned #"})
        assert done.returncode == 2
    assert not (runner.folder / "owned").exists()
    assert "${{" not in INSTALL + COMPARE


def test_no_verdict_is_no_output(runner: Runner) -> None:
    (runner.folder / "b.tar").write_bytes(b"no image")
    assert runner.compare().returncode == 2
    assert runner.outputs() == {}


def test_the_action_installs_nothing_twice(runner: Runner) -> None:
    assert runner.run(INSTALL, ACTIONS_SHELL, VERSION="", SOURCE="/absent").returncode == 0
    assert (runner.folder / "path").read_text() == ""


def test_the_workflow_names_inputs_that_there_are() -> None:
    known = set(re.findall(r"^  ([a-z-]+):$", ACTION.split("outputs:")[0], re.MULTILINE))
    given = section("GitHub, Forgejo").split("uses: OWNER/sxdiff@VERSION")[1].split("- uses")[0]
    assert set(re.findall(r"^          ([a-z-]+):", given, re.MULTILINE)) <= known
    said = re.search(r"Inputs: (.*)\.\n", section("GitHub, Forgejo"))
    assert said
    assert set(re.findall(r"`([a-z]+)`", said[1])) == known


@pytest.mark.parametrize(
    ("name", "shell"),
    [("GitLab", ["bash", "-eo", "pipefail"]), ("Woodpecker", ["sh", "-e"])],
)
def test_snippets_run(runner: Runner, name: str, shell: list[str]) -> None:
    (script,) = scripts(section(name))
    done = runner.run(script, shell)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("differ: ")
    assert json.loads((runner.folder / "report.json").read_text())["equal_at"] == "nothing"
    assert (runner.folder / "report.html").exists()
    (runner.folder / "b.tar").write_bytes((runner.folder / "a.tar").read_bytes())
    assert runner.run(script, shell).returncode == 0
    (runner.folder / "b.tar").write_bytes(b"no image")
    assert runner.run(script, shell).returncode == 2


def test_only_what_is_new(runner: Runner) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", section("Only what is new"), re.DOTALL)
    assert runner.run(script, ["sh", "-e"]).returncode == 2  # there is no report yet
    runner.run("sxdiff --no-policy --json main.json a.tar b.tar || true", ["sh", "-e"])
    assert runner.run(script, ["sh", "-e"]).returncode == 0
    case = next(one for one in CASES if one.name == "added-file")
    for side, data in zip("ab", case.build(), strict=True):
        (runner.folder / f"{side}.tar").write_bytes(data)
    assert runner.run(script, ["sh", "-e"]).returncode == 1
