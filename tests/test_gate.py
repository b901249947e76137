"""The gate (docs/decisions/0008-the-gate.md): exit code 0 is a promise."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bench.causes.adversarial import CHANGES, injected
from fixtures.images import image, layer, oci_archive, platform
from fixtures.images import index as image_index
from fixtures.recipes import CASES
from fixtures.recipes.base import Case, changed, packed, root
from fixtures.tar import Member, file, tar
from sxdiff.causes.catalogue import CAUSES
from sxdiff.model import RUNGS, Claim, Difference, InputError, Limits, Node, Value
from sxdiff.report import json as json_report
from sxdiff.report import text
from sxdiff.report.build import ReportBuilder
from sxdiff.report.gate import Acceptance, Gate, capped, glob_matches
from sxdiff.run import Options, compare
from tests.golden import REPORTS
from tests.local import LocalPool
from tests.sample import part
from tests.test_golden import VALID

Json = dict[str, Any]
Gated = Callable[..., Json]

EVERY_CAUSE = tuple(Acceptance(name, None, "r") for name in sorted({one.id for one in CAUSES}))
DATES = ("Built 2026-01-01T00:00:00Z\n", "Built 2026-02-02T00:00:00Z\n")
TIMES = Acceptance("timestamp-in-text", None, "dates of the build")


@pytest.fixture
def gated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gated:
    """The report of two archives with these options, as JSON; it is valid. No processes."""
    monkeypatch.setattr("sxdiff.run.Pool", LocalPool)
    (tmp_path / "spool").mkdir()

    def run(a: bytes, b: bytes, *accept: Acceptance, **options: Any) -> Json:
        paths = [str(tmp_path / name) for name in ("a.tar", "b.tar")]
        for path, data in zip(paths, (a, b), strict=True):
            Path(path).write_bytes(data)
        chosen = Options(spool=str(tmp_path / "spool"), accept=accept, **options)
        with compare(paths[0], paths[1], chosen, None) as report:
            found: Json = json.loads("".join(json_report.chunks(report)))
            lines = [*text.chunks(report)]
            assert len(lines) <= text.SCREEN_LINES
            assert all(len(line) <= 81 for line in lines)
        VALID.validate(found)
        (tmp_path / "report.txt").write_text("".join(lines))
        (tmp_path / "report.json").write_text(json.dumps(found))
        return found

    return run


def _archive(*files: tuple[str, str], members: list[Member] | None = None) -> bytes:
    held = [file(name, content) for name, content in files]
    return oci_archive(image([layer(tar((members or []) + held))]))


def _dated(side: int, *more: tuple[str, str]) -> bytes:
    return _archive(("etc/built", DATES[side]), *more)


def test_what_is_accepted_opens_the_gate_and_equal_at_stays_the_truth(gated: Gated) -> None:
    plain = gated(_dated(0), _dated(1))
    assert (plain["equal_at"], plain["met"], plain["accepted"]) == ("nothing", False, [])
    assert "gate" not in plain["summary"]
    assert not any("accepted" in one for one in plain["differences"])
    report = gated(_dated(0), _dated(1), TIMES)
    assert (report["equal_at"], report["met"]) == ("nothing", True)
    assert report["platforms"] == plain["platforms"]
    assert all(one["accepted"] for one in report["differences"])
    (rule,) = report["accepted"]
    assert rule == {
        "cause": "timestamp-in-text",
        "path": None,
        "reason": "dates of the build",
        "source": "option",
        "expires": None,
        "expired": False,
        "differences": 1,
        "files": 1,
    }
    assert report["options"]["accept"] == ["timestamp-in-text=dates of the build"]


def test_a_rule_counts_for_its_paths_only(gated: Gated) -> None:
    a, b = (_dated(side, ("usr/built", DATES[side])) for side in (0, 1))
    report = gated(a, b, Acceptance("timestamp-in-text", "etc/*", "r"))
    assert not report["met"]
    assert report["accepted"][0]["differences"] == 1
    roots = {one["path"]: one["accepted"] for one in report["differences"] if not one["derived"]}
    assert roots == {"etc/built": True, "usr/built": False}
    rules = [Acceptance("timestamp-in-text", glob, "r") for glob in ("etc/*", "**/built")]
    report = gated(a, b, *rules)
    assert report["met"]
    assert [one["differences"] for one in report["accepted"]] == [1, 1]


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("etc/built", DATES[0], DATES[1] + "backdoor=1\n"),
        ("etc/built", DATES[0], "Owned" + DATES[1][5:]),
        ("etc/other", "x=1\n", "x=2\n"),
        ("usr/bin/more", "", "#!/bin/sh\n"),
    ],
)
def test_a_hostile_change_beside_accepted_ones_closes_the_gate(
    gated: Gated, name: str, one: str, other: str
) -> None:
    files: list[dict[str, str]] = [{"etc/built": DATES[0]}, {"etc/built": DATES[1]}]
    for held, content in zip(files, (one, other), strict=True):
        if content:
            held[name] = content
    report = gated(*(_archive(*held.items()) for held in files), *EVERY_CAUSE)
    assert not report["met"]
    assert report["summary"]["gate"]["unaccepted"]


def test_a_file_that_was_not_verified_is_not_accepted_by_cause(gated: Gated) -> None:
    """The date in it is explained, but there is more, so nothing of it is taken out ..."""
    a, b = _archive(("log", DATES[0] + "a\n")), _archive(("log", DATES[1] + "b\n"))
    report = gated(a, b, TIMES)
    assert report["accepted"][0]["differences"] == 0
    # ... but for who accepts all that is unexplained in it
    unexplained = Acceptance("unexplained", "log", "it is a log")
    report = gated(a, b, TIMES, unexplained)
    assert report["met"]
    assert not gated(a, b, Acceptance("unexplained", "etc/**", "r"), TIMES)["met"]


def test_unexplained_differences_are_accepted_by_path(gated: Gated) -> None:
    a, b = _archive(("var/log/x", "1\n")), _archive(("var/log/x", "2\n"), ("var/log/y", "3\n"))
    assert gated(a, b, Acceptance("unexplained", "var/log/**", "r"))["met"]
    assert not gated(a, b, Acceptance("unexplained", "var/log/x", "r"))["met"]
    assert not gated(a, b, *EVERY_CAUSE)["met"]


def test_all_causes_of_a_difference_must_be_accepted(tmp_path: Path) -> None:
    sides = {side: {"manifest": side, "config": side, "layers": []} for side in "ab"}
    one = {"platform": "p", "image": None, "equal_at": "nothing", "only_in": None, **sides}
    claims = (Claim("timestamp-in-text"), Claim("captures-build-path"))
    told = Difference("text", Value("1"), Value("2"), claims=claims)

    def met(*rules: Acceptance, verified: bool = True) -> bool:
        with ReportBuilder(str(tmp_path)) as builder:
            node = Node("", "text", (told,), verified=verified)
            builder.add_node(("p", "layer 1", "x"), node, "x", True)
            report = builder.finish(
                options={"require": "rootfs"},
                inputs=[],
                equal_at="nothing",
                met=False,
                platforms=[one],
                files={},
                gate=Gate(rules),
            )
            found: bool = report.header["met"]
        (tmp_path / "report.sqlite3").unlink()
        return found

    paths = Acceptance("captures-build-path", None, "r")
    assert met(TIMES, paths)
    assert not met(TIMES, paths, verified=False)
    assert not met(TIMES)
    assert not met(paths)


def test_differences_above_files_are_accepted_without_a_path(gated: Gated) -> None:
    layers = [layer(tar([file("x", "1")]))]
    built = [
        oci_archive(image(layers, config={"created": f"2026-0{n}-01T00:00:00Z"})) for n in (1, 2)
    ]
    report = gated(*built, *EVERY_CAUSE)
    assert report["met"]
    (cause,) = {name for one in report["differences"] for name in one["causes"]}
    assert gated(*built, Acceptance(cause, None, "r"))["met"]
    assert not gated(*built, Acceptance(cause, "**", "r"))["met"]
    assert not gated(*built, Acceptance("unexplained", "**", "r"))["met"]
    # what does not cap the rung needs no one to accept it
    assert gated(*built, require="rootfs")["met"]


def test_a_platform_on_one_side_is_never_accepted(gated: Gated, tmp_path: Path) -> None:
    images = [
        image([layer(tar([file("x", "1")]))], where=platform(name)) for name in ("amd64", "arm64")
    ]
    a, b = oci_archive(image_index(images)), oci_archive(image_index(images[:1]))
    everything = (*EVERY_CAUSE, Acceptance("unexplained", "**", "r"))
    report = gated(a, b, *everything)
    assert not report["met"]
    assert report["summary"]["gate"]["never"] == ["linux/arm64 is only in a"]
    assert not gated(a, b, baseline=str(tmp_path / "report.json"))["met"]
    assert gated(a, b, *everything, platforms=("linux/amd64",))["met"]


def test_what_was_not_compared_is_never_accepted(gated: Gated) -> None:
    lines = "".join(f"{n}\n" for n in range(4))
    a, b = _archive(("x", lines)), _archive(("x", lines.replace("1", "9").replace("3", "8")))
    rule = Acceptance("unexplained", "x", "r")
    assert gated(a, b, rule)["met"]
    report = gated(a, b, rule, limits=Limits(file_differences=1))
    assert not report["met"]
    assert report["summary"]["gate"]["never"] == ["1 problem of the kind limit"]
    assert report["options"]["limits"] == ["file_differences=1"]


def test_a_rule_that_accepts_nothing_is_told(gated: Gated, tmp_path: Path) -> None:
    rule = Acceptance("umask-dependent-file-mode", None, "why not")
    report = gated(_dated(0), _dated(1), rule)
    assert report["accepted"][0]["differences"] == 0
    shown = (tmp_path / "report.txt").read_text()
    assert "accepted nothing: umask-dependent-file-mode (why not)" in shown


def test_an_expired_rule_counts_for_nothing_and_says_so(gated: Gated, tmp_path: Path) -> None:
    rule = Acceptance("timestamp-in-text", None, "r", "policy", date(2026, 1, 1), expired=True)
    report = gated(_dated(0), _dated(1), rule, now=date(2026, 1, 2))
    assert not report["met"]
    assert report["accepted"][0]["expired"]
    assert report["accepted"][0]["expires"] == "2026-01-01"
    assert report["options"]["now"] == "2026-01-02"
    shown = (tmp_path / "report.txt").read_text()
    assert "expired on 2026-01-01, accepts nothing: timestamp-in-text (r)" in shown
    assert "now" not in gated(_dated(0), _dated(1), TIMES, now=date(2026, 1, 2))["options"]


def test_the_verdict_is_one_line(gated: Gated, tmp_path: Path) -> None:
    def first() -> str:
        return (tmp_path / "report.txt").read_text().splitlines()[0]

    gated(_dated(0), _dated(1), TIMES)
    assert first() == "differ: equal at nothing; met at manifest: 1 difference accepted"
    more = ("x", "1\n"), ("x", "2\n")
    gated(_dated(0, more[0]), _dated(1, more[1]), TIMES)
    assert first().startswith("differ: equal at nothing (manifest asked for); ")
    assert first().endswith(" not accepted")
    gated(_dated(0), _dated(0), TIMES)
    assert first().startswith("equal at archive: ")


# what was known before


def test_only_what_is_new_fails(gated: Gated, tmp_path: Path) -> None:
    a, b = _dated(0, ("x", "1\n")), _dated(1, ("x", "2\n"))
    gated(a, b)
    old = tmp_path / "old.json"
    (tmp_path / "report.json").rename(old)
    # the same places, whatever the values, in whatever layer
    moved = oci_archive(
        image([layer(tar([])), layer(tar([file("etc/built", DATES[1]), file("x", "7\n")]))])
    )
    lower = oci_archive(
        image([layer(tar([])), layer(tar([file("etc/built", DATES[0]), file("x", "1\n")]))])
    )
    report = gated(lower, moved, baseline=str(old))
    assert report["met"]
    (known,) = report["accepted"]
    assert (known["source"], known["differences"], known["files"]) == ("baseline", 2, 2)
    assert (known["reason"], known["gone"]) == ("known from old.json", 0)
    assert report["options"]["baseline"] == "old.json"
    assert str(tmp_path) not in json.dumps(report)
    # less than was known, and it is said
    report = gated(_dated(0), _dated(1), baseline=str(old))
    assert (report["met"], report["accepted"][0]["gone"]) == (True, 1)
    # one file more; one place more in a file; another kind; no longer explained
    for one, other in [
        (_dated(0, ("x", "1\n"), ("y", "1\n")), _dated(1, ("x", "2\n"), ("y", "2\n"))),
        (_dated(0, ("x", "1\n1\n1\n")), _dated(1, ("x", "2\n1\n2\n"))),
        (_dated(0, ("x", "1\n")), _dated(1)),
        (_dated(0, ("x", "1\n")), _archive(("etc/built", "Owned\n"), ("x", "2\n"))),
    ]:
        assert not gated(one, other, baseline=str(old))["met"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"schema": "sxdiff-report/1"}',
        '{"schema": "sxdiff-report/1", "findings": []}',
        json.dumps(
            {
                "schema": "sxdiff-report/1",
                "findings": [],
                "platforms": [],
                "summary": {},
                "differences": [{}],
            }
        ),
    ],
)
def test_a_baseline_that_is_no_report_is_no_verdict(
    gated: Gated, tmp_path: Path, content: str
) -> None:
    (tmp_path / "old.json").write_text(content)
    with pytest.raises(InputError, match=r"old\.json"):
        gated(_dated(0), _dated(1), baseline=str(tmp_path / "old.json"))


# laws over all fixtures


def _known(case: Case) -> str:
    return str(REPORTS / case.name / "report.json")


@pytest.mark.parametrize("case", part(CASES[1:], 4), ids=lambda case: case.name)
def test_what_was_there_before_is_known(gated: Gated, case: Case) -> None:
    """A comparison that is its own baseline meets, but for what can't be accepted."""
    a, b = case.build()
    report = gated(a, b, baseline=_known(case))
    golden = json.loads((REPORTS / case.name / "report.json").read_text())
    assert report["equal_at"] == golden["equal_at"]
    gate = report["summary"]["gate"]
    assert report["met"] == (not gate["never"] or golden["met"])
    assert not any("does not say why" in one for one in gate["never"])
    assert report["accepted"][0]["gone"] == (
        0 if not gate["never"] else report["accepted"][0]["gone"]
    )


