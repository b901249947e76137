"""The verdict as an in-toto Statement (version 1), for tools that sign it.

It states: these two images were compared, and they are equal this far. The in-toto Attestation
Framework, v1: "Statement" and "ResourceDescriptor". docs/report.md describes the predicate.
"""

import json
from collections.abc import Iterator
from typing import Final

from sxdiff.model import InputError
from sxdiff.report import words
from sxdiff.report.build import Report
from sxdiff.wire import JsonObject

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "urn:sxdiff:comparison-1"
"""The type of the predicate. Version 1 only ever gains keys."""


def chunks(report: Report) -> Iterator[str]:
    """The statement, with sorted keys. Raises `InputError` where a side has no digest that could be
    stated: a directory that is no image."""
    header = report.header
    subject = [one for side in "ab" for one in _subject(side, header)]
    statement = {
        "_type": STATEMENT,
        "subject": subject,
        "predicateType": PREDICATE,
        "predicate": _predicate(report),
    }
    # ASCII alone: names may hold what acts where it is printed
    yield json.dumps(statement, indent=2, sort_keys=True) + "\n"


def _subject(side: str, header: JsonObject) -> Iterator[JsonObject]:
    """What a side is known by: the digest of each platform's manifest, or of its config where it
    has no manifest, or else that of the file."""
    found = False
    for one in header["platforms"]:
        image = one[side] or {}
        digest = image.get("manifest") or image.get("config")
        if digest:
            algorithm, value = digest.split(":", 1)
            found = True
            yield {"name": f"{side}: {words.platform_name(one)}", "digest": {algorithm: value}}
    given = next(one for one in header["inputs"] if one["side"] == side)
    if not found and given["sha256"]:
        yield {"name": f"{side}: {given['name']}", "digest": {"sha256": given["sha256"]}}
    elif not found:
        raise InputError(f"nothing to attest: {given['name']} is a directory without digests")


def _predicate(report: Report) -> JsonObject:
    header = report.header
    return {
        "tool": header["tool"],
        "options": header["options"],
        "equal_at": header["equal_at"],
        "met": header["met"],
        "inputs": [
            {key: one[key] for key in ("side", "name", "form", "sha256", "digest")}
            for one in header["inputs"]
        ],
        "platforms": [
            {
                "platform": one["platform"],
                "image": one["image"],
                "equal_at": one["equal_at"],
                "only_in": one["only_in"],
                **{side: _digests(one[side]) for side in "ab"},
            }
            for one in header["platforms"]
        ],
        "summary": header["summary"],
        "findings": [
            {
                "cause": one["cause"],
                "confirmed": one["confirmed"],
                "differences": len(one["differences"]),
                "files": one["files"],
            }
            for one in header["findings"]
        ],
        "accepted": [
            {key: one.get(key) for key in ("cause", "path", "reason", "expires", "expired")}
            for one in header.get("accepted") or []
        ],
        "problems": len(header["problems"]),
    }


def _digests(side: JsonObject | None) -> JsonObject | None:
    return side and {"manifest": side["manifest"], "config": side["config"]}
