"""A report that is read back may be any file: it is shown, or refused in a line."""

import copy
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fixtures.recipes import CASES
from sxdiff.model import InputError
from sxdiff.report.forms import FORMS, Manner
from sxdiff.report.json import chunks
from sxdiff.report.merge import Merger
from sxdiff.report.read import reading
from sxdiff.report.schema import check_of, report_schema
from tests.sample import so_many

EARLIER = Path(__file__).parent / "earlier"
REPORTS = Path(__file__).parent.parent.parent / "reports"
VALIDATOR = jsonschema.Draft202012Validator(report_schema())
NAMES = ("multi-arch-one-differs", "stagex-shaped", "added-file")


def shown(path: Path, *names: str) -> dict[str, str]:
    """The report of a file in all forms, or in those of the names."""
    forms = [form for form in FORMS if not names or form.name in names]
    with tempfile.TemporaryDirectory() as spool, reading(str(path), spool) as report:
        return {form.name: "".join(form.write(report, Manner(verbose=True))) for form in forms}


def refusal(path: Path, content: str | bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as refused:
        shown(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message.removeprefix(f"{path}: ")


def golden(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((REPORTS / name / "report.json").read_text("utf-8"))
    return document


def several() -> dict[str, Any]:
    """A report of several images."""
    with tempfile.TemporaryDirectory() as spool, Merger(spool) as merger:
        for name in ("added-file", "gzip-level"):
            with reading(str(REPORTS / name / "report.json"), spool) as report:
                merger.add(name, report)
        document: dict[str, Any] = json.loads("".join(chunks(merger.finish())))
        return document


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_written_is_read_back_as_it_was(case: Any) -> None:
    path = REPORTS / case.name / "report.json"
    told = shown(path, "json", "text")
    assert told["json"] == path.read_text("utf-8")
    assert told["text"] == (path.parent / "report.txt").read_text("utf-8")


def test_order_and_layout_of_the_json_do_not_matter(tmp_path: Path) -> None:
    document = golden("added-file")
    path = tmp_path / "r.json"
    expected = shown(REPORTS / "added-file" / "report.json")
    # as another program may write it: keys sorted, escapes, no white space, whole numbers as 1.0
    told = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    for text in (told, told.replace('"bytes":4', '"bytes":4.0'), "\n\t " + told + "\r\n "):
        path.write_text(text)
        again = shown(path)
        assert again["text"] == expected["text"]
        assert json.loads(again["json"]) == document


@pytest.mark.parametrize("name", ["first", "before-claims"])
def test_reports_of_earlier_versions_are_shown_in_every_form(name: str) -> None:
    told = shown(EARLIER / f"{name}.json")
    assert "usr/share/only-in-b" in told["text"]
    assert "usr/share/only-in-b" in told["html"]
    document = json.loads(told["json"])
    VALIDATOR.validate(document)
    (finding,) = document["findings"]
    assert (finding["files"], finding["why"], finding["suspects"]) == (1, "", [])
    assert {one["count"] for one in document["differences"]} == {1}
    # the least that is true
    assert document["summary"]["counterfactual"] == {"equal_at": "nothing", "verified": False}
    now = golden("added-file")
    assert [*document["findings"][0]] == [*now["findings"][0]]
    assert [*document["differences"][0]] == [*now["differences"][0]]
    assert [*document] == [*now]


def test_what_is_no_report_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    text = (REPORTS / "added-file" / "report.json").read_text("utf-8")
    assert refusal(tmp_path / "none.json") == "No such file or directory"
    assert refusal(path, "") == "is not JSON: it is empty"
    assert refusal(path, b"\xff" + text.encode()).startswith("is not JSON: it is not UTF-8")
    assert refusal(path, text.encode("utf-16")).startswith("is not JSON: it is not UTF-8")
    for other in ("{}", "[]", "null", '{"schema": 1}', '{"schema": "other/1"}', '"schema"'):
        assert refusal(path, other) == "is not a report of sxdiff (sxdiff-report/1)"
    later = text.replace("sxdiff-report/1", "sxdiff-report/2")
    assert refusal(path, later) == "is a report of sxdiff-report/2: it needs a newer sxdiff"
    assert refusal(path, text + "{}").startswith("is not JSON: Extra data (character ")
    assert refusal(path, text.replace("{", '{"schema": "sxdiff-report/1", ', 1)) == (
        "has the key schema twice"
    )
    for constant in ("NaN", "Infinity", "-Infinity"):
        told = refusal(path, text.replace('"bytes": 4', f'"bytes": {constant}'))
        assert told == f"is not JSON: {constant} is no value"
    for number in ("9" * 301, "9" * 5000, "1e300", "-1e999"):
        told = refusal(path, text.replace('"bytes": 4', f'"bytes": {number}'))
        assert told == "has a number that is too large"
    for half in (r"\ud800", r"\uDFFFx", r"\udc00\ud800"):
        told = refusal(path, text.replace('"title": "D', f'"title": "{half}'))
        assert told == "has a text with half a character in it"
    for deep in ("[" * 100_000, '{"a":' * 100_000):
        for place in ('"problems": [', '"differences": ['):
            assert "too deep" in refusal(path, text.replace(place, place + deep))


def test_a_newer_version_is_named_where_the_report_says_more(tmp_path: Path) -> None:
    document = golden("added-file")
    document["tool"]["version"] = "7.8.9"
    document["findings"][0]["mood"] = "good"
    told = refusal(tmp_path / "r.json", json.dumps(document))
    assert "findings/1 has an unknown key 'mood'; sxdiff 7.8.9 made it, this is " in told
    # nothing of the file acts on a terminal
    document["tool"]["version"] = "\x1b[2J\u202e" * 99
    assert "\x1b" not in refusal(tmp_path / "r.json", json.dumps(document))


def test_ids_that_are_named_are_there_once(tmp_path: Path) -> None:
    path = tmp_path / "r.json"

    def damaged(change: Any) -> str:
        document = golden("multi-arch-one-differs")
        change(document)
        assert VALIDATOR.is_valid(document)
        return refusal(path, json.dumps(document))

    count = len(golden("multi-arch-one-differs")["differences"])
    more = f"d{count + 1}"
    absent = f"is not a report of sxdiff: there is no difference {more}"
    assert damaged(lambda one: one["findings"][0]["differences"].append(more)) == absent
    assert damaged(lambda one: one["findings"][0]["kinds"][0].update(example=more)) == absent
    assert damaged(lambda one: one["differences"][0].update(derived_from=[more])) == absent
    huge = "d1" + "0" * 5000
    assert "there is no difference" in damaged(
        lambda one: one["findings"][0]["differences"].append(huge)
    )
    assert damaged(lambda one: one["differences"].pop(0)) == "difference 1 has the id d2"
    assert (
        damaged(lambda one: one["differences"][1].update(id="d1")) == "difference 2 has the id d1"
    )
    assert damaged(lambda one: one["differences"][1].update(where=[])) == (
        "difference 2 is out of order"
    )


def test_causes_have_their_findings(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    document = golden("stagex-shaped")
    gone = document["findings"].pop()["cause"]
    absent = f"is not a report of sxdiff: there is no finding {gone}"
    assert refusal(path, json.dumps(document)) == absent
    document = several()
    document["images"][0]["causes"] = ["no-such-cause"]
    assert refusal(path, json.dumps(document)).endswith("there is no finding no-such-cause")


def test_a_text_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    data = (EARLIER / "first.json").read_bytes().rstrip()
    for size in range(0, len(data), 37):
        refusal(path, data[:size])
    refusal(path, data[:-1])


def test_pieces_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (EARLIER / "first.json").read_text("utf-8")
    path = tmp_path / "r.json"
    path.write_text(
        text.replace('"bytes": 4', '"bytes": 123456789').replace("D", "\\u00fc\\ud83d\\ude00")
    )
    expected = shown(path)
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr("sxdiff.report.read._PIECE", size)
        assert shown(path) == expected


VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**70, 1.5, "", "d1", "d99", "x", "sha256:12", "nothing", "a",
    [], {}, [1], ["x", "x"], [{}], {"a": 1}, [[], []], [1, True], "\u202e\x1b", "a\nb",
    "unexplained",
)  # fmt: skip


def mutated(document: Any, chance: random.Random) -> Any:
    """The document with one thing changed somewhere in it."""
    document = copy.deepcopy(document)
    place, way = document, [document]
    while isinstance(place, dict | list) and place and (len(way) < 2 or chance.random() < 0.85):
        keys = [*place] if isinstance(place, dict) else [*range(len(place))]
        way.append(place)
        key = chance.choice(keys)
        last, place = (place, key), place[key]
    holder, key = last
    what = chance.randrange(5)
    if what == 0:
        del holder[key]
    elif what == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(chance.choice(holder)))
    elif what == 2 and isinstance(holder, dict):
        holder[chance.choice(["more", "A", "", "images", "files", "count"])] = chance.choice(VALUES)
    elif what == 3 and isinstance(place, str):
        holder[key] = chance.choice(
            [place.upper(), place + "\n", place + "0", place[1:], f" {place}"]
        )
    else:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    return document


def mutations(documents: list[Any], number: int, seed: int) -> Iterator[Any]:
    chance = random.Random(seed)
    for _ in range(number):
        document = mutated(chance.choice(documents), chance)
        yield mutated(document, chance) if chance.random() < 0.2 else document


def test_the_checker_says_what_jsonschema_says() -> None:
    check = check_of(report_schema(), report_schema())
    said = {True: 0, False: 0}
    documents = [*map(golden, NAMES), several()]
    for document in documents:
        del document["differences"][5:]  # it takes its time
    for document in mutations(documents, so_many(800, 2500), 1):
        valid = VALIDATOR.is_valid(document)
        assert (check(document) is None) == valid, json.dumps(document)
        said[valid] += 1
    assert min(said.values()) > 30  # both happen


def test_a_damaged_report_is_shown_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    said = {True: 0, False: 0}
    documents = [*map(golden, ("added-file", "gzip-level", "stagex-shaped")), several()]
    for document in mutations(documents, 500, 2):
        path.write_text(json.dumps(document))
        try:
            shown(path)
        except InputError as error:
            assert "\n" not in str(error)
            said[False] += 1
        else:
            assert VALIDATOR.is_valid(document)
            said[True] += 1
    assert min(said.values()) > 30


def test_a_schema_that_says_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="multipleOf"):
        check_of({"multipleOf": 2}, {})
