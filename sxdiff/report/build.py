"""Gathers differences and problems into the report, on disk: memory does not grow with them.

The rows live in one sqlite3 file of the spool, clustered in the order of the report. That order
is the plain comparison of `where` as a list of strings, which a byte comparison of its key gives
(`key_of`): steps in UTF-8 (whose byte order is the order of code points), each ended by a zero
byte. So sorting, paging and "everything under this route" are range scans of one table.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, TypeAlias

from sxdiff import __version__
from sxdiff.model import RUNGS, Difference, InputError, Limits, Node, Problem, Route
from sxdiff.report.findings import (
    UNEXPLAINED,
    Binding,
    Diagnosis,
    Tally,
    causes_of,
    finding_of,
    is_readable,
)
from sxdiff.report.gate import Gate, capped, judge, route_of_platform
from sxdiff.report.images import Images, count_images
from sxdiff.report.keys import key_of, route_of, storable
from sxdiff.wire import JsonObject, difference_to_json

MOST_PRODUCERS: Final = 8
"""Producers of a cause's artefacts that are kept for its fix."""
ROOTS_TOLD: Final = 3
"""How many roots a derived difference names for each route that it follows from."""

MOST_STEPS: Final = 3
"""Consequences of consequences of consequences, up to which a root is looked for."""

_SCHEMA = """
PRAGMA page_size = 16384;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -16384;
CREATE TABLE difference (
    key BLOB, number INTEGER, kind TEXT, path TEXT, visible INTEGER, format TEXT, bytes INTEGER,
    derived INTEGER, explained INTEGER, telling INTEGER, verified INTEGER, body TEXT,
    PRIMARY KEY (key, number)) WITHOUT ROWID;
CREATE TABLE claim (number INTEGER, cause TEXT, a TEXT, b TEXT, needs TEXT, files INTEGER,
    PRIMARY KEY (number, cause, a, b)) WITHOUT ROWID;
CREATE TABLE root (key BLOB, rank INTEGER, PRIMARY KEY (key, rank)) WITHOUT ROWID;
CREATE TABLE place (cause TEXT, rank INTEGER, PRIMARY KEY (cause, rank)) WITHOUT ROWID;
CREATE TABLE file (tally INTEGER, image TEXT, path TEXT,
    PRIMARY KEY (tally, image, path)) WITHOUT ROWID;
CREATE TABLE problem (key BLOB, kind TEXT, message TEXT, resolution TEXT,
    PRIMARY KEY (key, kind, message, resolution)) WITHOUT ROWID;
BEGIN;
"""
_SETTLING = (
    "CREATE INDEX by_binding ON claim (cause, a, b)",
    "CREATE TABLE fallen (number INTEGER PRIMARY KEY)",
    "CREATE TABLE following (number INTEGER PRIMARY KEY, route TEXT)",
)
_BATCH_ROWS = 1000
_BATCH_CHARACTERS = 1 << 20

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


Explain: TypeAlias = Callable[[Difference, Route, str, str | None], Difference]
"""Gives a difference at a route (of a format, in the file at a path) with the causes that explain
it."""


