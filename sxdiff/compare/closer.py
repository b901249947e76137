"""A closer look at two streams that should be one: which format, what differs inside, where.

`look` describes both sides, pairs the descriptions and goes into the members whose bytes
differ. What no format knows is compared as text or as bytes. Nothing that differs is untold.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from sxdiff.compare import digests, lines, listing, ranges, redact, telling
from sxdiff.compare.consequences import Consequences
from sxdiff.compare.describe import describe
from sxdiff.compare.explain import Explainer, standing
from sxdiff.compare.links import linked
from sxdiff.compare.normal import Ledger, follows_places
from sxdiff.compare.pair import Pairing, Part, emptied, pair
from sxdiff.compare.places import Places
from sxdiff.compare.renames import Lone, Sketch, matches, sketch
from sxdiff.compare.stripped import stripped
from sxdiff.compare.telling import Shifts
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.formats.catalogue import CONTENT, HEAD, STREAMS, sniff, sniff_text
from sxdiff.formats.digest import digest_of
from sxdiff.formats.producer import producer_of
from sxdiff.formats.signatures import signature
from sxdiff.formats.text import encoding_of
from sxdiff.model import (
    Blob,
    Claim,
    Difference,
    Fact,
    Format,
    FormatError,
    LimitError,
    Limits,
    Listing,
    Member,
    Node,
    Problem,
    Route,
    Span,
    Value,
    bytes_of,
)

MOST_SKETCHES = 64
"""Names on one side only up to which contents are looked at for what is similar."""


class Scratch(Protocol):
    """Where unpacked members are kept while they are compared."""

    def store(self, chunks: Iterable[bytes], limit: int) -> Blob:
        """Write a stream of at most `limit` bytes; raises `LimitError` where it is longer."""


@dataclass(slots=True)
class Tally:
    """How many differences of a file may still be told, and what was not."""

    left: int
    more: int = 0
    more_bytes: int = 0

    def keep(self, found: Iterable[Difference]) -> list[Difference]:
        """As many of `found` as may be told; the others are counted."""
        out = []
        for difference in found:
            if self.left > 0:
                self.left -= 1
                out.append(difference)
            else:
                self.count(1, difference.bytes)
        return out

    @contextmanager
    def half(self) -> Iterator[None]:
        """Half of what is left is for what is told within: one member must not take it all."""
        kept = self.left // 2
        self.left -= kept
        try:
            yield
        finally:
            self.left += kept

    def restore(self, before: "Tally") -> None:
        """Forget what was kept and counted since `before` was copied."""
        self.left, self.more, self.more_bytes = before.left, before.more, before.more_bytes

    def count(self, differences: int, size: int) -> None:
        """Count differences that are not told."""
        self.more += differences
        self.more_bytes += size


def look(a: Blob, b: Blob, name: str, scratch: Scratch, limits: Limits) -> Node | None:
    """How the file `name` differs; None if and only if both sides hold the same bytes.

    Unpacked members are stored in `scratch`. Broken formats and limits reached are problems of
    the node (their `where` is relative to it), never exceptions.
    """
    tally = Tally(limits.file_differences)
    closer = _Closer(scratch, limits, tally, name)
    node = closer.look(a, b, name)
    if node is None:
        return None
    if digests.pending(node):
        node = closer.settled(node)
    return _whole(redact.masked(node), tally, limits)


def plain(a: Blob, b: Blob, name: str, limits: Limits) -> Node | None:
    """As `look`, but as bytes, whatever the format: for what its format could not be read of."""
    if ranges.equal(a, b):
        return None
    tally = Tally(limits.file_differences)
    member = Member(name, a, kind="file.content")
    found = tally.keep(_ranges(a, b, member, member))
    return _whole(redact.masked(Node(name, "bytes", tuple(found))), tally, limits)


def _whole(node: Node, tally: Tally, limits: Limits) -> Node:
    """The node of a file, with what was not told of it as one difference."""
    if not tally.more:
        return node
    count = Value(tally.more)
    more = Difference("file.more", count, count, bytes=tally.more_bytes)
    problem = Problem(
        (),
        "limit",
        f"more than {limits.file_differences} differences in one file",
        f"{tally.more} more counted, not told",
    )
    return replace(node, differences=(*node.differences, more), problems=(*node.problems, problem))


def normalised(
    a: Blob, b: Blob, name: str, scratch: Scratch, limits: Limits
) -> tuple[Iterator[bytes], Iterator[bytes]]:
    """Both sides of the file `name` with all claims taken out, each made from its own bytes.

    A stream inside another stands there as the digest of its own normalised bytes.
    """
    closer = _Closer(scratch, limits, Tally(limits.file_differences), name, keep=True)
    closer.look(a, b, name)
    ledger = closer.last
    return ledger.chunks(0, a), ledger.chunks(1, b)


class _Closer:
    def __init__(
        self, scratch: Scratch, limits: Limits, tally: Tally, path: str, *, keep: bool = False
    ) -> None:
        self._scratch = scratch
        self._limits = limits
        self._tally = tally
        self._route: list[str] = []
        self._streams: list[tuple[Route, Blob, Blob]] = []
        self._path = path
        self._ledger = self.last = Ledger()
        self._keep = keep
        self._explainer: Explainer | None = None
        self._below: Route = ()
        self._following = False

    def look(
        self, a: Blob, b: Blob, name: str, kind: str = "file.content", depth: int = 0
    ) -> Node | None:
        if ranges.equal(a, b):
            return None
        if not self._tally.left:  # only counted: not worth a closer look
            self._tally.count(1, ranges.count_differing(a, b))
            return Node(name, "bytes")
        outer = self._ledger, self._explainer, self._below, self._following
        self._below, self._following = (), False
        if depth:
            self._route.append(name)
            self._streams.append((tuple(self._route), a, b))
        self._ledger = Ledger()
        self._explainer = Explainer(a, b, self._path, tuple(self._route), self._ledger)
        try:
            dropped = self._tally.more
            node = self._possible(a, b, self._looked(a, b, name, kind, depth))
            if _has_claims(node):
                node = replace(node, producer=producer_of(a))
            whole = dropped == self._tally.more and is_explained(node)
            if not whole and node.format in _PROGRAMS:
                node = standing(node)
            return replace(node, verified=True) if whole and self._ledger.equal(a, b) else node
        finally:
            if depth:
                self._route.pop()
            self.last = self._ledger
            self._ledger, self._explainer, self._below, self._following = outer

    def _possible(self, a: Blob, b: Blob, node: Node) -> Node:
        """The same node, in which what can't follow from what moved is a root."""
        found: list[Difference] = []
        if not is_explained(node):
            return node  # what no cause explains may have moved anything
        for left, right, shifts in self._ledger.impossible():
            both = replace(left, derived=False), replace(right, derived=False)
            found += telling.facts(a, b, [both], shifts)
        if self._ledger.still and self._ledger.layouts:
            node = _unmoved(node, self._ledger.layouts)
        elif not any(kind.startswith("elf.code") for kind in _roots(node)):
            # frames follow from code; what else moved changes their places at most
            node = _unmoved(node, self._ledger.frames)
        return replace(node, differences=(*node.differences, *found)) if found else node

    def settled(self, node: Node) -> Node:
        """The node of the whole file, in which digests of its streams are consequences."""
        known = digests.Known()
        known.want(node)
        for route, a, b in self._streams:
            sides = digests.values(a, known.wanted), digests.values(b, known.wanted)
            known.add(*sides, route)
        return digests.settled(node, known)

    def _looked(self, a: Blob, b: Blob, name: str, kind: str, depth: int) -> Node:
        """How two streams differ that are not equal."""
        one, two = sniff(a.read(0, HEAD), a.size), sniff(b.read(0, HEAD), b.size)
        if one is not two and (told := self._formats(a, b, name, one, two, depth)):
            return told
        if not one or not two:
            return self._leaf(a, b, name, kind, depth)
        if depth >= self._limits.member_depth:
            problem = _problem("limit", f"members nested {depth} deep")
            return self._leaf(a, b, name, kind, depth, problem)
        before = replace(self._tally)
        try:
            return self._stream(a, b, name, one, depth)
        except FormatError as error:
            self._tally.restore(before)
            self._ledger.clear()
            what = "limit" if isinstance(error, LimitError) else "format"
            return self._leaf(a, b, name, kind, depth, _problem(what, f"{one.name}: {error}"))

    def _formats(
        self, a: Blob, b: Blob, name: str, one: Format | None, two: Format | None, depth: int
    ) -> Node | None:
        """Another format on each side: one difference, with both described. Of two compressions
        the contents are compared too. None where one side is just bytes."""
        if one and two and one in STREAMS and two in STREAMS and depth < self._limits.member_depth:
            try:
                contents = [
                    self._stored(_content(known, blob, self._limits))
                    for known, blob in ((one, a), (two, b))
                ]
            except FormatError:
                pass  # one of them is damaged: then they are two formats, no more
            else:
                found = replace(_formats(a, b, one.name, two.name), kind="file.compression")
                node = self.look(contents[0], contents[1], CONTENT, depth=depth + 1)
                nodes = () if node is None else (node,)
                if node is None or node.verified:
                    self._ledger.replace((0, a.size), (0, b.size))
                packing = self._told(self._tally.keep([found]), "compression")
                return Node(name, "compression", tuple(packing), nodes)
        names = [
            known.name if known else "text" if encoding_of(blob) else None
            for known, blob in ((one, a), (two, b))
        ]
        if names[0] is None or names[1] is None:
            return None
        told = _formats(a, b, names[0], names[1])
        return Node(name, "bytes", tuple(self._told(self._tally.keep([told]), "bytes")))

    def _leaf(self, a: Blob, b: Blob, name: str, kind: str, depth: int, *problems: Problem) -> Node:
        """Both sides as texts if they are, else as bytes."""
        encodings = encoding_of(a), encoding_of(b)
        if encodings[0] and encodings[1]:
            try:
                return self._text(a, b, name, (encodings[0], encodings[1]), depth, problems)
            except LimitError as error:
                problems += (_problem("limit", str(error)),)
        member = Member(name, a, kind=kind)
        found = self._tally.keep(_ranges(a, b, member, member))
        names = {signature(blob.read(0, HEAD)) or "bytes" for blob in (a, b)}
        format_name = names.pop() if len(names) == 1 else "bytes"
        return Node(name, format_name, tuple(self._told(found, format_name)), (), problems)

    def _listed(self, found: Iterable[Difference], paired: Pairing) -> Iterator[Difference]:
        """Entries that only one side of a checksum list has: they may follow from their files."""
        for each in found:
            name, side = each.where[-1], int(each.a is None)
            parts = list((paired.alone_a, paired.alone_b)[side][name])
            said = digests.entry(name, parts)
            spans = [part.at for part in parts if part.at]
            if said is None or not spans:
                yield each
                continue
            span = spans[0][0], sum(spans[-1]) - spans[0][0]
            self._ledger.replace(*((span, None) if side == 0 else (None, span)))
            sides = (said, "") if side == 0 else ("", said)
            yield replace(each, claims=(Claim("derived-manifest-hash", *sides, digests.LISTED),))

    def _told(
        self, found: Iterable[Difference], format_name: str, below: Route = ()
    ) -> list[Difference]:
        """The same differences of the stream that is looked at, with the causes that explain
        them."""
        assert self._explainer  # noqa: S101 - set where the stream's look begins
        out = self._explainer.all(found, format_name, below=below)
        for each in out:
            if not each.derived and not each.claims:  # what has claims was noted with them
                self._ledger.moved(each.a.at if each.a else None, each.b.at if each.b else None)
            # rows of a layout were counted one by one, facts before they were told
            if each.derived and each.kind in _FRAMES:
                self._ledger.frames |= {(*below, *each.where), below}
            if each.derived and _is_placed(each.kind):
                self._ledger.layouts |= {(*below, *each.where), below}
            follows = each.derived or (self._following and not each.claims)
            if follows and not each.kind.endswith(".layout") and each.count == 1:
                self._ledger.replace(
                    each.a.at if each.a else None, each.b.at if each.b else None, derived=True
                )
        return out

    def _text(
        self,
        a: Blob,
        b: Blob,
        name: str,
        encodings: tuple[str, str],
        depth: int,
        problems: tuple[Problem, ...],
    ) -> Node:
        """By its own format, unless it differs as a whole in one plain way; else by lines."""
        most = self._limits.text_bytes
        told, more, size = lines.differences(a, b, encodings, self._tally.left, most)
        if more and (redact.secrets(a) or redact.secrets(b)):
            told, more, size = [redact.whole(a, b)], 0, 0
        else:
            told = redact.redacted(a, b, told, margin=0) or told
        if redact.holds(told):
            pass  # a format would show it
        elif max(a.size, b.size) <= most and (not told or told[0].kind not in lines.WHOLE):
            known = sniff_text(a.read(0, HEAD))
            if known and known is sniff_text(b.read(0, HEAD)) and depth < self._limits.member_depth:
                before = replace(self._tally)
                try:
                    node = self._stream(a, b, name, known, depth)
                    return replace(node, problems=(*problems, *node.problems))
                except FormatError:  # it only looked like one: it is still a text
                    self._tally.restore(before)
                    self._ledger.clear()
        self._tally.count(more, size)
        told = self._told(self._tally.keep(told), "text")
        return Node(name, "text", tuple(told), problems=problems)

    def _stream(self, a: Blob, b: Blob, name: str, known: Format, depth: int) -> Node:
        """Both sides as one format. Raises `FormatError` where one side breaks its promise."""
        node, rooted = self._described(
            a,
            b,
            name,
            known.name,
            lambda: (known.dissect(a, self._limits), known.dissect(b, self._limits)),
            depth,
        )
        if rooted:
            return node
        # what follows from a content is a consequence only where a content differs
        return self._explained_roots(_as_roots(node))

    def _explained_roots(self, node: Node, below: Route = ()) -> Node:
        """A node whose consequences became roots, with the causes that explain them."""
        return replace(
            node,
            differences=tuple(self._told(node.differences, node.format, below)),
            nodes=tuple(self._explained_roots(each, (*below, each.name)) for each in node.nodes),
        )

    def _described(
        self,
        a: Blob,
        b: Blob,
        name: str,
        format_name: str,
        again: "Callable[[], tuple[Iterable[Part], Iterable[Part]]]",
        depth: int,
        shifts: Shifts = (0, 0),
        outer: Places | None = None,
    ) -> tuple[Node, bool]:
        """What differs between two descriptions, and whether a content is among it.

        Where the description is of a part of a stream, `shifts` is added to the offsets told, and
        `outer` knows the places of the stream.
        """
        parts = again()
        near = telling.Near()

        def same(left: Fact, right: Fact) -> None:
            """What follows may have other bytes where something else in the span has."""
            if left.at and right.at and near.equal(a.part(*left.at), b.part(*right.at)):
                return
            for side, fact in enumerate((left, right)):
                for at in fact.follows:
                    self._ledger.follow_from(side, (at[0] + shifts[side], at[1]))

        paired = pair(describe(a, parts[0]), describe(b, parts[1]), same)
        keep, dropped = self._tally.keep, self._tally.more
        links = self._linked(paired, again, shifts) if format_name == "tar" else []
        contents = keep(links)
        contents += keep(telling.renamed(a, b, paired, format_name))
        contents += keep(self._alike(a, b, paired, format_name))
        taken = stripped(a, b, paired) if format_name == "elf" else None
        if taken:
            contents += keep([taken.told()])
            for span in taken.spans:
                self._ledger.replace(*((span, None) if taken.side == 0 else (None, span)))
            self._ledger.moves.update(far * (2 * taken.side - 1) for far in taken.far)
        else:
            lone = telling.alone(a, b, paired, format_name, shifts)
            listed = format_name == "checksums" and not self._route
            contents += keep(self._listed(lone, paired) if listed else lone)
        contents += keep(telling.order(paired, format_name))
        contents = self._told(contents, format_name, self._below)
        if paired.alone_a or paired.alone_b:
            self._ledger.repacked()  # what comes or goes moves what lies behind it
        for here, there in paired.facts:
            self._ledger.replace(
                telling.moved(here.at, shifts[0]) if here else None,
                telling.moved(there.at, shifts[1]) if there else None,
                derived=all(one is None or one.derived for one in (here, there)),
                normals=(_rest(here), _rest(there)),
            )
            if here and there and here.derived and there.derived:
                self._ledger.follow_facts(here, there, shifts)
                if telling.resized(here, there) and not format_name.startswith(_PROGRAMS):
                    self._ledger.repacked()
        nodes: list[Node] = []
        problems: list[Problem] = []
        rooted = False
        places = Places(paired.members, self._stored, outer)
        follow = Consequences()
        equal: set[str] = set()
        unlike: set[tuple[str, str]] = set()
        # where a checksum differs, unpacking shows whether it is right
        doubted = {fact.name for both in paired.facts for fact in both if fact and fact.derived}
        packed_alike = paired.same_packed - doubted
        for left, right in paired.members:
            if left.name == right.name and telling.unpacked_from(left, right, packed_alike):
                continue
            one, two = self._stored(left), self._stored(right)
            if near.equal(one, two):
                if callable(left.content) and callable(right.content):
                    equal.add(left.name)
                elif callable(left.content) or callable(right.content):
                    # one of them is stored plainly: how the other is, its facts tell
                    spans = telling.moved(left.at, shifts[0]), telling.moved(right.at, shifts[1])
                    self._ledger.replace(*spans)
                    rooted = True
                elif left.kind == right.kind == UNTOLD and left.derived and right.derived:
                    # zeros between two parts may go with zeros between two others
                    gaps = telling.moved(left.at, shifts[0]), telling.moved(right.at, shifts[1])
                    self._ledger.replace(*gaps, derived=True)
                continue
            unlike.add((left.kind, left.name))
            derived = left.derived and right.derived
            self._ledger.moved((0, one.size), (0, two.size), derived=derived or _is_part(left))
            if not self._tally.left:  # only counted: not worth a closer look
                self._tally.count(1, ranges.count_differing(one, two))
                continue
            apart = callable(left.content) or callable(right.content)
            if apart:
                self._ledger.repacked()
            spans = telling.moved(left.at, shifts[0]), telling.moved(right.at, shifts[1])
            if not _is_part(left) and not _is_part(right):
                with self._tally.half():
                    found = self.look(one, two, left.name, left.kind, depth + 1)
                if found is None or found.verified:
                    self._ledger.replace(*spans)
                    self._remember(self.last, one, two)
                else:
                    self._ledger.broken = True
                nodes += [found] if found else []
                rooted = True
                continue
            inner = _shifted(left, shifts[0]), _shifted(right, shifts[1])
            where = (min(left.name, right.name),)  # a gap may have two names
            with self._part(one, two, inner, spans if apart else None, derived):
                within = self._within(one, two, left, right, places, depth, inner)
                unordered = isinstance(within, list) and _are_unordered(left, right)
                if isinstance(within, Problem):
                    problem = replace(within, where=where)
                    within = self._as_lines(one, two, inner)
                    if within is not None:
                        problem = replace(problem, resolution="compared as text")
                    problems.append(problem)
                if within is None:
                    within = _ranges(one, two, left, right, (), inner)
                if isinstance(within, list):
                    placed = self._told(
                        [replace(each, where=(*where, *each.where)) for each in within],
                        format_name,
                        self._below,
                    )
                    contents += keep(each for each in placed if not follow.take(each))
                    if unordered:
                        self._sort(left, right, (one, two), places, inner)
                else:
                    node, inner_rooted = within
                    rooted = rooted or (inner_rooted and not left.derived)
                    nodes.append(_as_derived(node) if derived else node)
        contents += keep(follow.told())
        if paired.moved_a:
            unlike |= {(one.kind, one.name) for both in paired.facts for one in both if one}
            self._reorder((a, b), again, (paired.moved_a, paired.moved_b), unlike, shifts)
        packed = keep(telling.repacked(a, b, paired, equal, format_name, shifts))
        if paired.alone_a or paired.alone_b:  # pointers to blocks that moved
            packed = [replace(each, derived=True) for each in packed]
        contents += self._told(packed, format_name, self._below)
        # contents first: where there are too many differences, headers are left out
        told = self._told(keep(telling.facts(a, b, paired.facts, shifts)), format_name, self._below)
        more = self._tally.more > dropped
        if not told and not contents and not nodes and not more:
            whole = Member("", a, kind=UNTOLD)
            rest = keep(_ranges(a, b, whole, whole, (), shifts))
            contents = self._told(rest, format_name, self._below)
        rooted = rooted or more or any(not difference.derived for difference in contents)
        if outer:  # a part's facts are content of the whole
            rooted = rooted or any(not difference.derived for difference in told)
        return Node(name, format_name, (*told, *contents), tuple(nodes), tuple(problems)), rooted

    def _linked(
        self,
        paired: Pairing,
        again: "Callable[[], tuple[Iterable[Part], Iterable[Part]]]",
        shifts: Shifts,
    ) -> list[Difference]:
        """Members that are hard links on one side and the same again on the other."""
        found = []
        for one in linked(paired, again()):
            for side in (0, 1):
                spans = [*one.headers[side], *([one.content] if side != one.side else [])]
                for span in spans:
                    at = telling.moved(span, shifts[side])
                    self._ledger.replace(*((at, None) if side == 0 else (None, at)))
            found.append(one.told())
        return found

    def _sort(
        self,
        left: Member,
        right: Member,
        sides: tuple[Blob, Blob],
        places: Places,
        shifts: Shifts,
    ) -> None:
        """Normalise the order of rows that are found by reference alone."""
        found = places.aligned(left, right, sides)
        for side in (0, 1):
            spans = (row.at for row in found.rows[side])
            self._ledger.sort(side, sides[side], shifts[side], spans)

    @contextmanager
    def _part(
        self,
        a: Blob,
        b: Blob,
        shifts: Shifts,
        spans: "tuple[Span | None, Span | None] | None",
        derived: bool,
    ) -> Iterator[None]:
        """What is told within is of a part of the stream; with `spans`, of what is unpacked from
        there, which then is normalised as a stream of its own."""
        outer = self._ledger, self._explainer, self._following
        self._following = self._following or derived
        if spans is not None:
            self._ledger = Ledger(shifts)
            route = tuple(self._route)
            self._explainer = Explainer(a, b, self._path, route, self._ledger, outer[1])
        try:
            yield
        finally:
            inner = self._ledger
            self._ledger, self._explainer, self._following = outer
        if spans is not None:
            if inner.equal(a, b):
                self._ledger.replace(*spans)
                self._remember(inner, a, b)
            else:
                self._ledger.broken = True

    def _remember(self, inner: Ledger, a: Blob, b: Blob) -> None:
        """Put the digests of a normalised stream behind the stream that holds it."""
        if self._keep:
            for side, blob in enumerate((a, b)):
                digest = hashlib.sha256()
                for chunk in inner.chunks(side, blob):
                    digest.update(chunk)
                self._ledger.follow(side, digest.hexdigest().encode() + b"\n")

    def _reorder(
        self,
        sides: tuple[Blob, Blob],
        again: "Callable[[], tuple[Iterable[Part], Iterable[Part]]]",
        moved: tuple[dict[str, int], dict[str, int]],
        unlike: set[tuple[str, str]],
        shifts: Shifts,
    ) -> None:
        """Normalise an order: the parts of names that moved are taken out, and what they hold
        follows in the order of the names."""
        for side, (blob, parts) in enumerate(zip(sides, again(), strict=True)):
            lines: list[str] = []
            for part in describe(blob, parts):
                if part.name not in moved[side] or part.at is None:
                    continue
                at = telling.moved(part.at, shifts[side])
                self._ledger.replace(*((at, None) if side == 0 else (None, at)))
                if isinstance(part, Member) and (part.kind, part.name) not in unlike:
                    lines.append(f"{part.name} {part.kind} {digest_of(blob.part(*part.at))}")
            self._ledger.follow(side, "\n".join(sorted(lines)).encode("utf-8", "surrogateescape"))

    def _alike(self, a: Blob, b: Blob, paired: Pairing, format_name: str) -> Iterator[Difference]:
        """Names on one side only that go together by their rest or by similar content: one
        difference each; their contents join the pairs of `paired`."""
        sides = paired.alone_a, paired.alone_b
        if not all(sides) or max(map(len, sides)) > telling.MOST_RENAMES:
            return
        lone = [self._lone(parts) for parts in sides]
        names = [list(parts) for parts in sides]
        for one, two, alike in matches(lone[0], lone[1]):
            old, new = names[0][one], names[1][two]
            left, right = paired.alone_a.pop(old), paired.alone_b.pop(new)
            size = telling.join_facts(a, b, paired, left, right)
            name = min(old, new)  # the same for swapped sides
            ours = {part.kind: part for part in left if isinstance(part, Member)}
            theirs = {part.kind: part for part in right if isinstance(part, Member)}
            for kind in {**ours, **theirs}:
                some = ours.get(kind) or theirs[kind]
                paired.members.append(
                    (
                        replace(ours.get(kind) or emptied(some), name=name),
                        replace(theirs.get(kind) or emptied(some), name=name),
                    )
                )
            told = Value(old), Value(new)
            yield Difference(f"{format_name}.renamed", *told, (name,), size, similarity=alike)

    def _lone(self, sides: dict[str, list[Part]]) -> list[Lone]:
        """Names with what they must have in common, and sketches of streams where they are few."""
        out = []
        for name, parts in sides.items():
            streams = [part for part in parts if isinstance(part, Member)]
            drawn: Sketch = ()
            if len(sides) <= MOST_SKETCHES and len(streams) == 1:
                drawn = sketch(self._stored(streams[0]))
            # facts may be missing (padding); a member's kind says what it is
            group = frozenset(part.kind for part in streams or parts)
            out.append(Lone(bytes_of(name), group, drawn))
        return out

    def _within(
        self,
        a: Blob,
        b: Blob,
        left: Member,
        right: Member,
        places: Places,
        depth: int,
        shifts: Shifts,
    ) -> "tuple[Node, bool] | list[Difference] | Problem | None":
        """Into a part that its container knows; None where only its bytes can be told."""
        known, other = left.inside, right.inside
        if known is None or other is None or known.format != other.format:
            return None
        if type(known) is not type(other):
            return None
        if not a.size or not b.size or not self._tally.left:
            return None
        if depth >= self._limits.member_depth:
            return _problem("limit", f"parts nested {depth} deep")
        before = replace(self._tally)
        try:
            if isinstance(known, Listing) or isinstance(other, Listing):  # both are
                followed = partial(self._ledger.replace, derived=True)
                elsewhere = self._ledger.elsewhere
                rows = listing.differences(a, b, left, right, places, shifts, followed, elsewhere)
                rows = redact.redacted(a, b, rows, shifts=shifts) or rows
                derived = left.derived and right.derived
                return [replace(row, derived=row.derived or derived) for row in rows]
            one, two = known, other
            self._below = (*self._below, left.name)
            try:
                return self._described(
                    a,
                    b,
                    left.name,
                    known.format,
                    lambda: (one.parts(a), two.parts(b)),
                    depth + 1,
                    shifts,
                    places,
                )
            finally:
                self._below = self._below[:-1]
        except FormatError as error:
            self._tally.restore(before)
            self._ledger.broken = True  # it holds what was told before the error
            what = "limit" if isinstance(error, LimitError) else "format"
            return _problem(what, f"{known.format}: {error}")

    def _as_lines(self, a: Blob, b: Blob, shifts: Shifts) -> list[Difference] | None:
        """A part of a text that its format could not look into; None where it is no text."""
        encodings = encoding_of(a), encoding_of(b)
        if not encodings[0] or not encodings[1] or not self._tally.left:
            return None
        known = encodings[0], encodings[1]
        try:
            told, more, size = lines.differences(
                a, b, known, self._tally.left, self._limits.text_bytes
            )
        except LimitError:
            return None
        told = redact.redacted(a, b, told, margin=0) or told
        self._tally.count(more, size)
        return [_shifted_by(one, shifts) for one in told]

    def _stored(self, member: Member) -> Blob:
        if isinstance(member.content, Blob):
            return member.content
        return self._scratch.store(member.content(), self._limits.member_bytes)


