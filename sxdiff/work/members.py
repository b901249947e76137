"""Members of two layers, or of two merged trees, pair by pair: headers, then contents."""

import posixpath
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sxdiff.compare.digests import SIZES, Known, confirmed, entries, pending
from sxdiff.compare.index import SPARSE, Members, Row, open_index
from sxdiff.compare.members import (
    header_differences,
    hides_nothing,
    one_file,
    one_sided,
    renamed,
    type_difference,
)
from sxdiff.compare.renames import MOST, Lone, Sketch, matches, without_build_id
from sxdiff.compare.rootfs import is_whiteout
from sxdiff.formats import tar
from sxdiff.model import (
    Difference,
    FormatError,
    Limits,
    Node,
    Problem,
    Route,
    Span,
    Value,
    text_of,
)
from sxdiff.report.build import ROOTS_TOLD, ReportBuilder
from sxdiff.work.files import Files, Pair
from sxdiff.work.layers import Reading, ReadLayer
from sxdiff.work.pool import Pool
from sxdiff.work.spool import Spool


@dataclass
class Counts:
    """Files of all platforms: members of layers, or paths of merged trees."""

    compared: int = 0
    differing: int = 0
    only_in_a: int = 0
    only_in_b: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What every comparison of this run shares."""

    pool: Pool
    spool: Spool
    reading: Reading
    builder: ReportBuilder
    limits: Limits
    debug: bool
    counts: Counts = field(default_factory=Counts)
    known: Known = field(default_factory=Known)


_ORDINAL_BITS = 40
_ORDINAL_MASK = (1 << _ORDINAL_BITS) - 1
_LAYER_MASK = (1 << 64 - _ORDINAL_BITS) - 1


_MOST_NAMES = 100_000
"""Names on one side only up to which those that go together are looked for."""


_MOST_DIGESTS = 20_000
"""Files that differ up to which their digests are looked for in others."""


_UNUSUAL = 0o7002
"""Bits of a directory's mode that somebody sets on purpose."""


_PARTS = 256
"""Parts of a layer, in whole blocks, that are told apart where members that differ lie in it."""


def _place(layer: int, ordinal: int) -> int:
    return layer << _ORDINAL_BITS | ordinal