@contextmanager
def disk(path: str) -> Iterator[None]:
    """A full or unwritable disk below a database is the user's to mend: an `InputError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise InputError(f"{path}: {error}") from error


class Rows:
    """A list of the report that is read from disk each time it is gone through."""

    def __init__(self, count: int, read: Callable[[], Iterator[Any]]) -> None:
        self._count = count
        self._read = read

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return self._read()


class Report:
    """A finished report: what every view is made from, and nothing else.

    `header` has all top-level keys in the contract's order but `differences`, which stream from
    `differences()` as often as wanted. Long lists in the header may be `Rows`. `examples` are the
    differences that the findings' kinds name as their examples, by id.
    """

    def __init__(
        self,
        header: JsonObject,
        differences: Callable[[], Iterator[JsonObject]],
        examples: dict[str, JsonObject],
    ) -> None:
        self.header = header
        self.differences = differences
        self.examples = examples


class ReportBuilder:
    """Takes differences and problems in any order, gives the sorted report.

    The report reads from the builder's file, so the builder is closed after the report's use.
    Raises InputError where it would tell more than `most` bytes.
    """

    def __init__(
        self, directory: str, explain: Explain | None = None, most: int = Limits().report_bytes
    ) -> None:
        self._explain = explain
        self._most = most
        self._size = 0
        self._claims: list[tuple[object, ...]] = []
        self._unverified = 0
        self._judged = False
        self._producers: dict[str, set[str]] = {}
        self._path = os.path.join(directory, "report.sqlite3")
        self._rows: list[tuple[object, ...]] = []
        self._characters = 0
        self._count = 0
        with disk(self._path):
            self._database = sqlite3.connect(self._path, isolation_level=None)
            self._database.executescript(_SCHEMA)

    @property
    def count(self) -> int:
        """How many differences were added."""
        return self._count

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> "ReportBuilder":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def add(
        self,
        route: Route,
        node_format: str,
        difference: Difference,
        path: str | None,
        visible: bool,
    ) -> None:
        """Adds one difference at `route` + its own `where`."""
        if self._explain:
            difference = self._explain(difference, route, node_format, path)
        self._add(route, route, node_format, difference, path, visible, None)

    def add_node(self, route: Route, node: Node, path: str | None, visible: bool) -> None:
        """Adds all of a node. `route` names the node itself; its children add their names.

        A derived difference that does not say what it follows from follows from what differs
        under `route`. Problems of a node are told relative to it, as its differences are.
        """
        self._unverified += not node.verified
        self._add_node(route, route, node, path, visible, node.verified)

    def problem(self, problem: Problem) -> None:
        """Adds a problem, whose `where` is absolute. The same problem again is one problem."""
        texts = (problem.kind, problem.message, problem.resolution)
        row = (key_of(problem.where), *map(storable, texts))
        with disk(self._path):
            self._database.execute("INSERT OR IGNORE INTO problem VALUES (?, ?, ?, ?)", row)

    def _add_node(
        self,
        top: Route,
        route: Route,
        node: Node,
        path: str | None,
        visible: bool,
        verified: bool,
    ) -> None:
        for difference in node.differences:
            self._add(top, route, node.format, difference, path, visible, verified)
            for claim in difference.claims if node.producer else ():
                known = self._producers.setdefault(claim.cause, set())
                known.add(storable(node.producer))
                if len(known) > MOST_PRODUCERS:
                    known.remove(max(known))  # the same ones whichever came first
        for problem in node.problems:
            where = route + problem.where
            self.problem(Problem(where, problem.kind, problem.message, problem.resolution))
        for child in node.nodes:
            self._add_node(top, (*route, child.name), child, path, visible, verified)

    def _add(
        self,
        top: Route,
        route: Route,
        node_format: str,
        difference: Difference,
        path: str | None,
        visible: bool,
        verified: bool | None,
    ) -> None:
        """`verified` is whether all of the stream at `top` is equal outside of what is claimed;
        None where the difference is not one of a stream's."""
        document = difference_to_json(difference)
        document.pop("where", None)  # the key holds it, absolute
        if difference.derived and not difference.derived_from:
            document["derived_from"] = [top]
        body = _encode(document)
        if not body.isascii():
            try:
                body.encode()
            except UnicodeEncodeError:
                body = _encode(storable(document))
        self._count += 1
        self._size += len(body)
        if self._size > self._most:
            raise InputError(f"the report tells more than {self._most} bytes")
        self._rows.append(
            (
                key_of(route + difference.where),
                self._count,
                difference.kind,
                None if path is None else storable(path),
                visible,
                node_format,
                difference.bytes,
                difference.derived,
                bool(difference.claims),
                2 * visible + is_readable(difference),
                verified,
                body,
            )
        )
        self._claims += [
            (self._count, *map(storable, (one.cause, one.a, one.b, one.needs)))
            for one in difference.claims
        ]
        self._characters += len(body)
        if len(self._rows) >= _BATCH_ROWS or self._characters >= _BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        with disk(self._path):
            self._database.executemany(
                "INSERT INTO difference VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._rows
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO claim VALUES (?, ?, ?, ?, ?, 0)", self._claims
            )
        self._rows.clear()
        self._claims.clear()
        self._characters = 0

    def finish(
        self,
        *,
        options: JsonObject,
        inputs: list[JsonObject],
        equal_at: str,
        met: bool,
        platforms: list[JsonObject],
        files: JsonObject,
        diagnosis: Diagnosis | None = None,
        gate: Gate | None = None,
    ) -> Report:
        """Ranks and counts what was added. Nothing can be added afterwards.

        `diagnosis` says which claims stand in the light of all, and tells causes in words. `gate`
        says what is accepted: images that have not `met` the rung asked for may do so with it.
        """
        self._flush()
        if diagnosis:
            with disk(self._path):
                self._settle(diagnosis)
        # where an archive holds several images, the image's name is the first step
        names: dict[Route, str] = {route_of_platform(one): one["platform"] for one in platforms}
        accepted: list[JsonObject] = []
        images = Images(platforms)
        with disk(self._path):
            tallies, summary = self._rank(names, images)
            summary["counterfactual"] = self._would_be(equal_at, inputs, names)
            if gate:
                self._judged = True
                judgement = judge(self._database, gate, options["require"], platforms)
                met = met or judgement.met
                accepted, summary["gate"] = judgement.accepted, judgement.summary
            (problems,) = self._database.execute("SELECT count(*) FROM problem").fetchone()
            self._database.execute("COMMIT")
        findings = [
            finding_of(
                cause,
                tally,
                Rows(tally.differences, _reader(self._places, cause)),
                diagnosis,
                self._bindings(cause),
                "\n".join(sorted(self._producers.get(cause, ()))),
            )
            for cause, tally in sorted(
                tallies.items(),
                key=lambda item: (item[0] != UNEXPLAINED, -item[1].files, item[0]),
            )
        ]
        told: JsonObject = {}
        if images.several:
            # where the gate opens it does so for all
            required = None if gate and met else options.get("require")
            told["images"] = images.entries(required, met)
            count_images(findings, told["images"])
        header = {
            "schema": "sxdiff-report/1",
            "tool": {"name": "sxdiff", "version": __version__},
            "options": options,
            "inputs": inputs,
            "equal_at": equal_at,
            "met": met,
            "platforms": platforms,
            **told,
            "summary": {"files": files, **summary},
            "findings": findings,
            "accepted": accepted,
            "problems": Rows(problems, self._problems),
        }
        examples = {
            f"d{kind.example}": self._one(kind.example_row, kind.example)
            for tally in tallies.values()
            for kind in tally.kinds.values()
        }
        return Report(storable(header), self._differences, examples)

    def _settle(self, diagnosis: Diagnosis) -> None:
        """Takes back the claims that do not stand in the light of all others, and makes
        consequences of what follows from other files."""
        for statement in _SETTLING:
            self._database.execute(statement)
        for binding, route in diagnosis.judged(self._bindings()):
            key = (binding.cause, binding.a, binding.b)
            if route is None:
                self._database.execute(
                    "INSERT OR IGNORE INTO fallen SELECT number FROM claim"
                    " WHERE cause = ? AND a = ? AND b = ?",
                    key,
                )
            else:
                self._database.execute(
                    "INSERT OR IGNORE INTO following SELECT number, ? FROM claim AS this"
                    " WHERE cause = ? AND a = ? AND b = ? AND NOT EXISTS"
                    " (SELECT 1 FROM claim WHERE number = this.number AND needs != this.needs)",
                    (json.dumps(route), *key),
                )
        self._database.execute(
            "UPDATE difference SET explained = 0 WHERE number IN (SELECT number FROM fallen)"
        )
        rows = self._database.execute(
            "SELECT key, number, body, route FROM difference JOIN following USING (number)"
            " WHERE explained"
        ).fetchall()
        for key, number, body, route in rows:
            document = json.loads(body) | {"derived": True, "derived_from": [json.loads(route)]}
            self._database.execute(
                "UPDATE difference SET derived = 1, explained = 0, body = ?"
                " WHERE key = ? AND number = ?",
                (_encode(document), key, number),
            )
        self._database.execute(
            "DELETE FROM claim WHERE number IN (SELECT number FROM fallen)"
            " OR number IN (SELECT number FROM following)"
        )

    def told(self, route: Route) -> Iterator[tuple[Route, str, list[str], bool, bool]]:
        """What is told below a route, after the claims were settled: where, kind, causes, whether
        it follows from others, whether it is explained."""
        start = key_of(route)
        for key, kind, derived, explained, body in self._database.execute(
            "SELECT key, kind, derived, explained, body FROM difference WHERE key >= ? AND key < ?"
            " ORDER BY key, number",
            (start, start + b"\xff"),
        ):
            causes = causes_of(json.loads(body)) if explained else []
            yield route_of(key), kind, causes, bool(derived), bool(explained)

    def explained(self, route: Route) -> Iterator[tuple[Route, str, list[str]]]:
        """Where what is told below a route is explained: where, kind, causes."""
        for where, kind, causes, _, explained in self.told(route):
            if explained:
                yield where, kind, causes

    def renamed(self, route: Route) -> Iterator[tuple[Route, str]]:
        """Where a rename below a route is explained or a consequence, with side b's name."""
        start = key_of(route)
        for key, body in self._database.execute(
            "SELECT key, body FROM difference WHERE key >= ? AND key < ?"
            " AND kind = 'file.renamed' AND (derived OR explained) ORDER BY key, number",
            (start, start + b"\xff"),
        ):
            yield route_of(key), json.loads(body)["b"]["value"]

    def _bindings(self, cause: str | None = None) -> list[Binding]:
        """What varied, of one cause or of all, in how many places; the most frequent first."""
        where = "" if cause is None else " WHERE cause = ?"
        rows = self._database.execute(
            "SELECT cause, a, b, max(needs), count(*) AS many, min(number) FROM claim"  # noqa: S608 - constants
            f"{where} GROUP BY cause, a, b ORDER BY many DESC, cause, a, b",
            () if cause is None else (cause,),
        )
        return [Binding(*row[:5]) for row in rows]

    def _would_be(
        self, equal_at: str, inputs: list[JsonObject], platforms: Iterable[Route]
    ) -> JsonObject:
        """The rung at which the images would be equal with all causes normalised, by what stays
        unexplained, and whether every file that differs was seen to be equal then."""
        weakest = RUNGS.index("manifest" if all(one["digest"] for one in inputs) else "config")
        for kind, path, where, content in self._database.execute(
            "SELECT kind, path, key, verified IS NOT NULL FROM difference"
            " WHERE NOT derived AND NOT explained"
        ):
            rung = capped(kind, path, route_of(where), platforms, content=bool(content))
            weakest = max(weakest, RUNGS.index(rung))
        weakest = min(weakest, RUNGS.index(equal_at))
        return {"equal_at": RUNGS[weakest], "verified": not self._unverified}

    def _rank(
        self, platforms: dict[Route, str], images: Images
    ) -> tuple[dict[str, Tally], JsonObject]:
        """Goes once through all differences in their order: ranks roots, counts causes.

        `platforms` has the name of each by its route.
        """
        tallies: dict[str, Tally] = {}
        derived_count = explained_count = 0
        bytes_explained = bytes_unexplained = 0
        roots: list[tuple[bytes, int]] = []
        places: list[tuple[str, int]] = []
        of: tuple[Route, str | None] = ((), None)
        followers, followed = 0, set[str]()
        rank = 0
        for rank, row in enumerate(
            self._database.execute(
                "SELECT key, number, kind, path, bytes, derived, explained, telling, "
                "CASE WHEN NOT derived THEN body END FROM difference ORDER BY key, number"
            ),
            1,
        ):
            key, number, kind, path, size, derived, explained, telling, body = row
            where = route_of(key)
            top = where[:1] if where[:1] in platforms else where[:2]
            if (top, path) != of:
                _credit(tallies, followers, followed)
                of, followers, followed = (top, path), 0, set()
            if derived:
                derived_count += 1
                followers += path is not None
                continue
            roots.append((key, rank))
            stored = json.loads(body)
            causes = causes_of(stored) if explained else [UNEXPLAINED]
            followed.update(causes)
            images.add(where, kind, causes)
            if explained:
                explained_count += 1
                bytes_explained += size
            else:
                bytes_unexplained += size
            platform = platforms.get(top)
            image = "" if platform is None else key_of(top).decode()
            for cause in causes:
                places.append((cause, rank))
                tally = tallies.get(cause)
                if tally is None:
                    tally = tallies[cause] = Tally(number=len(tallies) * 1_000_000)
                if platform is not None:
                    tally.platforms.add(platform)
                of_kind = tally.kinds.get(kind)
                if of_kind is None:
                    of_kind = tally.kinds[kind] = Tally(tally.number + len(tally.kinds) + 1)
                if not explained and (suspect := _suspect(stored)):
                    tally.suspects[suspect] = tally.suspects.get(suspect, 0) + 1
                for one in (tally, of_kind):
                    one.differences += 1
                    one.size += size
                    if path is not None and one.last != (image, path):
                        one.last = (image, path)
                        one.files += self._database.execute(
                            "INSERT OR IGNORE INTO file VALUES (?, ?, ?)",
                            (one.number, image, path),
                        ).rowcount
                if telling > of_kind.telling:
                    of_kind.example, of_kind.telling = rank, telling
                    of_kind.example_row = (key, number)
            if len(roots) >= _BATCH_ROWS:
                self._store_ranks(roots, places)
        _credit(tallies, followers, followed)
        self._store_ranks(roots, places)
        return tallies, {
            "differences": {
                "total": rank,
                "explained": explained_count,
                "unexplained": rank - explained_count - derived_count,
                "derived": derived_count,
            },
            "bytes": {
                "differing": bytes_explained + bytes_unexplained,
                "explained": bytes_explained,
                "unexplained": bytes_unexplained,
            },
        }

    def _store_ranks(self, roots: list[tuple[bytes, int]], places: list[tuple[str, int]]) -> None:
        self._database.executemany("INSERT INTO root VALUES (?, ?)", roots)
        self._database.executemany("INSERT OR IGNORE INTO place VALUES (?, ?)", places)
        roots.clear()
        places.clear()

    def _places(self, cause: str) -> Iterator[str]:
        rows = self._database.execute(
            "SELECT rank FROM place WHERE cause = ? ORDER BY rank", (cause,)
        )
        return (f"d{rank}" for (rank,) in rows)

    def _problems(self) -> Iterator[JsonObject]:
        rows = self._database.execute(
            "SELECT * FROM problem ORDER BY key, kind, message, resolution"
        )
        for key, kind, message, resolution in rows:
            where = [*route_of(key)]
            yield {"where": where, "kind": kind, "message": message, "resolution": resolution}

    def _roots(self, routes: Iterable[Route]) -> list[str]:
        """Ids of the first roots under each of the routes, in order, each once."""
        return [f"d{rank}" for rank in sorted(self._ranks(routes, MOST_STEPS))]

    def _ranks(self, routes: Iterable[Route], steps: int) -> set[int]:
        """The same as numbers. Under a route where all is a consequence, those that the first of
        it follows from, so many `steps` far."""
        ranks: set[int] = set()
        for route in routes:
            start = key_of(route)
            # 0xff is in no UTF-8, so all that begins with `start` lies below
            rows = self._database.execute(
                "SELECT rank FROM root WHERE key >= ? AND key < ? ORDER BY key, rank LIMIT ?",
                (start, start + b"\xff", ROOTS_TOLD),
            )
            found = [rank for (rank,) in rows]
            ranks.update(found or (self._ranks(self._followed(start), steps - 1) if steps else ()))
        return ranks

    def _followed(self, start: bytes) -> list[Route]:
        """What the first consequence of all below a route follows from."""
        row = self._database.execute(
            "SELECT body FROM difference WHERE key >= ? AND key < ? AND derived"
            " ORDER BY key, number LIMIT 1",
            (start, start + b"\xff"),
        ).fetchone()
        return [tuple(one) for one in json.loads(row[0]).get("derived_from", ())] if row else []

    @property
    def _entries(self) -> str:
        """What `_entry` is made of. Only where there is a gate is anything accepted or not."""
        accepted = "number IN (SELECT number FROM accepted)" if self._judged else "NULL"
        return f"SELECT key, path, visible, format, explained, {accepted}, body FROM difference"  # noqa: S608 - constants

    def _differences(self) -> Iterator[JsonObject]:
        rows = self._database.execute(f"{self._entries} ORDER BY key, number")
        # neighbours, such as the parts of one file, mostly follow from the same routes
        roots = lru_cache(256)(self._roots)
        for rank, row in enumerate(rows, 1):
            yield _entry(rank, row, roots)

    def _one(self, row: tuple[bytes, int], rank: int) -> JsonObject:
        found = self._database.execute(
            f"{self._entries} WHERE key = ? AND number = ?", row
        ).fetchone()
        return _entry(rank, found, self._roots)


