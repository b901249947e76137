"""What is accepted, and whether the images meet the rung asked for once that is set aside
(docs/decisions/0008-the-gate.md).

Exit code 0 is a promise, so every step here can only refuse: what is not known to be harmless
counts, and what was not compared can't be accepted.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from sxdiff.model import RUNGS, Route
from sxdiff.report.findings import UNEXPLAINED, causes_of
from sxdiff.report.keys import key_of, route_of
from sxdiff.wire import JsonObject

_METADATA: Final = frozenset(
    ("tar.mode", "tar.uid", "tar.gid", "tar.uname", "tar.gname", "tar.mtime", "tar.xattr")
)
_HEADER: Final = ("atime", "ctime", "dialect", "header", "name", "pax", "pax_order")
_STORED: Final = ("end", "padding", "sparse", "stored", "zero_block")
_SPELLING: Final = frozenset(f"tar.{name}" for name in (*_HEADER, *_STORED))
"""Kinds of how a tar tells a file, which its root file system does not show."""
_NOT_ROOTFS: Final = ("layer.absent", "layer.order", "layer.tar", "tar.order")
"""Kinds of layers with which any path may differ, and be told nowhere else."""
_ONE_SIDED: Final = ("platform.only_in_", "image.only_in_")
_HARMLESS: Final = ("format", "history", "media-type")
"""Kinds of problems after which all was compared, if only as bytes."""
_LAYER: Final = re.compile(r"layer [1-9][0-9]*|root file system")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A rule: differences of `cause` (or `UNEXPLAINED`), in files that the glob `path` matches or
    anywhere, are accepted for a `reason`. `source` is where it comes from."""

    cause: str
    path: str | None
    reason: str
    source: str = "option"
    expires: date | None = None
    expired: bool = False

    def __str__(self) -> str:
        at = "" if self.path is None else f":{self.path}"
        until = f" (expires {self.expires})" if self.expires else ""
        return f"{self.cause}{at}={self.reason}{until}"

    def takes(self, cause: str, path: str | None) -> bool:
        """Whether it accepts a cause in the file at a path (None: above files)."""
        if self.expired or cause != self.cause:
            return False
        return self.path is None or (path is not None and glob_matches(self.path, path))


def glob_matches(glob: str, path: str) -> bool:
    """Whether a path matches: `*` is anything within a segment, `**` any number of segments.

    In time of the product of both lengths: paths of an image are hostile.
    """
    wanted, given = glob.split("/"), path.split("/")
    i = j = 0
    back: tuple[int, int] | None = None
    while j < len(given):
        if i < len(wanted) and wanted[i] == "**":
            back = i, j
            i += 1
            if i == len(wanted):
                return True
        elif i < len(wanted) and _segment_matches(wanted[i], given[j]):
            i, j = i + 1, j + 1
        elif back is not None:
            back = back[0], back[1] + 1
            i, j = back[0] + 1, back[1]
        else:
            return False
    # `a/**` is what lies below a, not a itself
    return i == len(wanted)


def _segment_matches(glob: str, name: str) -> bool:
    first, *rest = glob.split("*")
    if not rest:
        return glob == name
    *middle, last = rest
    if not name.startswith(first):
        return False
    at = len(first)
    for part in middle:
        at = name.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(name) - at >= len(last) and name.endswith(last)


class Place(NamedTuple):
    """Where a difference is whatever layer holds it: image and platform, the file, what is below
    it; its kind; its causes."""

    top: Route
    path: str | None
    below: Route
    kind: str
    causes: tuple[str, ...]


def place_of(
    where: Route, path: str | None, kind: str, causes: Iterable[str], platforms: Iterable[Route]
) -> Place:
    """The place of a difference. `platforms` are the routes of all platforms."""
    top = _top(where, platforms)
    below = where[len(top) :]
    if below and _LAYER.fullmatch(below[0]):
        below = ("layer", *below[1:])
    return Place(top, path, below, kind, tuple(sorted(causes)))


@dataclass(slots=True)
class Known:
    """The differences of an earlier report, which is called `name`. `verified` is whether all that
    was explained there was verified byte by byte."""

    name: str
    places: Counter[Place]
    verified: bool

    def take(self, place: Place, verified: bool) -> bool:
        """Whether a difference was there before; as many at one place as were there."""
        if self.places[place] <= 0:
            return False
        self.places[place] -= 1
        return verified or not place.causes or not self.verified

    @property
    def gone(self) -> int:
        """How many were there and were not taken."""
        return self.places.total()


