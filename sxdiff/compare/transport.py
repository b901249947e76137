"""Two inputs that carry the same or another image: what differs in the carrying itself.

Blobs are told where the image's graph leads to them. Here it is the archive around them: its
form, its compression, each header field, the order of members, what no document points at, and
what fills the gaps.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sxdiff.compare.archive_headers import differing, header_pairs, masked
from sxdiff.compare.documents import document_differences
from sxdiff.model import Blob, Difference, Fact, Limits, Route, Scalar, Value

_MOST_HEADER = 16 << 20
_MOST_IN_ORDER = 20
_CHUNK = 1 << 20
_OF_THE_CARRIER = {
    "oci-layout",
    "manifest.json",
    "repositories",
    "version",
    "VERSION",
    "json",
    "directory",
}
"""Last steps of the routes of members that belong to the form and not to the image's graph."""

_Key = tuple[str, Route | str, int]
_Sides = tuple[Value | None, Value | None]


class Listed(Protocol):
    """One member of a listing (`image.archive.ArchiveMember`)."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def header(self) -> Blob | None: ...
    @property
    def content(self) -> Blob: ...
    @property
    def padding(self) -> Blob | None: ...
    @property
    def target(self) -> str: ...


class Packing(Protocol):
    """Compression around the whole (`image.outer.Outer`)."""

    @property
    def compression(self) -> str: ...
    @property
    def facts(self) -> Sequence[Fact]: ...


class Listing(Protocol):
    """The files of an input (`image.store.Store`)."""

    path: str
    size: int
    others: int
    archive: Blob | None
    tail: Blob | None

    @property
    def members(self) -> Sequence[Listed]: ...
    @property
    def outer(self) -> Packing | None: ...


class Opened(Protocol):
    """An input: its form, its members and what they are for (`image.graph.Input`)."""

    @property
    def form(self) -> str: ...
    @property
    def store(self) -> Listing: ...
    @property
    def roles(self) -> Mapping[str, Route]: ...


def transport_differences(a: Opened, b: Opened, limits: Limits | None = None) -> list[Difference]:
    """How two inputs differ apart from their images' documents and layers.

    Routes are relative to that of the archive. Members pair by what they are to the image, else
    by name. Where nothing else differs at all, and yet the bytes do, that is `untold`.
    """
    transport = _Transport(a, b, limits or Limits())
    transport.compare()
    return transport.differences


@dataclass(slots=True)
class _Field:
    """What differs in the same field of several members, with the values of the first."""

    members: int = 0
    values: _Sides = (None, None)
    bytes: int = 0

    def add(self, values: _Sides, size: int) -> None:
        if not self.members:
            self.values = values
        self.members += 1
        self.bytes += size

    @property
    def count(self) -> str:
        return "1 member" if self.members == 1 else f"{self.members} members"


@dataclass(slots=True)
class _Transport:
    a: Opened
    b: Opened
    limits: Limits
    differences: list[Difference] = field(default_factory=list)
    fields: dict[str, _Field] = field(default_factory=dict)
    padding: _Field = field(default_factory=_Field)
    contents_differ: bool = False

    def compare(self) -> None:
        a, b = self.a.store, self.b.store
        roots = [opened.form.startswith("root-") for opened in (self.a, self.b)]
        if self.a.form != self.b.form:
            self._tell("archive.form", (), (Value(self.a.form), Value(self.b.form)), 1)
        self._compression()
        if any(roots):
            return  # members and their packing are told as a layer's are
        self._members()
        for name, entry in self.fields.items():
            self._tell("archive.header", (f"{name} of {entry.count}",), entry.values, entry.bytes)
        if self.padding.members:
            where = (f"behind {self.padding.count}",)
            self._tell("archive.padding", where, self.padding.values, self.padding.bytes)
        if a.tail is not None and b.tail is not None and not _same(a.tail, b.tail):
            size = max(a.tail.size, b.tail.size)
            self._tell("archive.padding", ("end",), (_tail(a.tail), _tail(b.tail)), size)
        if not self.differences and not self.contents_differ and not self._equal_files():
            sums = [Value(_digest(Blob(store.path, 0, store.size))) for store in (a, b)]
            self._tell("untold", (), (sums[0], sums[1]), max(a.size, b.size))

    def _equal_files(self) -> bool:
        a, b = self.a.store, self.b.store
        if a.archive is None or b.archive is None:
            return True  # of a directory, every file was compared
        return _same(Blob(a.path, 0, a.size), Blob(b.path, 0, b.size))

    def _tell(self, kind: str, where: Route, values: _Sides, size: int) -> None:
        self.differences.append(Difference(kind, *values, where, bytes=max(1, size)))

    def _compression(self) -> None:
        a, b = self.a.store.outer, self.b.store.outer
        names = a.compression if a else "none", b.compression if b else "none"
        if names[0] != names[1]:
            self._tell("archive.compression", (), (Value(names[0]), Value(names[1])), 1)
            return
        if a is None or b is None:
            return
        before = len(self.differences)
        left, right = _facts(a), _facts(b)
        for key in sorted(left.keys() | right.keys()):
            one, other = left.get(key), right.get(key)
            if one and other and one.value == other.value:
                continue
            size = max((fact.at[1] for fact in (one, other) if fact and fact.at), default=1)
            self._tell("archive.compression", (key[0],), (_fact(one), _fact(other)), size)
        stores = self.a.store, self.b.store
        archives = stores[0].archive, stores[1].archive
        if len(self.differences) == before and archives[0] and archives[1]:
            packed = [Blob(store.path, 0, store.size) for store in stores]
            if _same(archives[0], archives[1]) and not _same(packed[0], packed[1]):
                sums = [Value(_digest(blob), size=blob.size) for blob in packed]
                size = max(blob.size for blob in packed)
                self._tell("archive.compression", ("stream",), (sums[0], sums[1]), size)

    def _members(self) -> None:
        left, right = _by_key(self.a), _by_key(self.b)
        same_form = self.a.form == self.b.form
        for key, one in left.items():
            other = right.get(key)
            if other is not None:
                self._pair(one, other)
            else:
                self._alone(self.a, one, in_a=True, told=same_form)
        for key, other in right.items():
            if key not in left:
                self._alone(self.b, other, in_a=False, told=same_form)
        counts = self.a.store.others, self.b.store.others
        if same_form:
            if counts[0] != counts[1] and max(counts) > len(left):
                self._tell("archive.extra", (), (Value(counts[0]), Value(counts[1])), 1)
            self._order(left, right)

    def _alone(self, side: Opened, member: Listed, *, in_a: bool, told: bool) -> None:
        """A member without a counterpart; one of the graph is told by what points at it."""
        role = side.roles.get(member.name)
        if not told or (role is not None and role[-1] not in _OF_THE_CARRIER):
            self.contents_differ = True
            return
        value = Value(f"{member.kind} of {member.content.size} bytes", size=member.content.size)
        size = member.content.size + (member.header.size if member.header else 0)
        where = (_label(role, member.name),)
        self._tell("archive.extra", where, (value, None) if in_a else (None, value), size)

    def _pair(self, a: Listed, b: Listed) -> None:
        role = self.a.roles.get(a.name)
        if role is not None and role[-1] not in _OF_THE_CARRIER:
            # told by the graph, and gigabytes perhaps: what is named by its digest is not read
            unlike = a.name != b.name or a.content.size != b.content.size
            small = a.content.size <= _CHUNK
            self.contents_differ |= unlike or (small and not _same(a.content, b.content))
        elif not _same(a.content, b.content):
            self._content(a, b, role)
        if a.header is not None and b.header is not None:
            raw = a.header.read(0, _MOST_HEADER), b.header.read(0, _MOST_HEADER)
            if raw[0] != raw[1]:
                for pair in header_pairs(*raw, resized=a.content.size != b.content.size):
                    entry = self.fields.setdefault(pair.name, _Field())
                    entry.add((pair.a, pair.b), pair.bytes)
        elif a.kind != b.kind or masked(a.target.encode()) != masked(b.target.encode()):
            entry = self.fields.setdefault("typeflag", _Field())
            entry.add((Value(f"{a.kind} {a.target}"), Value(f"{b.kind} {b.target}")), 1)
        one, other = (m.padding.read() if m.padding else b"" for m in (a, b))
        resized = len(one) != len(other)
        if one != other and not (resized and not (one + other).strip(b"\0")):
            self.padding.add((Value(one.hex()), Value(other.hex())), differing(one, other))

    def _content(self, a: Listed, b: Listed, role: Route | None) -> None:
        """A file that no document of the graph points at: it is told here or nowhere."""
        name = _label(role, a.name)
        size = max(a.content.size, b.content.size)
        if size <= self.limits.document_bytes:
            raw = a.content.read(), b.content.read()
            if raw[0][:1] in (b"{", b"[") and raw[1][:1] in (b"{", b"["):
                copies = self._config_values(role)
                for found in document_differences("layout", *raw, self.limits):
                    routes = self._follows(found, role, copies)
                    self.differences.append(
                        replace(
                            found,
                            where=(name, *found.where),
                            derived=bool(routes),
                            derived_from=routes,
                        )
                    )
                return
        sums = [Value(_digest(m.content), (0, m.content.size), size=m.content.size) for m in (a, b)]
        self._tell("archive.extra", (name,), (sums[0], sums[1]), size)

    def _config_values(self, role: Route | None) -> set[tuple[Scalar, Scalar]]:
        """What differs between the configs beside a layer's old `json`, which copies from them."""
        if role is None or role[-1] != "json":
            return set()
        route = (*role[:-2], "config")
        configs = [_member(opened, route) for opened in (self.a, self.b)]
        if configs[0] is None or configs[1] is None:
            return set()
        found = document_differences(
            "config", configs[0].content.read(), configs[1].content.read(), self.limits
        )
        return {(d.a.value if d.a else None, d.b.value if d.b else None) for d in found}

    def _follows(
        self, found: Difference, role: Route | None, copies: set[tuple[Scalar, Scalar]]
    ) -> tuple[Route, ...]:
        """The part of the image that both sides' values name, or copy from."""
        values = found.a.value if found.a else None, found.b.value if found.b else None
        part = _part(self.a, values[0])
        if part is not None and part == _part(self.b, values[1]):
            routes = [part]
            if values[0] not in self.a.roles:
                # a layer's old identifier, which is of the config, too (moby, image/spec/v1)
                routes.append((*part[:-1], "config"))
            return tuple(route for route in routes if self._changed(route))
        if role is not None and values in copies:
            return ((*role[:-2], "config"),)
        return ()

    def _changed(self, route: Route) -> bool:
        members = [_member(opened, route) for opened in (self.a, self.b)]
        if members[0] is None or members[1] is None:
            return False
        return not _same(members[0].content, members[1].content)

    def _order(self, left: Mapping[_Key, Listed], right: Mapping[_Key, Listed]) -> None:
        """Order by role; where both sides sort by name, another digest is another place."""
        if self.a.store.archive is None or self.b.store.archive is None:
            return  # a directory has no order
        a = [key for key in left if key in right]
        b = [key for key in right if key in left]
        names = [left[key].name for key in a], [right[key].name for key in b]
        if a == b or all(side == sorted(side) for side in names):
            return
        moved = sum(one != other for one, other in zip(a, b, strict=True))
        shown = [
            Value(", ".join(_label(*_step(key)) for key in side[:_MOST_IN_ORDER]))
            for side in (a, b)
        ]
        self._tell("archive.order", (), (shown[0], shown[1]), 512 * moved)