def _ranges(
    a: Blob,
    b: Blob,
    left: Member,
    right: Member,
    where: Route = (),
    shifts: Shifts = (0, 0),
) -> list[Difference]:
    """The ranges of two leaves, without what is secret."""
    found = list(ranges.differences(a, b, left, right, where, shifts))
    return redact.redacted(a, b, found, where, shifts=shifts) or found


def _problem(kind: str, message: str) -> Problem:
    return Problem((), kind, message, "compared as bytes")


def _content(known: Format, blob: Blob, limits: Limits) -> Member:
    """What a compressed stream holds."""
    for part in known.dissect(blob, limits):
        if isinstance(part, Member) and part.name == CONTENT:
            return part
    raise FormatError(f"{known.name} without a content")


def _formats(a: Blob, b: Blob, one: str, two: str) -> Difference:
    told = [
        Value(known, (0, blob.size), size=blob.size, digest=digest_of(blob))
        for known, blob in ((one, a), (two, b))
    ]
    return Difference("file.format", told[0], told[1], bytes=ranges.count_differing(a, b))


def _shifted_by(found: Difference, shifts: Shifts) -> Difference:
    """A difference of a part, told by its places in the stream."""
    told = [
        value and replace(value, at=telling.moved(value.at, shift), line=None)
        for value, shift in zip((found.a, found.b), shifts, strict=True)
    ]
    return replace(found, a=told[0], b=told[1])


