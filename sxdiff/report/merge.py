"""Makes one report of several: the packages of a distribution, each compared with its rebuild.

Each report becomes an image of the merged one, of the report's name: the first step of its routes,
as where an archive holds several images. So every view of a report is one of a merged report too.
Differences go to disk as they come, so that memory does not grow with them.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sxdiff import __version__
from sxdiff.model import RUNGS
from sxdiff.report import words
from sxdiff.report.build import Report, Rows, disk
from sxdiff.report.findings import MOST_BINDINGS, UNEXPLAINED
from sxdiff.report.images import count_images
from sxdiff.report.keys import key_of
from sxdiff.wire import JsonObject

FORM: Final = "merged"
"""Stands for the form of the inputs in a merged report."""

MOST_FIXES: Final = 3
"""Fixes of one cause that are told where it has several, by producer."""

_SCHEMA: Final = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE difference (key BLOB, report INTEGER, number INTEGER, body TEXT,
    PRIMARY KEY (key, report, number)) WITHOUT ROWID;
CREATE TABLE place (cause TEXT, report INTEGER, number INTEGER,
    PRIMARY KEY (cause, report, number)) WITHOUT ROWID;
BEGIN;
"""
_RANKING: Final = """
CREATE TABLE rank (report INTEGER, number INTEGER, rank INTEGER,
    PRIMARY KEY (report, number)) WITHOUT ROWID;
INSERT INTO rank SELECT report, number, row_number() OVER (ORDER BY key, report, number)
    FROM difference;
"""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def names_of(paths: Sequence[str]) -> list[str]:
    """A name for the report in each file: that of the file, with its directory where they clash."""
    names = [_stem(path) for path in paths]
    clash = [name for name in names if names.count(name) > 1]
    for at, path in enumerate(paths):
        if names[at] in clash:
            parent = os.path.basename(os.path.dirname(os.path.abspath(path)))
            names[at] = f"{parent}/{names[at]}" if names[at] != "report" else parent
    told: list[str] = []
    for name in names:
        number = 1
        while (unique := name if number == 1 else f"{name} ({number})") in told:
            number += 1
        told.append(unique)
    return told


def _stem(path: str) -> str:
    name = os.path.basename(path)
    stem = name.removesuffix(".json")
    return stem.removesuffix("-report") or stem or name


@dataclass(slots=True)
class _Finding:
    """One cause over all reports. Its words are those of the first that has it."""

    first: JsonObject
    differences: int = 0
    files: int = 0
    bytes: int = 0
    consequences: int = 0
    platforms: set[str] = field(default_factory=set)
    varied: dict[str, int] = field(default_factory=dict)
    fixes: dict[str, None] = field(default_factory=dict)
    references: dict[str, None] = field(default_factory=dict)
    suspects: dict[str, JsonObject] = field(default_factory=dict)
    kinds: dict[str, JsonObject] = field(default_factory=dict)

    def add(self, one: JsonObject, report: int) -> None:
        self.differences += len(one["differences"])
        self.files += one["files"]
        self.bytes += one["bytes"]
        self.consequences += one["consequences"]
        self.platforms.update(one["platforms"])
        varied = words.varied(one)
        if varied != words.places(len(one["differences"]), one["files"]):
            self.varied[varied] = self.varied.get(varied, 0) + 1
        if one["fix"]:
            self.fixes[one["fix"]] = None
        self.references.update(dict.fromkeys(one["references"]))
        for suspect in one["suspects"]:
            known = self.suspects.setdefault(suspect["cause"], suspect | {"differences": 0})
            known["differences"] += suspect["differences"]
        for kind in one["kinds"]:
            example = (report, int(kind["example"][1:]))
            counts = {"differences": 0, "files": 0, "bytes": 0, "example": example}
            known = self.kinds.setdefault(kind["kind"], {"kind": kind["kind"]} | counts)
            for key in ("differences", "files", "bytes"):
                known[key] += kind[key]

    def evidence(self) -> str:
        often = words.places(self.differences, self.files)
        ranked = sorted(self.varied.items(), key=lambda item: (-item[1], item[0]))
        told = [
            f"{values} ({words.count(many, 'image')})" if len(ranked) > 1 else values
            for values, many in ranked[:MOST_BINDINGS]
        ]
        if len(ranked) > MOST_BINDINGS:
            told.append(f"and {len(ranked) - MOST_BINDINGS:,} more")
        return f"{', '.join(told)}: {often}" if told else often

    def fix(self) -> str:
        return "; or: ".join([*self.fixes][:MOST_FIXES])


