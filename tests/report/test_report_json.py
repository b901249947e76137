"""The JSON is the contract: exact bytes, a tight schema."""

import copy
import json as standard
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sxdiff.report import html, json, text
from sxdiff.report.build import Report, ReportBuilder
from sxdiff.report.read import reading

SCHEMA = standard.loads(
    (resources.files("sxdiff.report") / "report-1.schema.json").read_text("utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def document(full_report: Report) -> dict[str, Any]:
    read: dict[str, Any] = standard.loads("".join(json.chunks(full_report)))
    return read


def test_the_text_is_what_the_standard_library_writes(full_report: Report) -> None:
    written = "".join(json.chunks(full_report))
    expected = standard.dumps(standard.loads(written), indent=2, ensure_ascii=False)
    assert written == expected + "\n"


def test_the_keys_stand_in_the_order_of_the_contract(document: dict[str, Any]) -> None:
    assert [*document] == SCHEMA["required"]
    for name, one in (
        ("difference", document["differences"][0]),
        ("finding", document["findings"][0]),
        ("platform", document["platforms"][0]),
        ("input", document["inputs"][0]),
        ("problem", document["problems"][0]),
    ):
        # a report of an earlier version lacks what was added since
        names = [*SCHEMA["$defs"][name]["properties"]]
        # these are there only where something is accepted, or there are several images
        assert [*one] == [key for key in names if key not in ("accepted", "images")]


def test_the_schema_is_one_and_reports_fulfil_it(document: dict[str, Any]) -> None:
    VALIDATOR.check_schema(SCHEMA)
    VALIDATOR.validate(document)


def test_an_empty_report_fulfils_the_schema(
    builder: ReportBuilder, finish: Callable[..., Report]
) -> None:
    report = finish(builder, equal_at="archive", met=True, platforms=[])
    written = "".join(json.chunks(report))
    assert standard.dumps(standard.loads(written), indent=2) + "\n" == written
    VALIDATOR.validate(standard.loads(written))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema",), "sxdiff-report/2"),
        (("more",), 1),
        (("equal_at",), "almost"),
        (("options", "require"), "everything"),
        (("options", "Bad Key"), 1),
        (("inputs", 0, "side"), "b"),
        (("inputs", 0, "sha256"), "A" * 64),
        (("inputs", 1, "digest"), "sha256:12"),
        (("inputs", 1, "more"), 1),
        (("platforms", 0, "only_in"), "c"),
        (("platforms", 0, "a", "manifest"), "md5:" + "0" * 32),
        (("platforms", 0, "a", "layers", 0, "size"), -1),
        (("summary", "differences", "total"), 1.5),
        (("summary", "files", "more"), 1),
        (("findings", 0, "confirmed"), True),
        (("findings", 0, "evidence"), "two\nlines"),
        (("findings", 0, "references"), ["javascript:alert(1)"]),
        (("findings", 0, "differences"), []),
        (("findings", 0, "kinds", 0, "example"), "d0"),
        (("differences", 0, "id"), "1"),
        (("differences", 0, "where"), "linux/amd64"),
        (("differences", 0, "a", "at"), [1]),
        (("differences", 0, "a", "value"), 1.5),
        (("differences", 0, "a", "more"), 1),
        (("differences", 0, "explained"), True),
        (("differences", 0, "causes"), ["named"]),
        (("problems", 0, "message"), ""),
        (("accepted",), [{}]),
    ],
    ids=str,
)
def test_the_schema_refuses_what_is_damaged(
    document: dict[str, Any], place: tuple[str | int, ...], value: object
) -> None:
    damaged: Any = copy.deepcopy(document)
    *way, last = place
    inner = damaged
    for step in way:
        inner = inner[step]
    inner[last] = value
    assert not VALIDATOR.is_valid(damaged)


def test_the_schema_misses_no_missing_key(document: dict[str, Any]) -> None:
    for key in document:
        assert not VALIDATOR.is_valid({name: document[name] for name in document if name != key})


def test_every_view_follows_from_the_json_alone(full_report: Report, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("".join(json.chunks(full_report)), "utf-8")
    with reading(str(tmp_path / "r.json"), str(tmp_path)) as again:
        assert "".join(json.chunks(again)) == "".join(json.chunks(full_report))
        assert [*text.chunks(again, verbose=True)] == [*text.chunks(full_report, verbose=True)]
        assert "".join(html.chunks(again)) == "".join(html.chunks(full_report))


def test_what_is_not_json_is_refused(builder: ReportBuilder, finish: Callable[..., Report]) -> None:
    with pytest.raises(TypeError, match="float"):
        "".join(json.chunks(finish(builder, options={"require": 0.5})))


_PROGRAM = """
import sys, tempfile
from sxdiff.model import Difference, Value
from sxdiff.report import html, json, text
from sxdiff.report.build import ReportBuilder
with tempfile.TemporaryDirectory() as spool, ReportBuilder(spool) as builder:
    for name in ("x", "y", "z"):
        for kind in ("k.b", "k.a", "k.c"):
            builder.add((name, "f"), "f", Difference(kind, Value(1), Value(2)), "f", True)
    platforms = [
        {"platform": name, "image": None, "equal_at": "nothing",
         "only_in": only, "a": None, "b": None}
        for name, only in (("y", None), ("x", "b"), ("z", None))
    ]
    report = builder.finish(
        options={"require": None}, inputs=[], equal_at="nothing", met=False, platforms=platforms,
        files={"compared": 3, "differing": 3, "only_in_a": 0, "only_in_b": 0},
    )
    for module in (json, text, html):
        sys.stdout.writelines(module.chunks(report))
"""


def test_the_same_bytes_for_any_hash_seed_zone_and_locale() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("77", "America/Lima"))
    }
    assert len(outputs) == 1