@dataclass(slots=True)
class Gate:
    """All that is to be accepted: rules in the order given, and what was known before."""

    rules: Sequence[Acceptance] = ()
    known: Known | None = None

    def uses(
        self, path: str | None, kind: str, causes: Sequence[str], place: Place, verified: bool
    ) -> tuple[int, ...]:
        """Numbers of the rules that accept a difference together; none where it is not accepted.

        The number behind the last rule's is that of what was known. `verified` says that the
        stream that holds it was seen to be equal outside of what is explained, if one does.
        """
        known = self.known is not None and self.known.take(place, verified)
        if kind.startswith(_ONE_SIDED):
            return ()
        found = [self._rule(cause, path) for cause in causes or (UNEXPLAINED,)]
        # who accepts what is unexplained in a file needs no proof that there is nothing
        sure = verified or self._rule(UNEXPLAINED, path) is not None
        if sure and None not in found:
            return tuple(dict.fromkeys(number for number in found if number is not None))
        return (len(self.rules),) if known else ()

    def _rule(self, cause: str, path: str | None) -> int | None:
        return next((n for n, one in enumerate(self.rules) if one.takes(cause, path)), None)

    def told(self, differences: Counter[int], files: Counter[int]) -> list[JsonObject]:
        """The report's `accepted`."""
        out: list[JsonObject] = [
            {
                "cause": rule.cause,
                "path": rule.path,
                "reason": rule.reason,
                "source": rule.source,
                "expires": rule.expires and rule.expires.isoformat(),
                "expired": rule.expired,
                "differences": differences[number],
                "files": files[number],
            }
            for number, rule in enumerate(self.rules)
        ]
        if self.known is not None:
            number = len(self.rules)
            out.append(
                {
                    "cause": None,
                    "path": None,
                    "reason": f"known from {self.known.name}",
                    "source": "baseline",
                    "expires": None,
                    "expired": False,
                    "differences": differences[number],
                    "files": files[number],
                    "gone": self.known.gone,
                }
            )
        return out


def capped(
    kind: str, path: str | None, where: Route, platforms: Iterable[Route], *, content: bool = False
) -> str:
    """The strongest rung that can hold where a difference of this kind stays. `content` says that
    it is one of a content: a tar in a file has headers, too."""
    if path is not None:
        if content:
            return "nothing"
        if kind in _METADATA:
            return "contents"
        return "rootfs" if kind in _SPELLING else "nothing"
    if kind.startswith(_ONE_SIDED):
        return "nothing"
    if not _top(where, platforms):
        archive = kind.startswith(("archive.", "docker_archive."))
        return "index" if archive or where == ("archive",) else "manifest"
    if kind.startswith(("manifest.", "layer.gzip", "layer.compression", "layer.encoder")):
        return "config" if kind != "manifest.digest" else "nothing"
    if kind.startswith(("config.", "layer.", "tar.")) and kind not in _NOT_ROOTFS:
        return "rootfs"
    return "nothing"


def _top(where: Route, platforms: Iterable[Route]) -> Route:
    """The route of the platform that a route is below; empty where it is above all."""
    return next((where[:size] for size in (1, 2) if where[:size] in platforms), ())


@dataclass(slots=True)
class _Told:
    """What is told of one platform, or above all: the weakest rung that it allows, and how many
    count for nothing since they allow the rung asked for."""

    weakest: int = 0
    spared: int = 0


class Judgement(NamedTuple):
    """What `judge` found: whether the gate opens, the report's `accepted` and `summary.gate`."""

    met: bool
    accepted: list[JsonObject]
    summary: JsonObject


ACCEPTED: Final = "CREATE TABLE accepted (number INTEGER PRIMARY KEY)"
"""The table in which `judge` leaves what is accepted, and what follows from nothing else."""


def judge(
    database: sqlite3.Connection, gate: Gate, required: str, platforms: Sequence[JsonObject]
) -> Judgement:
    """Goes through all differences of the report's database (`report.build`).

    The gate opens where all that caps the ladder below the rung `required` is accepted, or follows
    from what is accepted alone, and nothing was left uncompared.
    """
    database.execute(ACCEPTED)
    database.execute(
        "CREATE TABLE judged (key BLOB, number INTEGER, accepted INTEGER,"
        " PRIMARY KEY (key, number)) WITHOUT ROWID"
    )
    return _Judge(database, gate, required, platforms).run()