_PROGRAMS = ("elf", "pe", "macho")
_FRAMES = ("elf.frame",)
"""Kinds of rows that follow from the code that they describe."""


def _roots(node: Node) -> Iterator[str]:
    """The kinds of all that follows from nothing else."""
    yield from (each.kind for each in node.differences if not each.derived)
    for each in node.nodes:
        yield from _roots(each)


def _are_unordered(left: Member, right: Member) -> bool:
    """Whether both are listings in which the order of the rows means nothing."""
    return all(isinstance(one.inside, Listing) and one.inside.unordered for one in (left, right))


def _rest(fact: Fact | None) -> bytes:
    """What stays of a fact's bytes when they are normalised."""
    return fact.rest() if fact and fact.rest else b""


def _is_placed(kind: str) -> bool:
    """Whether consequences of this kind are about the places of parts of a program."""
    program = kind.startswith(tuple(f"{name}." for name in _PROGRAMS))
    return program and kind != "elf.strings" and follows_places(kind)


def _unmoved(node: Node, layouts: set[Route], below: Route = ()) -> Node:
    """A node of a stream in which nothing moved: no row at the routes `layouts` may have another
    place, and those told together (without a route of their own) not either."""
    differences = tuple(
        replace(each, derived=False)
        if each.derived
        and _is_placed(each.kind)
        and ((*below, *each.where) in layouts or (not each.where and below in layouts))
        else each
        for each in node.differences
    )
    nodes = tuple(_unmoved(each, layouts, (*below, each.name)) for each in node.nodes)
    return replace(node, differences=differences, nodes=nodes)


def _has_claims(node: Node) -> bool:
    """Whether a cause was found in a stream, not only in streams inside it."""
    inside = (each for each in node.nodes if each.producer is None)
    return any(each.claims for each in node.differences) or any(map(_has_claims, inside))


def is_explained(node: Node) -> bool:
    """Whether every root in a node has claims."""
    return all(each.derived or each.claims for each in node.differences) and all(
        map(is_explained, node.nodes)
    )


def _is_part(member: Member) -> bool:
    """Whether the member is part of its container's format, not a stream of its own."""
    return member.opaque or member.inside is not None


def _shifted(member: Member, shift: int) -> int:
    """What to add to offsets in the member's content, so that they count in the stream."""
    return shift + member.at[0] if member.at else 0


def _as_roots(node: Node) -> Node:
    """The same differences, none of them a consequence: nothing is there to follow from."""
    return _each(node, lambda difference: replace(difference, derived=False))


def _as_derived(node: Node) -> Node:
    return _each(node, lambda difference: replace(difference, derived=True))


def _each(node: Node, change: Callable[[Difference], Difference]) -> Node:
    return replace(
        node,
        differences=tuple(map(change, node.differences)),
        nodes=tuple(_each(child, change) for child in node.nodes),
    )