def _by_key(side: Opened) -> dict[_Key, Listed]:
    """Members in their order: by role, else by name; the same again is the second of its kind."""
    counts: Counter[tuple[str, Route | str]] = Counter()
    found: dict[_Key, Listed] = {}
    for member in sorted(side.store.members, key=lambda member: member.position):
        role = side.roles.get(member.name)
        key: tuple[str, Route | str] = ("name", member.name) if role is None else ("role", role)
        counts[key] += 1
        found[(*key, counts[key])] = member
    return found


def _step(key: _Key) -> tuple[Route | None, str]:
    return (None, key[1]) if isinstance(key[1], str) else (key[1], "")


def _label(role: Route | None, name: str) -> str:
    """What to call a member: by its role, as its name may be a digest."""
    return name if role is None else " ".join(role)


def _member(side: Opened, route: Route) -> Listed | None:
    name = next((name for name, role in side.roles.items() if role == route), None)
    return next((member for member in side.store.members if member.name == name), None)


def _part(side: Opened, value: Scalar) -> Route | None:
    """What a text in manifest.json or repositories names: a member, or a layer's directory."""
    if not isinstance(value, str):
        return None
    role = side.roles.get(value) or side.roles.get(f"{value}/layer.tar")
    return role[:-1] if role and role[-1] == "link" else role


def _facts(outer: Packing) -> dict[tuple[str, str], Fact]:
    return {(fact.kind.removeprefix("layer."), fact.name): fact for fact in outer.facts}


def _fact(fact: Fact | None) -> Value | None:
    return Value(fact.value, fact.at) if fact else None


def _tail(tail: Blob) -> Value:
    """What stands behind the last member: how many bytes, and which where they are not zeros."""
    head = tail.read(0, _CHUNK)
    if tail.size == len(head) and not head.strip(b"\0"):
        return Value(f"{tail.size} zero bytes", size=tail.size)
    return Value(f"{tail.size} bytes", size=tail.size, digest=_digest(tail))


def _chunks(blob: Blob) -> Iterator[bytes]:
    with blob.open(_CHUNK) as stream:
        while data := stream.read(_CHUNK):
            yield data


def _digest(blob: Blob) -> str:
    state = hashlib.sha256()
    for data in _chunks(blob):
        state.update(data)
    return f"sha256:{state.hexdigest()}"


def _same(a: Blob, b: Blob) -> bool:
    if a.size != b.size:
        return False
    if not a.size or (a.path, a.offset) == (b.path, b.offset):
        return True
    return all(x == y for x, y in zip(_chunks(a), _chunks(b), strict=True))
