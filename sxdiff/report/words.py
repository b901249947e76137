"""What all views say alike: the verdict in plain words, counts, places and values.

Texts are given as they are; a view escapes them (`report.escape`) where it prints them.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sxdiff.model import RUNGS
from sxdiff.wire import JsonObject

STEP: Final = " › "  # noqa: RUF001 - the mark between two steps of a route, on purpose not ">"

_SAME: Final = {
    "archive": "the two inputs are the same, byte for byte",
    "index": "the image index has the same digest",
    "manifest": "every platform's image manifest has the same digest",
    "config": "every platform's config and unpacked layers are the same",
    "rootfs": "every path is the same, with its metadata and content",
    "contents": "every path has the same type and content",
    "nothing": "nothing was asked to be equal",
}
_DIFFERS: Final = {
    "archive": "",
    "index": "Only the transport around the index differs.",
    "manifest": "Only the index or its attestations differ, not what is signed.",
    "config": "Only packaging differs: compression, media types or annotations.",
    "rootfs": "The files are equal; layering, tar encoding or image config differ.",
    "contents": "File contents are equal; times, owners, modes or other metadata differ.",
    "nothing": "Files differ in content or type, or are on one side only.",
}
_TIME = re.compile(r"(?:^|[._])(?:[abcm]?time|date|timestamp)$")
_SECONDS = re.compile(r"(\d{1,12})(\.\d+)?")


def verdict(header: JsonObject) -> str:
    """The verdict and the rung asked for, as the first line says it."""
    rung, asked = header["equal_at"], header["options"].get("require")
    gate = header["summary"].get("gate")
    if header["met"] and not _is_below(rung, asked):
        return f"equal at {rung}: {_SAME[rung]}"
    differ = "differ: equal at nothing" if rung == "nothing" else f"differ: equal only at {rung}"
    if header["met"] and not gate:  # of several reports
        return f"{differ}; met at {asked}: what differs is accepted"
    if header["met"]:
        every = "all " if 1 < gate["accepted"] == _roots(header) else ""
        return f"{differ}; met at {asked}: {every}{count(gate['accepted'], 'difference')} accepted"
    ask = f" ({asked} asked for)" if asked else ""
    left = gate["unaccepted"] if gate and gate["accepted"] else 0
    return f"{differ}{ask}" + (f"; {left:,} not accepted" if left else "")


def accepted(header: JsonObject) -> list[str]:
    """What can't be accepted where the images do not meet, then the rules, a line each: first
    those that accepted nothing. The reports of comparisons that accept nothing have none."""
    gate = header["summary"].get("gate")
    never = gate["never"] if gate and not header["met"] else []
    rules = sorted(header["accepted"], key=lambda rule: rule["differences"] > 0)
    return [*(f"can't be accepted: {one}" for one in never), *map(_acceptance, rules)]


def _acceptance(rule: JsonObject) -> str:
    if rule["source"] == "baseline":
        gone = f"; {rule['gone']:,} gone since" if rule.get("gone") else ""
        return f"{places(rule['differences'], rule['files'])} {rule['reason']}{gone}"
    name = f"{rule['cause']}:{rule['path']}" if rule["path"] is not None else rule["cause"]
    if rule["expired"]:
        return f"expired on {rule['expires']}, accepts nothing: {name} ({rule['reason']})"
    if not rule["differences"]:
        return f"accepted nothing: {name} ({rule['reason']})"
    return f"accepted {places(rule['differences'], rule['files'])}: {name} ({rule['reason']})"


def _is_below(rung: str, asked: str | None) -> bool:
    return asked is not None and RUNGS.index(rung) > RUNGS.index(asked)


def _roots(header: JsonObject) -> int:
    differences = header["summary"]["differences"]
    return int(differences["total"] - differences["derived"])


def meaning(header: JsonObject) -> str:
    """What differs in spite of the rung that holds; empty where nothing does."""
    alone = [one for one in header["platforms"] if one["only_in"]]
    if alone and header["equal_at"] == "nothing":
        # what both sides have may well be equal
        noun = "image" if any(one["image"] is not None for one in alone) else "platform"
        verb = "is" if len(alone) == 1 else "are"
        return f"{count(len(alone), noun)} {verb} on one side only."
    return _DIFFERS[header["equal_at"]]


def counterfactual(header: JsonObject) -> str:
    """How equal the images would be without what is explained; empty where that is nothing new."""
    would = header["summary"]["counterfactual"]
    explained = header["summary"]["differences"]["explained"]
    if not explained or RUNGS.index(would["equal_at"]) >= RUNGS.index(header["equal_at"]):
        return ""
    seen = "verified byte by byte" if would["verified"] else "not verified byte by byte"
    return f"Without what is explained: equal at {would['equal_at']}, {seen}."


def places(number: int, files: int) -> str:
    """How many differences there are, and in how many files."""
    told = count(number, "difference")
    return f"{told} in {count(files, 'file')}" if files else told


def varied(finding: JsonObject) -> str:
    """The values of the evidence, without how often they are there; all of it where that is all."""
    evidence = str(finding["evidence"])
    often = places(len(finding["differences"]), finding["files"])
    return evidence.removesuffix(f": {often}")


def platform_name(platform: JsonObject) -> str:
    """The platform, with the image's name where an archive holds several."""
    name, image = platform["platform"], platform["image"]
    return f"{name} ({image})" if image else str(name)


