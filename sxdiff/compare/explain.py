"""Claims for the differences of one pair of streams: which causes make each place equal."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from sxdiff.causes.catalogue import cause as cause_of
from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import LONGEST, diagnose, suspect
from sxdiff.compare.normal import Ledger
from sxdiff.formats.producer import producer_of
from sxdiff.model import Blob, Claim, Difference, Node, Route, Value

HEAD = 2048
"""Bytes of a stream's start in which what wrote it may say its name; what a program says of its
compiler follows them."""
SHORT = 4096
"""Bytes of a range in a file of no known format that causes look at."""
_RAW = ("text", "text.order", "text.whitespace", "text.line_endings", "text.case")
"""Kinds whose values are excerpts of the stream's own bytes."""


class Explainer:
    """The streams `a` and `b` of `path`, below `route` in it, and what is claimed of them.

    What is unpacked from a part of a stream begins as the `outer` stream does.
    """

    def __init__(
        self,
        a: Blob,
        b: Blob,
        path: str,
        route: Route,
        ledger: Ledger,
        outer: "Explainer | None" = None,
    ) -> None:
        self._a, self._b = a, b
        self._path = path
        self._route = route
        self._ledger = ledger
        self._heads: tuple[str, str] | None = None
        self._outer = outer

    def all(
        self, found: Iterable[Difference], format_name: str, *, below: Route = ()
    ) -> list[Difference]:
        """The same differences, roots with their claims, or with what they look like."""
        return [
            each if each.derived or each.claims else self._one(each, format_name, below)
            for each in found
        ]

    def _one(self, found: Difference, format_name: str, below: Route) -> Difference:
        if found.kind == "file.more":
            return found
        if ".only_in_" in found.kind:
            one, two = (str(value.value) if value else "" for value in (found.a, found.b))
            where = (*self._route, *below, *found.where)
            site = Site(found.kind, one, two, self._path, where, format_name)
            return replace(found, suspect=suspect(site))
        a, b = self._said(found, found.a, self._a, 0), self._said(found, found.b, self._b, 1)
        if a is None or b is None:
            return found
        heads = self.heads()
        site = Site(
            found.kind,
            a,
            b,
            self._path,
            (*self._route, *below, *found.where),
            format_name,
            heads[0],
            found.symbol or "",
            heads[1],
        )
        diagnosis = diagnose(site)
        if diagnosis is None:
            return replace(found, suspect=suspect(site))
        normal = diagnosis.normal.encode("utf-8", "surrogateescape")
        # a longer text may take the zeros behind it, and move what lies in it
        self._ledger.moved((0, len(a)), (0, len(b)))
        if found.count == 1:
            self._ledger.replace(
                found.a.at if found.a else None, found.b.at if found.b else None, normal
            )
        return replace(found, claims=diagnosis.claims)

    def heads(self) -> tuple[str, str]:
        """How the stream begins on either side, and what it says of the tool that made it."""
        if self._outer is not None:
            return self._outer.heads()
        if self._heads is None:
            self._heads = _head(self._a), _head(self._b)
        return self._heads

    def _said(self, found: Difference, value: Value | None, blob: Blob, side: int) -> str | None:
        """What one side says at the place, whole; None where that can't be had."""
        if value is None:
            return ""
        raw = value.excerpt is not None or found.kind in _RAW or _is_short(found.kind, value)
        if raw and value.at is not None:
            at, size = value.at[0] - self._ledger.shifts[side], value.at[1]
            if size > LONGEST or at < 0 or at + size > blob.size:
                return None
            return blob.read(at, size).decode("utf-8", "surrogateescape")
        if value.value is None or (value.digest is not None and not _is_proved(found.kind)):
            return None
        return value.value if isinstance(value.value, str) else str(value.value)


def _head(blob: Blob) -> str:
    head = blob.read(0, HEAD).decode("utf-8", "surrogateescape")
    told = producer_of(blob) if "\0" in head else None
    return f"{head}\n{told}" if told else head


def standing(node: Node) -> Node:
    """A program of which not all is explained, without the claims that stand only where it is;
    without any where it is for another machine: then it is another program."""
    other = any(found.kind == "elf.header.e_machine" for found in node.differences)
    return _without(node, lambda claim: other or _is_entire(claim.cause))


def _is_entire(name: str) -> bool:
    known = cause_of(name)
    return known is not None and known.entire


def _without(node: Node, falls: Callable[[Claim], bool]) -> Node:
    """A node in which claims are no more than what the difference looks like."""
    differences = tuple(
        replace(found, claims=(), suspect=found.claims[0].cause)
        if any(map(falls, found.claims))
        else found
        for found in node.differences
    )
    nodes = tuple(_without(each, falls) for each in node.nodes)
    return replace(node, differences=differences, nodes=nodes)


def _is_short(kind: str, value: Value) -> bool:
    """Whether a range of bytes is short enough to be looked at, though not told whole."""
    return kind == "file.content" and value.at is not None and value.at[1] <= SHORT


def _is_proved(kind: str) -> bool:
    """Whether the comparison has proved what a kind says, so that the value needs not be whole."""
    return kind.endswith((".order", ".compression")) and kind not in _RAW