class MemberComparison:
    """Rows of one layer, or one merged tree, against those of the other side."""

    def __init__(
        self,
        context: Context,
        route: Route,
        a: list[tuple[ReadLayer, Members]],
        b: list[tuple[ReadLayer, Members]],
        shows: Callable[[bytes], bool],
        below: tuple[Sequence[Members], Sequence[Members]] | None = None,
    ) -> None:
        self._context = context
        self._route = route
        self._a = a
        self._b = b
        self._shows = shows
        self._below = below
        """Layers below those that are compared, where whiteouts count."""
        self._tar_bytes = not any(read.is_directory for read, _ in a + b)
        self._contents: list[int] = []
        """Layer and number of both members of each pair whose contents differ, in one number."""
        self._touched: tuple[dict[int, set[int]], dict[int, set[int]]] = ({}, {})
        """Parts of each side's layers that hold a member that differs."""
        self._pending = False
        self._lists: list[tuple[Pair, Node]] = []
        """Checksum lists with entries that one side only has."""
        self._lone = (array("Q"), array("Q")), (array("Q"), array("Q"))
        """Members of each side without a partner of their name: on one side only, and renamed."""
        self._files = Files(
            context.pool, context.spool, self._found, self._trouble, context.limits, context.debug
        )

    def run(self, rows: "Iterator[tuple[tuple[int, Row] | None, tuple[int, Row] | None]]") -> None:
        """Tell every pair; one-sided rows wait until it is known which were renamed."""
        lonely = _Lonely(self._context.spool.new())
        try:
            for one, other in rows:
                present = one or other
                if not self._tar_bytes and present is not None and present[1].path == b"":
                    continue  # a directory's own entry is the place that it was unpacked to
                if one is not None and other is not None:
                    self._pair(one, other)
                elif one is not None:
                    lonely.add("a", *one)
                elif other is not None:
                    lonely.add("b", *other)
            rests = array("Q"), array("Q")
            moved = array("Q"), array("Q")
            for a, b in lonely.pairs():
                if a is not None and b is not None:
                    moved[0].append(_place(*a))
                    moved[1].append(_place(*b))
                    self._renamed(self._row(0, moved[0][-1]), self._row(1, moved[1][-1]), 100)
                elif a is not None:
                    rests[0].append(_place(*a))
                elif b is not None:
                    rests[1].append(_place(*b))
        finally:
            lonely.close()
        self._one_sided(rests, moved)
        self._look_into_contents()

    def touched(self, side: int, layer: int) -> list[Span]:
        """Where in a layer's tar stream the members lie that differ: offsets and sizes, in whole
        parts of it."""
        part = self._part(side, layer)
        end = self._layer(side, layer).scanned["unpacked"]
        spans: list[Span] = []
        for number in sorted(self._touched[side].get(layer, ())):
            at = number * part
            size = min(part, end - at)
            if spans and sum(spans[-1]) == at:
                at = spans[-1][0]
                size += spans.pop()[1]
            spans.append((at, size))
        return spans

    def _layer(self, side: int, layer: int) -> ReadLayer:
        return (self._a, self._b)[side][layer][0]

    def _part(self, side: int, layer: int) -> int:
        unpacked: int = self._layer(side, layer).scanned["unpacked"]
        blocks = -(-unpacked // tar.BLOCK)
        return max(1, -(-blocks // _PARTS)) * tar.BLOCK

    def _touch(self, side: int, layer: int, row: Row) -> None:
        if not self._tar_bytes:
            return
        part = self._part(side, layer)
        last = min(row.data_at + row.size, self._layer(side, layer).scanned["unpacked"]) - 1
        touched = self._touched[side].setdefault(layer, set())
        touched.update(range(row.at // part, max(row.at, last) // part + 1))

    def _row(self, side: int, place: int) -> tuple[int, Row]:
        layer = place >> _ORDINAL_BITS
        return layer, (self._a, self._b)[side][layer][1].row(place & _ORDINAL_MASK)

    def _renamed(self, a: tuple[int, Row], b: tuple[int, Row], alike: int) -> None:
        one, other = a[1], b[1]
        self._context.counts.differing += 1
        self._touch(0, *a)
        self._touch(1, *b)
        self._tell(one, [renamed(one, other, alike)], other)
        self._tell(one, self._headers(a, b, moved=True), other)
        if one.content != other.content:
            self._add_contents(a, b)

    def _one_sided(
        self,
        rests: "tuple[array[int], array[int]]",
        moved: "tuple[array[int], array[int]]",
    ) -> None:
        """What has no partner of its name or content: similar files first, then the rest. `moved`
        are those that have one of equal content."""
        counts = self._context.counts
        gone: tuple[set[int], set[int]] = (set(), set())
        for one, two, alike in self._similar(rests):
            self._renamed(self._row(0, one), self._row(1, two), alike)
            gone[0].add(one)
            gone[1].add(two)
            moved[0].append(one)
            moved[1].append(two)
        reasons = self._reasons(rests, gone, moved)
        self._lone = rests, moved
        for side, places in enumerate(rests):
            for place in places:
                if place in gone[side]:
                    continue
                layer, row = self._row(side, place)
                self._touch(side, layer, row)
                if side == 0:
                    counts.only_in_a += 1
                else:
                    counts.only_in_b += 1
                    counts.compared += 1
                idle = self._below is not None and hides_nothing(row, self._below[side])
                found = one_sided(row, "ab"[side], idle=idle)
                if place in reasons[side]:
                    found = replace(found, derived=True, derived_from=tuple(reasons[side][place]))
                self._tell(row, [found])

    def _alone(self) -> tuple[dict[str, tuple[int, Route]], dict[str, tuple[int, Route]]]:
        """Files of each side that entries of checksum lists may be about, by their path: on one
        side only, or renamed. Each with where that is told."""
        found: tuple[dict[str, tuple[int, Route]], dict[str, tuple[int, Route]]] = ({}, {})
        rests, moved = self._lone
        if max(map(len, (*rests, *moved))) > _MOST_NAMES:
            return found
        for side in (0, 1):
            told = [(place, side, place) for place in rests[side]]
            told += [(pair[side], 0, pair[0]) for pair in zip(*moved, strict=True)]
            for place, teller, other in told:
                row = self._row(side, place)[1]
                if row.type == tar.REGULAR:
                    where = (*self._route, step_of(self._row(teller, other)[1]))
                    found[side][text_of(row.path)] = place, where
        return found

    def _reasons(
        self,
        rests: "tuple[array[int], array[int]]",
        gone: tuple[set[int], set[int]],
        moved: "tuple[array[int], array[int]]",
    ) -> tuple[dict[int, list[Route]], dict[int, list[Route]]]:
        """Directories on one side that are there for what lies below them, all of it on this side
        only or renamed; and where some of that is told."""
        out: tuple[dict[int, list[Route]], dict[int, list[Route]]] = ({}, {})
        if self._below is None or max(map(len, (*rests, *moved))) > _MOST_NAMES:
            return out
        for side, rest in enumerate(rests):
            plain: dict[bytes, int] = {}
            told: list[tuple[bytes, bytes]] = []
            for place in rest:
                layer, row = self._row(side, place)
                if self._is_plain(side, layer, row):
                    plain[row.path] = place
                elif place not in gone[side] and not is_whiteout(row.path):
                    told.append((row.path, row.path))
            for pair in zip(*moved, strict=True):
                paths = [self._row(number, place)[1].path for number, place in enumerate(pair)]
                told.append((paths[side], paths[0]))  # a rename is told where side a has it
            for path, where in told:
                _hold(plain, out[side], path, (*self._route, text_of(where)))
            # what is empty is there for itself, and what is above it for what is empty
            for path in sorted(plain, key=len, reverse=True):
                if plain[path] not in out[side]:
                    _hold(plain, out[side], path, (*self._route, text_of(path)))
        return out

    def _is_plain(self, side: int, layer: int, row: Row) -> bool:
        """Whether a member is a directory that says nothing of its own: nothing of its name is on
        the other side or in a layer below, and its mode and attributes are as `mkdir` sets them."""
        if row.type != tar.DIRECTORY:
            return False
        members = (self._a, self._b)[side][layer][1]
        others = [each for _, each in (self._b, self._a)[side]]
        lower = self._below[side] if self._below else ()
        if row.occurrence or any(
            each.holds(row.path) or each.holds_below(row.path) for each in (*others, *lower)
        ):
            return False
        try:
            header = members.header(row)
        except FormatError:
            return False
        return not header.mode & _UNUSUAL and not header.xattrs

    def _similar(self, rests: "tuple[array[int], array[int]]") -> Iterator[tuple[int, int, int]]:
        """Regular files that go together by their names or contents, and how alike they are."""
        if not all(0 < len(rest) <= _MOST_NAMES for rest in rests):
            return
        places: tuple[list[int], list[int]] = ([], [])
        rows: tuple[list[tuple[int, Row]], list[tuple[int, Row]]] = ([], [])
        for side, rest in enumerate(rests):
            for place in rest:
                row = self._row(side, place)
                if row[1].type == tar.REGULAR and row[1].size:
                    places[side].append(place)
                    rows[side].append(row)
        sketches = self._sketches(rows)
        lone = [
            [
                Lone(row.path, sketch=drawn)
                for (_, row), drawn in zip(rows[side], sketches[side], strict=True)
            ]
            for side in (0, 1)
        ]
        for one, two, alike in matches(lone[0], lone[1]):
            yield places[0][one], places[1][two], alike
        yield from self._same_links(rests)

    def _same_links(self, rests: "tuple[array[int], array[int]]") -> Iterator[tuple[int, int, int]]:
        """Symbolic links to one file that are named by its build-id."""
        places: tuple[list[int], list[int]] = ([], [])
        lone: tuple[list[Lone], list[Lone]] = ([], [])
        for side, rest in enumerate(rests):
            for place in rest:
                row = self._row(side, place)[1]
                if row.type == tar.SYMBOLIC_LINK and without_build_id(row.path) is not None:
                    places[side].append(place)
                    lone[side].append(Lone(row.path, row.link))
        for one, two, _ in matches(*lone):
            yield places[0][one], places[1][two], 100

    def _sketches(
        self, rows: tuple[list[tuple[int, Row]], list[tuple[int, Row]]]
    ) -> tuple[list[Sketch], list[Sketch]]:
        """Sketches of contents, empty where they are too many."""
        if max(map(len, rows)) > MOST or not all(rows):
            return [()] * len(rows[0]), [()] * len(rows[1])
        wanted = [(self._a[layer][0], row) for layer, row in rows[0]]
        wanted += [(self._b[layer][0], row) for layer, row in rows[1]]
        drawn = self._files.sketches(wanted)
        return drawn[: len(rows[0])], drawn[len(rows[0]) :]

    def _headers(
        self, one: tuple[int, Row], other: tuple[int, Row], *, moved: bool = False
    ) -> list[Difference]:
        a, b = one[1], other[1]
        try:
            return header_differences(
                self._a[one[0]][1],
                a,
                self._b[other[0]][1],
                b,
                tar_bytes=self._tar_bytes,
                moved=moved,
            )
        except FormatError as error:
            where = (*self._route, step_of(a))
            self._context.builder.problem(
                Problem(where, "format", str(error), "header compared as bytes")
            )
            values = [
                Value(None, at=(row.at, row.head_size), digest=f"blake3:{row.head.hex()}")
                for row in (a, b)
            ]
            return [Difference("tar.header", values[0], values[1], bytes=1)]

    def _pair(self, one: tuple[int, Row], other: tuple[int, Row]) -> None:
        a, b = one[1], other[1]
        told: list[Difference] = []
        content = False
        if a.type != b.type and not _one_file(a, b):
            told.append(type_difference(a, b))
        else:
            told = self._headers(one, other)
            if a.type != b.type:
                members = self._a[one[0]][1], self._b[other[0]][1]
                same = self._tar_bytes and one_file(members[0], a, members[1], b)
                told.append(type_difference(a, b, same=same))
            content = a.content != b.content and None not in (a.content, b.content)
        if a.residue != b.residue and self._tar_bytes:
            told.append(_residue_difference(a, b))
        if not told and not content:
            return  # a directory on disk against a tar: what differs is only the tar's spelling
        self._context.counts.differing += 1
        self._touch(0, *one)
        self._touch(1, *other)
        self._tell(a, told)
        if content:
            self._add_contents(one, other)

    def _add_contents(self, one: tuple[int, Row], other: tuple[int, Row]) -> None:
        places = _place(one[0], one[1].ordinal), _place(other[0], other[1].ordinal)
        self._contents.append(places[0] << 64 | places[1])

    def _look_into_contents(self) -> None:
        """In the order of the first side's layers: its packed streams are then read forwards."""
        files = self._files
        for place in sorted(self._contents):
            a_layer, a_members = self._a[place >> 64 >> _ORDINAL_BITS]
            b_layer, b_members = self._b[place >> _ORDINAL_BITS & _LAYER_MASK]
            a = a_members.row(place >> 64 & _ORDINAL_MASK)
            b = b_members.row(place & _ORDINAL_MASK)
            route, visible = (*self._route, step_of(a)), self._shows(a.path)
            files.add(Pair(route, text_of(a.path), visible, a_layer, a, b_layer, b))
        files.flush()
        self._settle_lists()
        if self._pending:
            self._look_up_digests()

    def _settle_lists(self) -> None:
        """Which entries of checksum lists are those of files that are themselves on one side only,
        or renamed: of the same path and the same digest."""
        if not self._lists:
            return
        alone = self._alone()
        files: dict[tuple[int, str], tuple[int, Route]] = {}
        sizes = set()
        for pair, node in self._lists:
            for side, digest, name in entries(node):
                for path in _paths(pair.path, name):
                    if path in alone[side] and len(files) < _MOST_DIGESTS:
                        files[side, path] = alone[side][path]
                        sizes.add(len(digest) // 2)
        wanted = []
        for (side, _), (place, _) in files.items():
            layer, row = self._row(side, place)
            wanted.append(((self._a, self._b)[side][layer][0], row))
        found = self._files.digests(wanted, sizes & SIZES) if wanted else []
        digests = {
            key: {value.hex() for value in values} for key, values in zip(files, found, strict=True)
        }
        for pair, node in self._lists:
            known = {
                (side, digest, name): files[side, path][1]
                for side, digest, name in entries(node)
                for path in _paths(pair.path, name)
                if digest in digests.get((side, path), ())
            }
            self._context.builder.add_node(
                pair.route, confirmed(node, known), pair.path, pair.visible
            )
        self._lists.clear()

    def _look_up_digests(self) -> None:
        """What the files that differ are known by, where a file speaks of digests of others."""
        known, wanted = self._context.known, []
        for place in self._contents[:_MOST_DIGESTS]:
            a_layer, a_members = self._a[place >> 64 >> _ORDINAL_BITS]
            b_layer, b_members = self._b[place >> _ORDINAL_BITS & _LAYER_MASK]
            wanted.append((a_layer, a_members.row(place >> 64 & _ORDINAL_MASK)))
            wanted.append((b_layer, b_members.row(place & _ORDINAL_MASK)))
        if len(self._contents) > _MOST_DIGESTS:
            message = f"more than {_MOST_DIGESTS} files differ"
            self._context.builder.problem(
                Problem(self._route, "limit", message, "digests of the rest are not looked up")
            )
        found = self._files.digests(wanted, known.wanted)
        for number in range(0, len(found), 2):
            route = (*self._route, step_of(wanted[number][1]))
            known.add(found[number], found[number + 1], route)

    def _trouble(self, message: str, resolution: str) -> None:
        self._context.builder.problem(Problem(self._route, "worker", message, resolution))

    def _found(self, pair: Pair, node: Node) -> None:
        self._context.known.identify(node, pair.route)
        if pending(node):
            self._context.known.want(node)
            self._pending = True
        if any(True for _ in entries(node)):
            self._lists.append((pair, node))
            return
        self._context.builder.add_node(pair.route, node, pair.path, pair.visible)

    def _tell(self, row: Row, differences: list[Difference], other: Row | None = None) -> None:
        visible = self._shows(row.path) or (other is not None and self._shows(other.path))
        route = (*self._route, step_of(row))
        for difference in differences:
            self._context.builder.add(route, "tar", difference, text_of(row.path), visible)


def _paths(of: str, name: str) -> set[str]:
    """Where the file may be that a list names: below the root, or beside the list."""
    return {
        posixpath.normpath(name.lstrip("/")),
        posixpath.normpath(posixpath.join(posixpath.dirname(of), name)),
    }


def _hold(
    directories: dict[bytes, int], reasons: dict[int, list[Route]], path: bytes, told: Route
) -> None:
    """Note of each directory above a path that what is told at a route is a reason for it."""
    at = path.rfind(b"/")
    while at > 0:
        place = directories.get(path[:at])
        at = path.rfind(b"/", 0, at)
        if place is not None:
            found = reasons.setdefault(place, [])
            if len(found) < ROOTS_TOLD:
                found.append(told)


class _Lonely:
    """Rows without a partner of their name, in a file: equal content makes them a rename."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection = open_index(path)
        self._connection.execute(
            "CREATE TABLE lonely (side TEXT, content BLOB, layer INTEGER, ordinal INTEGER)"
        )

    def add(self, side: str, layer: int, row: Row) -> None:
        content = row.content if row.size and row.type == tar.REGULAR else None
        self._connection.execute(
            "INSERT INTO lonely VALUES (?,?,?,?)", (side, content, layer, row.ordinal)
        )

    def pairs(self) -> Iterator[tuple[tuple[int, int] | None, tuple[int, int] | None]]:
        """(layer, number) of both sides for a rename, of one side for the rest."""
        self._connection.executescript(
            "CREATE TABLE ranked AS SELECT *, row_number() OVER"
            " (PARTITION BY side, content ORDER BY layer, ordinal) AS rank FROM lonely;"
            "CREATE INDEX by_content ON ranked (content, rank, side);"
        )
        partner = (
            " FROM ranked {0} LEFT JOIN ranked {1} ON {0}.content = {1}.content"
            " AND {0}.rank = {1}.rank AND {1}.side = '{1}' WHERE {0}.side = '{0}'"
        )
        for al, ao, bl, bo in self._connection.execute(
            "SELECT a.layer, a.ordinal, b.layer, b.ordinal" + partner.format("a", "b")
        ):
            yield (al, ao), None if bl is None else (bl, bo)
        for bl, bo in self._connection.execute(
            "SELECT b.layer, b.ordinal" + partner.format("b", "a") + " AND a.side IS NULL"
        ):
            yield None, (bl, bo)

    def close(self) -> None:
        self._connection.close()


def step_of(row: Row) -> str:
    """The step of the route: the path, "." for the root itself, with a number where repeated."""
    name = text_of(row.path) or "."
    return name if not row.occurrence else f"{name} (entry {row.occurrence + 1})"


def _one_file(a: Row, b: Row) -> bool:
    """A file and a hard link to one: which name holds the content is the writer's choice."""
    return {a.type, b.type} == {tar.REGULAR, tar.HARD_LINK}


def _residue_difference(a: Row, b: Row) -> Difference:
    """Padding that is not zero, or (32 bytes, a digest) how a sparse file is stored."""
    values = []
    sparse = False
    for row in (a, b):
        data = row.residue or b""
        sparse = sparse or data.startswith(SPARSE)
        at = (row.data_at + row.size, -row.size % tar.BLOCK)
        values.append(Value(data[1:65].hex(), at=(row.data_at, row.size) if sparse else at))
    return Difference("tar.stored" if sparse else "tar.padding", values[0], values[1], bytes=1)