def digests(platform: JsonObject) -> tuple[str | None, str | None]:
    """Both manifest digests: what maintainers sign."""
    a, b = ((platform[side] or {}).get("manifest") for side in "ab")
    return a, b


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(number: int) -> str:
    """Bytes for a person: exact below 10,000, then with three figures."""
    if number < 10_000:
        return count(number, "byte")
    if number >= 10**15:
        return f"{number // 10**12:,} TB"
    units = iter(("kB", "MB", "GB", "TB"))
    value, unit = number / 1000, next(units)
    while value >= 999.5 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:,.0f} {unit}" if value >= 99.95 else f"{value:.3g} {unit}"


def common(a: Sequence[object], b: Sequence[object]) -> int:
    """How many items the two begin with alike."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((index for index, (x, y) in pairs if x != y), min(len(a), len(b)))


def place(told: JsonObject, header: JsonObject) -> str:
    """Where a difference or problem is; a platform that is the only one goes without saying."""
    where = told["where"]
    platforms = header["platforms"]
    if len(platforms) == 1:
        top = [one for one in (platforms[0]["image"], platforms[0]["platform"]) if one is not None]
        if where[: len(top)] == top and len(where) > len(top):
            where = where[len(top) :]
    return STEP.join(where)


def side(difference: JsonObject, name: str) -> str:
    """One side's value in words, a date beside a time."""
    value = difference[name]
    if value is None:
        return "(absent)"
    shown = value["value"]
    if shown is None:
        shown = value["excerpt"]
    if shown is None:
        known = [size(value["size"])] if value.get("size") is not None else []
        known += [value["digest"]] if value.get("digest") else []
        return f"({', '.join(known)})" if known else "(no value)"
    if isinstance(shown, bool):
        return "true" if shown else "false"
    if isinstance(shown, str) and difference["kind"].endswith(".order"):
        return shown.replace("\n", ", ")
    date = date_of(difference["kind"], shown)
    return f"{shown} ({date})" if date else str(shown)


def changes(difference: JsonObject) -> tuple[str, str] | None:
    """The first line that went and the first that came, where there is a unified diff."""
    went = came = None
    for line in (difference["diff"] or "").splitlines():
        if went is None and line.startswith("-") and not line.startswith("--- "):
            went = line[1:]
        elif came is None and line.startswith("+") and not line.startswith("+++ "):
            came = line[1:]
        if went is not None and came is not None:
            break
    if went == came:  # a line that moved: the values say more
        return None
    return ("(absent)" if went is None else went, "(absent)" if came is None else came)


def both(difference: JsonObject, most: int) -> tuple[str, str]:
    """Both sides in a line each, of at most so many characters: cut to where they part."""
    a, b = changes(difference) or (side(difference, "a"), side(difference, "b"))
    start = 0
    if max(len(a), len(b)) > most:
        start = max(0, common(a, b) - most // 3)
    if start:
        a, b = f"…{a[start:]}", f"…{b[start:]}"
    a, b = (one if len(one) <= most else f"{one[: most - 1]}…" for one in (a, b))
    return a, b


def shortened(text: str, most: int) -> str:
    """At most so many characters; of a longer text both ends, for of a path the end says most."""
    if len(text) <= most:
        return text
    tail = (most - 1) * 2 // 3
    return f"{text[: most - 1 - tail]}…{text[-tail:]}"


def date_of(kind: str, value: str | int) -> str | None:
    """The UTC date of a value that its kind says is a time in seconds since 1970."""
    seconds = _SECONDS.fullmatch(str(value)) if _TIME.search(kind) else None
    if seconds is None:
        return None
    moment = int(seconds[1])
    if moment > 253_402_300_799:  # the last second of the year 9999
        return None
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def marks(difference: JsonObject) -> list[str]:
    """What else is known of a difference, each in a few words."""
    told = []
    if difference["count"] > 1:
        told.append(f"{difference['count']:,} alike")
    if difference["similarity"] not in (None, 100):
        told.append(f"{difference['similarity']} % of the content is alike")
    if difference["symbol"]:
        told.append(f"in {difference['symbol']}")
    if difference["source"]:
        told.append(f"from {difference['source']}")
    if difference["derived"]:
        roots = ", ".join(difference["derived_from"])
        told.append(f"follows from {roots}" if roots else "derived")
    if not difference["visible"]:
        told.append("hidden by an upper layer")
    if difference["causes"]:
        told.append(f"cause: {', '.join(difference['causes'])}")
    if difference.get("accepted"):
        told.append("accepted")
    if difference["suspect"]:
        told.append(f"looks like {difference['suspect']}, not proved")
    return told
