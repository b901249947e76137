"""The policy file and --accept: what they say, what is wrong with them, and which of them wins."""

from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sxdiff import cli, policy
from sxdiff.causes import page
from sxdiff.causes.catalogue import CAUSES
from sxdiff.model import Limits
from sxdiff.report.gate import Acceptance

WHOLE = """
require = "config"
platforms = ["linux/amd64"]

[[accept]]
cause = "timestamp-in-text"
reason = "the date of the build"

[[accept]]
cause = "unexplained"
path = "var/log/**"
reason = "logs"
expires = 2030-01-31

[limits]
member_depth = 3
"""
RULES = (
    Acceptance("timestamp-in-text", None, "the date of the build", "policy"),
    Acceptance("unexplained", "var/log/**", "logs", "policy", date(2030, 1, 31)),
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def test_a_policy_says_what_it_says() -> None:
    Path("sxdiff.toml").write_text(WHOLE)
    found = policy.find()
    assert found == policy.Policy("config", ("linux/amd64",), RULES, Limits(member_depth=3))


def test_a_policy_may_be_in_the_projects_file() -> None:
    assert policy.find() == policy.Policy()
    Path("pyproject.toml").write_text('[project]\nname = "x"\n')
    assert policy.find() == policy.Policy()
    Path("pyproject.toml").write_text('[tool.other]\nx = 1\n[tool.sxdiff]\nrequire = "rootfs"\n')
    assert policy.find() == policy.Policy("rootfs")
    assert policy.read("pyproject.toml") == policy.Policy("rootfs")
    Path("sxdiff.toml").write_text('require = "config"\n')
    assert policy.find() == policy.Policy("config")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("requires = 'config'", "requires: there is no such key; did you mean require?"),
        ("zzz = 1", "zzz: there is no such key; there are require, platforms, accept, limits"),
        ("require = 'all'", "require: 'all' is none of archive, index"),
        ("require = 'nothing'", "require: 'nothing' is none of"),
        ("require = ['config']", "require: ['config'] is none of"),
        ("platforms = 'linux/amd64'", "platforms: is not a list of texts"),
        ("platforms = [1]", "platforms: is not a list of texts"),
        ("accept = 1", "accept: is not a list of tables"),
        ("accept = ['x']", "accept: is not a list of tables"),
        ("[accept]\ncause = 'x'", "accept: is not a list of tables"),
        ("[[accept]]\nreason = 'r'", "accept 1, cause: is missing"),
        ("[[accept]]\ncause = 'timestamp-in-text'", "accept 1, reason: is missing"),
        (
            "[[accept]]\ncause = 'timestamp-in-text'\nreason = ' '",
            "accept 1, reason: is missing",
        ),
        ("[[accept]]\ncause = 1\nreason = 'r'", "accept 1, cause: is not a text"),
        ("[[accept]]\nglob = 1", "accept 1, glob: there is no such key"),
        ("[[accept]]\nexpire = 1", "accept 1, expire: there is no such key; did you mean expires?"),
        (
            "[[accept]]\ncause = 'timestamp-in-tex'\nreason = 'r'",
            "accept 1: there is no cause 'timestamp-in-tex'; did you mean timestamp-in-text",
        ),
        (
            "[[accept]]\ncause = 'timestamp-in-text'\nreason = 'r'\nexpires = '2030-01-01'",
            "accept 1, expires: is not a date such as 2030-01-31",
        ),
        (
            "[[accept]]\ncause = 'timestamp-in-text'\nreason = 'r'\nexpires = 2030-01-01T00:00:00",
            "accept 1, expires: is not a date",
        ),
        ("limits = 1", "limits: is not a table"),
        ("[limits]\nmember_depths = 1", "limits, member_depths: there is no such key; did you"),
        ("[limits]\nmember_depth = '1'", "limits, member_depth: is not a whole number above 0"),
        ("[limits]\nmember_depth = true", "limits, member_depth: is not a whole number above 0"),
        ("[limits]\nmember_depth = 0", "limits, member_depth: is not a whole number above 0"),
        ("require = ", "is not TOML: "),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(
    capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    Path("sxdiff.toml").write_text(text)
    assert _main("a", "b") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sxdiff: sxdiff.toml: {told}")
    assert error.count("\n") == 1


def test_a_policy_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert _main("--policy", "absent.toml", "a", "b") == 2
    assert capsys.readouterr().err == "sxdiff: absent.toml: No such file or directory\n"
    Path("sxdiff.toml").mkdir()
    assert _main("a", "b") == 2
    Path("sxdiff.toml").rmdir()
    Path("sxdiff.toml").symlink_to("nowhere")
    assert _main("a", "b") == 2
    Path("p.toml").write_bytes(b"\xff")
    assert _main("--policy", "p.toml", "a", "b") == 2
    assert _main("--policy", "p.toml", "--no-policy", "a", "b") == 2


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("timestamp-in-text", "has no reason"),
        ("timestamp-in-text=", "accepting timestamp-in-text needs a reason"),
        ("timestamp-in-text:etc/x= ", "accepting timestamp-in-text needs a reason"),
        ("timestamp-in-txt=r", "did you mean timestamp-in-text"),
        ("unexplaned:x=r", "did you mean unexplained?"),
        ("qqqq=r", "sxdiff explain lists all"),
        ("unexplained=r", "can only be accepted by path"),
        ("timestamp-in-text:=r", "path '': write it as usr/lib/**"),
        ("timestamp-in-text:/etc/x=r", "without a slash at either end"),
        ("timestamp-in-text:etc/=r", "without a slash at either end"),
        ("timestamp-in-text:etc**=r", "** stands alone between slashes"),
    ],
)
def test_a_wrong_rule_is_told_before_any_work(
    capsys: pytest.CaptureFixture[str], rule: str, told: str
) -> None:
    assert _main("--accept", rule, "a", "b") == 2
    assert told in capsys.readouterr().err