@pytest.mark.parametrize("case", part(CASES, 6), ids=lambda case: case.name)
@pytest.mark.parametrize("require", ["manifest", "rootfs"])
def test_the_gate_opens_only_where_the_counterfactual_holds(
    gated: Gated, case: Case, require: str
) -> None:
    a, b = case.build()
    report = gated(a, b, *EVERY_CAUSE, require=require)
    would = report["summary"]["counterfactual"]
    if report["met"]:
        assert RUNGS.index(would["equal_at"]) <= RUNGS.index(require)
        unverified = RUNGS.index(report["equal_at"]) > RUNGS.index(require)
        assert would["verified"] or not unverified


@pytest.mark.parametrize(
    ("name", "what"), [(name, what) for name, what, _ in part(CHANGES, 8)], ids=lambda one: one
)
def test_a_real_change_closes_the_gate_whatever_cause_is_accepted(
    gated: Gated, name: str, what: str
) -> None:
    change = next(one for key, said, one in CHANGES if (key, said) == (name, what))
    a, b = injected(name, what, change).build()
    report = gated(a, b, *EVERY_CAUSE)
    assert not report["met"]


# paths and rungs


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("etc/passwd", "etc/passwd", True),
        ("etc/passwd", "etc/passwd-", False),
        ("etc/*", "etc/passwd", True),
        ("etc/*", "etc/a/b", False),
        ("*", "etc", True),
        ("*", "etc/a", False),
        ("etc/*.d/*", "etc/x.d/y", True),
        ("etc/a*b*c", "etc/aXbXbc", True),
        ("etc/a*b*c", "etc/aXcXb", False),
        ("a*a", "a", False),
        ("**", "etc/a/b", True),
        ("etc/**", "etc/a/b", True),
        ("etc/**", "etc", False),
        ("etc/**", "etcetera/a", False),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("**/x", "a/b/xx", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b/*.pyc", "a/x/b/b/c.pyc", True),
        ("**/a/**/b", "x/a/c", False),
        ("[a]?", "[a]?", True),
        ("[a]?", "ab", False),
    ],
)
def test_globs(glob: str, path: str, matches: bool) -> None:
    assert glob_matches(glob, path) == matches