class Merger:
    """Takes reports one after the other, each under a name of its own, gives the merged one.

    The merged report reads from the merger's file, so the merger is closed after the report's use.
    """

    def __init__(self, directory: str) -> None:
        self._path = os.path.join(directory, "merged.sqlite3")
        self._count = 0
        self._differences = 0
        self._options: list[JsonObject] = []
        self._names: list[tuple[str, ...]] = []
        self._size = 0
        self._rung = RUNGS[0]
        self._would_be = RUNGS[0]
        self._met = self._verified = True
        self._platforms: list[JsonObject] = []
        self._images: list[JsonObject] = []
        self._summary: dict[str, dict[str, int]] = {}
        self._findings: dict[str, _Finding] = {}
        self._examples: dict[tuple[int, int], JsonObject] = {}
        self._accepted: list[JsonObject] = []
        self._problems: list[JsonObject] = []
        with disk(self._path):
            self._database = sqlite3.connect(self._path, isolation_level=None)
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "Merger":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def add(self, name: str, report: Report, only_in: str | None = None) -> None:
        """Takes all of a report, which is not needed afterwards. `only_in` is the side that has
        the image of this name, where the other side lacks it."""
        header = report.header
        self._count += 1
        number = self._count
        # a report of several images has each of them beside the others' images
        several = {one["image"]: f"{name}/{one['image']}" for one in header.get("images", ())}

        def moved(where: list[str]) -> list[str]:
            if where and where[0] in several:
                return [several[where[0]], *where[1:]]
            return [name, *where]

        def rows() -> Iterator[tuple[bytes, int, int, str]]:
            for at, one in enumerate(report.differences(), 1):
                where = moved(one["where"])
                yield key_of(tuple(where)), number, at, _encode(one | {"where": where})

        with disk(self._path):
            self._database.executemany("INSERT INTO difference VALUES (?, ?, ?, ?)", rows())
        for one in header["platforms"]:
            self._platforms.append(one | {"image": several.get(one["image"], name)})
        if several:
            self._images += [one | {"image": several[one["image"]]} for one in header["images"]]
        else:
            self._images.append(
                {
                    "image": name,
                    "equal_at": header["equal_at"],
                    "met": header["met"],
                    "only_in": only_in or _only_in(header["platforms"]),
                    "causes": sorted(o["cause"] for o in header["findings"] if o["confirmed"]),
                    "unexplained": header["summary"]["differences"]["unexplained"],
                }
            )
        for finding in header["findings"]:
            self._add_finding(finding, number, report, moved)
        self._accepted += header["accepted"]
        self._problems += [one | {"where": moved(one["where"])} for one in header["problems"]]
        self._sum_up(header)

    def failed(self, name: str, message: str) -> None:
        """An image that could not be compared, and why: a merged report has it all the same."""
        self._met, self._verified, self._rung = False, False, "nothing"
        self._would_be = "nothing"
        self._images.append(
            {
                "image": name,
                "equal_at": None,
                "met": False,
                "only_in": None,
                "causes": [],
                "unexplained": 0,
            }
        )
        told = {"kind": "input", "message": message, "resolution": "it was not compared"}
        self._problems.append({"where": [name], **told})

    def _add_finding(self, finding: JsonObject, number: int, report: Report, moved: Any) -> None:
        cause = finding["cause"]
        with disk(self._path):
            self._database.executemany(
                "INSERT OR IGNORE INTO place VALUES (?, ?, ?)",
                ((cause, number, int(id_[1:])) for id_ in finding["differences"]),
            )
        merged = self._findings.setdefault(cause, _Finding(finding))
        merged.add(finding, number)
        for kind in merged.kinds.values():
            of, at = kind["example"]
            if of == number:
                example = report.examples[f"d{at}"]
                self._examples[of, at] = example | {"where": moved(example["where"])}

    def _sum_up(self, header: JsonObject) -> None:
        summary = header["summary"]
        for part in ("files", "differences", "bytes"):
            sums = self._summary.setdefault(part, dict.fromkeys(summary[part], 0))
            for key, value in summary[part].items():
                sums[key] = sums.get(key, 0) + value
        would_be = summary["counterfactual"]
        self._verified &= would_be["verified"]
        self._would_be = max(self._would_be, would_be["equal_at"], key=RUNGS.index)
        self._rung = max(self._rung, header["equal_at"], key=RUNGS.index)
        self._met &= header["met"]
        self._options.append(header["options"])
        self._names.append(tuple(one["name"] for one in header["inputs"]))
        self._size += max(one["size"] for one in header["inputs"])

    def finish(self, inputs: tuple[str, str] | None = None) -> Report:
        """The merged report. `inputs` are the names of both sides; by default what the inputs
        of all reports are called, if that is the same."""
        with disk(self._path):
            self._database.execute("COMMIT")
            self._database.executescript(_RANKING)
        if inputs is None:
            same = len(set(self._names)) == 1
            count = words.count(len(self._images), "image")
            inputs = (self._names[0][0], self._names[0][1]) if same else (count, count)
        images = sorted(self._images, key=lambda one: key_of((one["image"],)))
        findings = [self._finding(cause, one) for cause, one in self._ranked()]
        count_images(findings, images)
        empty = {
            "files": ("compared", "differing", "only_in_a", "only_in_b"),
            "differences": ("total", "explained", "unexplained", "derived"),
            "bytes": ("differing", "explained", "unexplained"),
        }
        header = {
            "schema": "sxdiff-report/1",
            "tool": {"name": "sxdiff", "version": __version__},
            "options": self._common_options(),
            "inputs": [
                {
                    "side": side,
                    "name": name,
                    "form": FORM,
                    "compression": None,
                    "size": self._size,
                    "sha256": None,
                    "digest": None,
                }
                for side, name in zip("ab", inputs, strict=True)
            ],
            "equal_at": self._rung if self._images else "nothing",
            "met": self._met and bool(self._images),
            "platforms": sorted(
                self._platforms, key=lambda one: key_of((one["image"], one["platform"]))
            ),
            "images": images,
            "summary": {
                **{
                    part: self._summary.get(part, dict.fromkeys(keys, 0))
                    for part, keys in empty.items()
                },
                "counterfactual": {"equal_at": self._would_be, "verified": self._verified},
            },
            "findings": findings,
            "accepted": self._rules(),
            "problems": _each_once(self._problems),
        }
        examples = {}
        for (number, at), one in self._examples.items():
            renamed = self._renamed(number, one | {"id": f"d{at}"})
            examples[renamed["id"]] = renamed
        return Report(header, self._entries, examples)

    def _common_options(self) -> JsonObject:
        """The options of all reports, null where they are not the same in all."""
        options = self._options or [{"require": None}]
        names = dict.fromkeys(name for one in options for name in one)
        return {
            name: options[0].get(name)
            if all(one.get(name) == options[0].get(name) for one in options)
            else None
            for name in names
        }

    def _ranked(self) -> list[tuple[str, _Finding]]:
        return sorted(
            self._findings.items(),
            key=lambda item: (item[0] != UNEXPLAINED, -item[1].files, item[0]),
        )

    def _finding(self, cause: str, merged: _Finding) -> JsonObject:
        def ids() -> Iterator[str]:
            rows = self._database.execute(
                "SELECT rank FROM place JOIN rank USING (report, number) WHERE cause = ?"
                " ORDER BY rank",
                (cause,),
            )
            return (f"d{rank}" for (rank,) in rows)

        (count,) = self._database.execute(
            "SELECT count(*) FROM place WHERE cause = ?", (cause,)
        ).fetchone()
        suspects = sorted(
            merged.suspects.values(), key=lambda one: (-one["differences"], one["cause"])
        )
        kinds = sorted(merged.kinds.values(), key=lambda one: (-one["files"], one["kind"]))
        return merged.first | {
            "platforms": sorted(merged.platforms),
            "differences": Rows(count, ids),
            "files": merged.files,
            "bytes": merged.bytes,
            "evidence": merged.evidence(),
            "fix": merged.fix(),
            "references": [*merged.references],
            "consequences": merged.consequences,
            "suspects": suspects,
            "kinds": [one | {"example": f"d{self._rank(*one['example'])}"} for one in kinds],
        }

    def _rank(self, number: int, at: int) -> int:
        found: tuple[int] = self._database.execute(
            "SELECT rank FROM rank WHERE report = ? AND number = ?", (number, at)
        ).fetchone()
        return found[0]

    def _rules(self) -> list[JsonObject]:
        """What was accepted, each rule once, with what it accepts in all reports."""
        found: dict[tuple[Any, ...], JsonObject] = {}
        counts = ("differences", "files", "gone")
        for one in self._accepted:
            rule = tuple(value for key, value in one.items() if key not in counts)
            known = found.setdefault(rule, one | {key: 0 for key in counts if key in one})
            for key in counts:
                if key in one:
                    known[key] += one[key]
        return [*found.values()]

    def _renamed(self, number: int, one: JsonObject) -> JsonObject:
        """With the ids that the differences of a report have in the merged one."""

        def new(id_: str) -> str:
            return f"d{self._rank(number, int(id_[1:]))}"

        changed: JsonObject = {"id": new(one["id"])} if "id" in one else {}
        for key in ("derived_from", "differences"):
            if one.get(key):
                changed[key] = [new(id_) for id_ in one[key]]
        return one | changed

    def _entries(self) -> Iterator[JsonObject]:
        rank = lru_cache(256)(self._rank)
        rows = self._database.execute(
            "SELECT report, body FROM difference ORDER BY key, report, number"
        )
        for position, (number, body) in enumerate(rows, 1):
            one = json.loads(body)
            one["id"] = f"d{position}"
            one["derived_from"] = [f"d{rank(number, int(id_[1:]))}" for id_ in one["derived_from"]]
            yield one


def _only_in(platforms: list[JsonObject]) -> str | None:
    """The side that has the image, where the other has no platform of it."""
    sides: set[str | None] = {one["only_in"] for one in platforms}
    return sides.pop() if len(sides) == 1 else None


def _each_once(problems: Iterable[JsonObject]) -> list[JsonObject]:
    keyed = {
        (key_of(tuple(one["where"])), one["kind"], one["message"], one["resolution"]): one
        for one in problems
    }
    return [keyed[key] for key in sorted(keyed)]