class _Judge:
    def __init__(
        self,
        database: sqlite3.Connection,
        gate: Gate,
        required: str,
        platforms: Sequence[JsonObject],
    ) -> None:
        self._database = database
        self._gate = gate
        self._required = RUNGS.index(required)
        self._platforms = {route_of_platform(one): one for one in platforms}
        self._told: dict[Route, _Told] = {}
        self._accepted = self._open = 0
        self._stands = lru_cache(256)(self._follows_from_accepted)

    def run(self) -> Judgement:
        differences, files = self._roots()
        self._derived()
        never = [*self._never()]
        for route, one in self._platforms.items():
            told = self._told.get(route, _Told())
            if self._differs(one) and told.weakest < RUNGS.index(one["equal_at"]):
                # what is told allows more than there is, so nothing of it can be spared
                self._open += told.spared
                if not told.spared:
                    never.append(f"{_name(route)}: what is told does not say why it differs")
        summary = {"accepted": self._accepted, "unaccepted": self._open, "never": never}
        accepted = self._gate.told(differences, files)
        return Judgement(not self._open and not never, accepted, summary)

    def _roots(self) -> tuple[Counter[int], Counter[int]]:
        """Judges what follows from nothing; counts differences and files by rule."""
        differences, files = Counter[int](), Counter[int]()
        rows = self._database.execute(
            "SELECT key, number, kind, path, explained, verified, body FROM difference"
            " WHERE NOT derived ORDER BY key, number"
        )
        for key, number, kind, path, explained, verified, body in rows:
            where = route_of(key)
            causes = causes_of(json.loads(body)) if explained else []
            place = place_of(where, path, kind, causes, self._platforms)
            used = self._gate.uses(path, kind, causes, place, verified != 0)
            self._accepted += bool(used)
            self._count(kind, path, where, bool(used), verified is not None)
            self._database.execute("INSERT INTO judged VALUES (?, ?, ?)", (key, number, bool(used)))
            if used:
                self._database.execute("INSERT INTO accepted VALUES (?)", (number,))
            for rule in used:
                differences[rule] += 1
                if path is not None:
                    files[rule] += self._database.execute(
                        "INSERT OR IGNORE INTO file VALUES (?, ?, ?)",
                        (-1 - rule, key_of(place.top).decode(), path),
                    ).rowcount
        return differences, files

    def _derived(self) -> None:
        """Judges what follows from others."""
        rows = self._database.execute(
            "SELECT key, number, kind, path, verified, body FROM difference WHERE derived"
            " ORDER BY key, number"
        )
        for key, number, kind, path, verified, body in rows:
            stands = self._stands(_routes(body))
            self._count(kind, path, route_of(key), stands, verified is not None)
            if stands:
                self._database.execute("INSERT INTO accepted VALUES (?)", (number,))

    def _count(
        self, kind: str, path: str | None, where: Route, accepted: bool, content: bool
    ) -> None:
        rung = RUNGS.index(capped(kind, path, where, self._platforms, content=content))
        told = self._told.setdefault(_top(where, self._platforms), _Told())
        told.weakest = max(told.weakest, rung)
        if not accepted:
            if rung > self._required:
                self._open += 1
            else:
                told.spared += 1

    def _follows_from_accepted(self, routes: tuple[Route, ...]) -> bool:
        """Whether there is something below the routes, or below what it follows from in its turn,
        and all of it is accepted."""
        seen: set[Route] = set()
        todo = [*routes]
        found = False
        while todo:
            route = todo.pop()
            if any(route[:size] in seen for size in range(len(route) + 1)):
                continue
            seen.add(route)
            start = key_of(route)
            below = (start, start + b"\xff")
            (least,) = self._database.execute(
                "SELECT min(accepted) FROM judged WHERE key >= ? AND key < ?", below
            ).fetchone()
            if least == 0:
                return False
            found = found or least is not None
            for (body,) in self._database.execute(
                "SELECT body FROM difference WHERE key >= ? AND key < ? AND derived", below
            ):
                todo += (one for one in _routes(body) if one not in seen)
        return found

    def _never(self) -> Iterator[str]:
        """What can't be accepted, each in a few words."""
        needed = max(self._required, RUNGS.index("manifest"))
        for route, one in self._platforms.items():
            if one["only_in"]:
                yield f"{_name(route)} is only in {one['only_in']}"
            elif self._required and self._strongest(one) > needed:
                yield f"{_name(route)} has no {RUNGS[needed]} on both sides"
        rows = self._database.execute(
            "SELECT kind, count(*) FROM problem GROUP BY kind ORDER BY kind"
        ).fetchall()
        for kind, count in rows:
            if kind not in _HARMLESS:
                yield f"{count:,} {'problem' if count == 1 else 'problems'} of the kind {kind}"

    def _differs(self, platform: JsonObject) -> bool:
        """Whether a platform that both sides have is less equal than is asked for, and than its
        forms allow."""
        rung = RUNGS.index(platform["equal_at"])
        return not platform["only_in"] and rung > max(self._required, self._strongest(platform))

    @staticmethod
    def _strongest(platform: JsonObject) -> int:
        """The strongest rung at which a platform can be equal in these forms."""
        for rung in ("manifest", "config"):
            if all(platform[side] and platform[side][rung] for side in "ab"):
                return RUNGS.index(rung)
        return RUNGS.index("rootfs")


def route_of_platform(platform: JsonObject) -> Route:
    """Where a platform stands: behind the image's name, where an archive holds several."""
    image = () if platform["image"] is None else (platform["image"],)
    return (*image, platform["platform"])


def _routes(body: str) -> tuple[Route, ...]:
    return tuple(map(tuple, json.loads(body).get("derived_from", ())))


def _name(route: Route) -> str:
    return " ".join(reversed(route))