def _suspect(stored: JsonObject) -> str | None:
    """What an unexplained difference looks like: what it claims does not stand then."""
    claims = stored.get("claims", [])
    found: str | None = claims[0][0] if claims else stored.get("suspect")
    return found


def _credit(tallies: dict[str, Tally], followers: int, causes: set[str]) -> None:
    """The consequences in one file vanish with the causes of its roots."""
    for cause in causes if followers else ():
        tallies[cause].consequences += followers


def _reader(read: Callable[[str], Iterator[str]], cause: str) -> Callable[[], Iterator[str]]:
    return lambda: read(cause)


def _entry(
    rank: int,
    row: tuple[bytes, str | None, int, str, int, int | None, str],
    roots: Callable[[tuple[Route, ...]], list[str]],
) -> JsonObject:
    key, path, visible, node_format, explained, accepted, body = row
    stored = json.loads(body)
    routes = tuple(map(tuple, stored.get("derived_from", ())))
    claims = stored.get("claims", [])
    suspect = None if explained or stored.get("derived") else _suspect(stored)
    return {
        "id": f"d{rank}",
        "where": [*route_of(key)],
        "path": path,
        "visible": bool(visible),
        "format": node_format,
        "kind": stored["kind"],
        "a": _side(stored.get("a")),
        "b": _side(stored.get("b")),
        "bytes": stored.get("bytes", 0),
        "count": stored.get("count", 1),
        "similarity": stored.get("similarity"),
        "symbol": stored.get("symbol"),
        "source": stored.get("source"),
        "diff": stored.get("diff"),
        "causes": causes_of(stored) if explained else [],
        "claims": [{"cause": cause, "a": a, "b": b} for cause, a, b, _ in claims if explained],
        "suspect": suspect,
        "derived": stored.get("derived", False),
        "derived_from": [*roots(routes)] if routes else [],
        "explained": bool(explained),
        **({} if accepted is None else {"accepted": bool(accepted)}),
    }


def _side(stored: JsonObject | None) -> JsonObject | None:
    """A side with its three fixed keys first, the others where they are known."""
    if stored is None:
        return None
    return {"value": None, "at": None, "excerpt": None} | stored
