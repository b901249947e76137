"""Members of a tar archive that one side stores as hard links, and the other once more."""

from collections.abc import Iterable
from dataclasses import dataclass

from sxdiff.compare import ranges
from sxdiff.compare.pair import Pairing, Part
from sxdiff.compare.untold import KIND as UNTOLD
from sxdiff.model import Blob, Difference, Fact, Member, Span, Value

KIND = "tar.hard_link"
_LINK, _FILE = "hard link", "regular file"
_ROOTS = frozenset({"tar.typeflag", "tar.linkname"})
_OF_A_LINK = frozenset({"tar.size", "tar.padding"})
"""What differs between a link and a file in consequence."""
_NAME = 100
"""Bytes of the field linkname, which follows typeflag (POSIX pax, "ustar Interchange Format")."""
_OF_A_FILE = frozenset(
    {"tar.mode", "tar.uid", "tar.gid", "tar.uname", "tar.gname", "tar.mtime", "tar.xattr"}
)
"""What a link has in common with the file that it is a link to, once unpacked."""


@dataclass(frozen=True, slots=True)
class Linked:
    """A name that is a link on `side`. `headers` lie on either side, in the order of the sides;
    `content` lies on the other side."""

    name: str
    side: int
    target: str
    headers: tuple[tuple[Span, ...], tuple[Span, ...]]
    content: Span

    def told(self) -> Difference:
        """The one difference that this is."""
        link = Value(f"hard link to {self.target}")
        copy = Value(f"regular file, {self.content[1]} bytes")
        a, b = (link, copy) if self.side == 0 else (copy, link)
        return Difference(KIND, a, b, (self.name,), bytes=self.content[1])


def linked(paired: Pairing, sides: tuple[Iterable[Part], Iterable[Part]]) -> list[Linked]:
    """Names that are links on one side and files of the same content on the other, where the
    file linked to stands before with the same content, owner, mode, time and attributes. They
    are taken out of `paired`. `sides` are both descriptions anew."""
    found = [
        (one.name, int(one.value == _FILE))
        for one, two in paired.facts
        if one and two and one.kind == "tar.typeflag"
        if {one.value, two.value} == {_LINK, _FILE}
    ]
    if not found:
        return []
    known = tuple(_by_name(side) for side in sides)
    of_name: dict[str, list[tuple[Fact | None, Fact | None]]] = {}
    for both in paired.facts:
        some = both[0] or both[1]
        if some:
            of_name.setdefault(some.name, []).append(both)
    out: list[Linked] = []
    gone: set[int] = set()
    names: set[str] = set()
    for name, side in found:
        here, there = known[side].get(name, []), known[1 - side].get(name, [])
        target = next((one.value for one in _facts(here) if one.kind == "tar.linkname"), None)
        if not isinstance(target, str) or f"{target} #2" in known[side]:
            continue  # of two with one name, which is linked to follows from how they are unpacked
        first = known[side].get(target, [])
        content, same = _content(there), _content(first)
        if content is None or same is None or _content(here) or not _before(first, here):
            continue
        if not _attributes(first) == _attributes(here) == _attributes(there):
            continue
        if not all(_is_of_a_link(one) for both in of_name[name] for one in both if one):
            continue
        if not ranges.equal(content[0], same[0]):
            continue
        roots = [both for both in of_name[name] if any(one and not one.derived for one in both)]
        gone.update(map(id, roots))
        names.add(name)
        # the name of the file linked to stands behind the type, and so does that of none
        a, b = (
            tuple((one.at[0], 1 + _NAME) for one in ones if _is_type(one) and one.at)
            for ones in (_facts(known[place].get(name, [])) for place in (0, 1))
        )
        out.append(Linked(name, side, target, (a, b), content[1]))
    paired.facts = [both for both in paired.facts if id(both) not in gone]
    paired.members = [
        both for both in paired.members if both[0].name not in names or both[0].kind == UNTOLD
    ]
    return out


def _by_name(parts: Iterable[Part]) -> dict[str, list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.name, []).append(part)
    return found


def _before(one: list[Part], two: list[Part]) -> bool:
    """Whether all of one member lies before another one."""
    ends = [sum(part.at) for part in one if part.at]
    starts = [part.at[0] for part in two if part.at]
    return bool(ends and starts) and max(ends) <= min(starts)


def _facts(parts: Iterable[Part]) -> list[Fact]:
    return [part for part in parts if isinstance(part, Fact)]


def _is_type(fact: Fact) -> bool:
    return fact.kind == "tar.typeflag"


def _content(parts: Iterable[Part]) -> tuple[Blob, Span] | None:
    """The content of a member and where it lies, where it has one."""
    for part in parts:
        if isinstance(part, Member) and isinstance(part.content, Blob) and part.at:
            return part.content, part.at
    return None


def _attributes(parts: Iterable[Part]) -> list[str]:
    """What a name has beside its content, once unpacked."""
    return sorted(f"{one.kind} {one.value!r}" for one in _facts(parts) if one.kind in _OF_A_FILE)


def _is_of_a_link(fact: Fact) -> bool:
    """Whether a fact is one that differs between a link and a file; sizes must be right."""
    return fact.kind in _ROOTS or (fact.derived and fact.kind in _OF_A_LINK)