def test_a_suspicion_is_no_cause_to_accept(capsys: pytest.CaptureFixture[str]) -> None:
    known = {one.id for one in CAUSES}
    suspicion = next(name for name in page.ids() if name not in known)
    assert _main("--accept", f"{suspicion}=r", "a", "b") == 2
    assert "never proved" in capsys.readouterr().err


def test_a_reason_may_hold_anything() -> None:
    rule = policy.acceptance("timestamp-in-text:a/*:b=see x:y=z")
    assert rule == Acceptance("timestamp-in-text", "a/*:b", "see x:y=z")


def test_options_win(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sxdiff.toml").write_text(WHOLE)
    Path("other.toml").write_text('require = "rootfs"\n')
    asked = _asked(monkeypatch)
    now = ("--now", "2030-01-31")
    _main(*now, "a", "b")
    assert (asked[0].require, asked[0].platforms) == ("config", ("linux/amd64",))
    assert (asked[0].accept, asked[0].limits.member_depth) == (RULES, 3)
    assert asked[0].now == date(2030, 1, 31)
    more = ("--accept", "timestamp-in-text=mine")
    _main(*now, *more, "--require", "index", "--platform", "p/q", "a", "b")
    assert (asked[1].require, asked[1].platforms) == ("index", ("p/q",))
    assert asked[1].accept == (Acceptance("timestamp-in-text", None, "mine"), *RULES)
    _main("--no-policy", "a", "b")
    assert (asked[2].require, asked[2].accept, asked[2].limits) == (None, (), Limits())
    _main("--policy", "other.toml", "a", "b")
    assert (asked[3].require, asked[3].accept, asked[3].now) == ("rootfs", (), None)


def test_a_rule_expires_after_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("sxdiff.toml").write_text(WHOLE)
    asked = _asked(monkeypatch)
    _main("--now", "2030-02-01", "a", "b")
    assert [one.expired for one in asked[0].accept] == [False, True]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1896134399")  # the last second of 2030-01-31
    _main("a", "b")
    assert ([one.expired for one in asked[1].accept], asked[1].now) == (
        [False, False],
        date(2030, 1, 31),
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1896134400")
    _main("a", "b")
    assert [one.expired for one in asked[2].accept] == [False, True]
    for wrong in ("soon", "9" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        assert _main("a", "b") == 2
    assert _main("--now", "31.1.2030", "a", "b") == 2
    assert len(asked) == 3


class _StopError(Exception):
    pass


def _asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What comparisons are asked for; none of them is done."""
    found: list[Any] = []

    @contextmanager
    def compare(a: str, b: str, options: Any, progress: Any) -> Any:  # noqa: ARG001 - as it is called
        found.append(options)
        raise _StopError
        yield

    monkeypatch.setattr("sxdiff.run.compare", compare)
    return found


def _main(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code
