"""The report as SARIF 2.1.0 (OASIS), which code scanning of forges and editors read.

Rules are the findings, results are what a finding has in a file. Section numbers are of SARIF.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import quote

from sxdiff.model import bytes_of
from sxdiff.report import markdown, words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.keys import storable
from sxdiff.report.places import LEVELS, Place, places
from sxdiff.wire import JsonObject

RESULTS_TOLD: Final = 5000
"""As many as code scanning shows of a run, the ones that matter most first."""

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT = "ROOTFS"
_VALUE_CHARACTERS = 300
_PROBLEMS_TOLD = 1000
_SEVERITIES = {"error": "error", "warning": "warning", "note": "recommendation"}


def chunks(report: Report, *, limit: int = RESULTS_TOLD) -> Iterator[str]:
    """The log of one run. The same report gives the same bytes."""
    yield json.dumps(_log(report, limit), indent=2) + "\n"


def _log(report: Report, limit: int) -> JsonObject:
    header = report.header
    results, left_out = _results(report, limit)
    run = {
        "tool": {
            "driver": {
                "name": header["tool"]["name"],
                "version": header["tool"]["version"],
                "rules": [_rule(one, header["met"]) for one in header["findings"]],
            }
        },
        # 3.17.3: a category, which parts several comparisons of one workflow; it ends with a slash
        "automationDetails": {
            "id": "/".join(["sxdiff", *(_quoted(one["name"]) for one in header["inputs"]), ""])
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "exitCode": 0 if header["met"] else 1,
                "exitCodeDescription": escape(words.verdict(header)),
                "toolExecutionNotifications": [*_notifications(header, left_out)],
            }
        ],
        "originalUriBaseIds": {
            _ROOT: {"description": _message("The root file system of the images.")}
        },
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {
            "equalAt": header["equal_at"],
            "met": header["met"],
            "resultsLeftOut": left_out,
            "summary": header["summary"],
        },
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(finding: JsonObject, met: bool) -> JsonObject:
    """3.49: a cause, with what to change; nothing of it is markup of ours but in `markdown`."""
    title, why, fix = finding["title"], finding.get("why", ""), finding["fix"]
    level = "note" if met else "warning" if finding["confirmed"] else "error"
    told = [(name, text) for name, text in (("Why", why), ("Fix", fix)) if text]
    plain = "\n".join(f"{name}: {escape(text)}" for name, text in told)
    rich = "\n\n".join(f"**{name}:** {markdown.prose(text)}" for name, text in told)
    steps = escape(finding["cause"]).split("-")
    rule: JsonObject = {
        "id": escape(finding["cause"]),
        "shortDescription": {"text": escape(title)},
        "fullDescription": {"text": escape(why or title)},
        "help": {
            "text": plain or escape(title),
            "markdown": rich or markdown.prose(title),
        },
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": [escape(finding["family"])],
            "precision": "very-high" if finding["confirmed"] else "medium",
            "problem.severity": _SEVERITIES[level],
        },
    }
    if len(steps) > 1:  # 3.49.7: a name that is the same as the id says nothing
        rule["name"] = "".join(map(str.capitalize, steps))
    links = [one for one in finding["references"] if markdown.LINK.fullmatch(one)]
    return rule | ({"helpUri": links[0]} if links else {})


def _results(report: Report, limit: int) -> tuple[list[JsonObject], int]:
    """The results that matter most, at most so many, and how many more there are."""
    header = report.header
    rules = {one["cause"]: index for index, one in enumerate(header["findings"])}
    found: dict[str, list[JsonObject]] = {level: [] for level in LEVELS}
    number = 0
    for place in places(report):
        number += 1
        level = place.level(header)
        if len(found[level]) < limit:
            found[level].append(_result(place, level, rules[place.cause], header))
    kept = [one for level in LEVELS for one in found[level]][:limit]
    return kept, number - len(kept)


def _result(place: Place, level: str, rule: int, header: JsonObject) -> JsonObject:
    first = place.first
    a, b = words.both(first, _VALUE_CHARACTERS)
    number = words.count(place.differences, "difference")
    kind = f"{number}, as {first['kind']}" if place.differences > 1 else first["kind"]
    where = words.shortened(words.place(first, header), _VALUE_CHARACTERS)
    identity = json.dumps([place.cause, *place.where])
    result: JsonObject = {
        "ruleId": escape(place.cause),
        "ruleIndex": rule,
        "level": level,
        "message": _message(f"{kind} in {where}: {a} / {b}"),
        "locations": [
            {
                "physicalLocation": _file(place, header),
                "logicalLocations": [*_logical(first["where"])],
            }
        ],
        "partialFingerprints": {"sxdiffPlace/v1": hashlib.sha256(identity.encode()).hexdigest()},
        "occurrenceCount": place.differences,
        "properties": {
            "kind": escape(first["kind"]),
            "visible": first["visible"],
            "at": {name: (first[name] or {}).get("at") for name in "ab"},
        },
    }
    if place.accepted == place.differences:
        result["suppressions"] = [_suppression(place.cause, header)]
    return result


def _suppression(cause: str, header: JsonObject) -> JsonObject:
    """3.35: accepted, with the reason where only one was given for the cause."""
    reasons = [one for one in header.get("accepted") or [] if one.get("cause") == cause]
    suppression = {"kind": "external", "status": "accepted"}
    if len(reasons) == 1 and reasons[0].get("reason"):
        suppression["justification"] = escape(reasons[0]["reason"])
    return suppression


def _file(place: Place, header: JsonObject) -> JsonObject:
    """3.29: the file in the root file system; above files the image, which is the input."""
    if place.path is None:
        return {"artifactLocation": {"uri": _quoted(header["inputs"][0]["name"])}}
    # a relative reference must not begin like a host (RFC 3986, 4.2)
    uri = quote(bytes_of(storable(place.path))).lstrip("/") or "."
    location = {"uri": uri, "uriBaseId": _ROOT}
    region = _region(place)
    return {"artifactLocation": location} | ({"region": region} if region else {})


def _quoted(name: str) -> str:
    return quote(storable(name), "")


def _region(place: Place) -> JsonObject:
    """3.30: where in the file, as far as its own bytes are meant: not a stream inside of it, nor
    its header in the layer."""
    first = place.first
    side = first["a"] or first["b"] or {}
    if first["where"] != place.where or first["kind"].startswith("tar."):
        return {}
    if side.get("line"):
        return {"startLine": side["line"]}
    if not side.get("at"):
        return {}
    offset, length = side["at"]
    return {"byteOffset": offset, "byteLength": length}


def _logical(where: list[str]) -> Iterator[JsonObject]:
    """3.33: the way through the images, innermost first."""
    for depth in range(len(where), 0, -1):
        name = words.STEP.join(where[:depth])
        yield {"name": escape(where[depth - 1]), "fullyQualifiedName": escape(name)}


def _notifications(header: JsonObject, left_out: int) -> Iterator[JsonObject]:
    """3.58: trouble that did not end the run, and what this log does not tell."""
    problems = header["problems"]
    for one in islice(problems, _PROBLEMS_TOLD):
        where = words.place(one, header)
        text = f"{one['kind']}: {one['message']}; {one['resolution']}"
        text = f"{text} (in {where})" if where else text
        yield {"level": "warning", "message": _message(words.shortened(text, 1000))}
    more = max(0, len(problems) - _PROBLEMS_TOLD)
    for number, noun in ((more, "more problem"), (left_out, "more result")):
        if number:
            text = f"{words.count(number, noun)} left out here; the JSON report tells all."
            yield {"level": "warning", "message": _message(text)}


def _message(text: str) -> JsonObject:
    """3.11: text without placeholders (braces are doubled) and without embedded links."""
    shown = escape(text).replace("](", r"]\u{28}")
    return {"text": shown.replace("{", "{{").replace("}", "}}")}