def test_a_hostile_path_costs_no_time() -> None:
    assert not glob_matches("**/*a*a*a*a*b/**/c", "a" * 4000 + "/" + "a/" * 2000)


def test_an_image_with_a_name_like_a_role_is_no_role() -> None:
    """What is above a platform caps little; its name is the image's choice."""
    for name in ("archive", "attestation linux/amd64"):
        top = (name, "linux/amd64")
        assert capped("config.value", None, (*top, "config"), [top]) == "rootfs"
        assert capped("platform.only_in_a", None, top, [top]) == "nothing"
        assert capped("image.only_in_a", None, (name,), [top]) == "nothing"


def _changed(name: str, **changes: object) -> tuple[bytes, bytes]:
    return packed(root()), packed(changed(root(), name, **changes))


def _cases() -> Iterator[tuple[tuple[bytes, bytes], str]]:
    yield _changed("etc/hosts", mtime=5), "contents"
    yield _changed("etc/hosts", content=b"x"), "nothing"


@pytest.mark.parametrize("rung", ["rootfs", "contents"])
def test_what_caps_a_lower_rung_only_is_no_matter(gated: Gated, rung: str) -> None:
    for (a, b), equal_at in _cases():
        report = gated(a, b, Acceptance("unexplained", "etc/passwd", "r"), require=rung)
        assert report["equal_at"] == equal_at
        assert report["met"] == (RUNGS.index(equal_at) <= RUNGS.index(rung))
