"""Which differing streams a digest or a size that is written elsewhere belongs to.

A checksum list, a RECORD, a package database follow from the files that they speak of. That is
proved where the value of each side is the digest of one stream there.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sxdiff.model import Blob, Claim, Fact, Member, Node, Route

LOOKUP = "digest"
"""What a claim needs that is about the digest of another stream."""
LISTED = "listed"
"""What a claim needs that is about an entry of a list: a file of this path and digest that is
itself on one side only, or renamed."""
IDENTITY = "build-id"
"""What a claim needs that is about the build-id of a program."""
IDENTITIES = frozenset({"elf.note.build_id"})
"""Kinds of differences that say what a program is known by."""
SEPARATED = "derived-elf-build-id"
"""The cause of a build-id that follows from what was taken out of the program."""
CHUNK = 1 << 20

_ALGORITHMS = {16: "md5", 20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
SIZES = frozenset(_ALGORITHMS)
"""Sizes in bytes of the digests that are known."""
_SIZE = b"size "

Key = tuple[bytes, bytes]
"""What is written on side a and on side b: raw digests, or sizes."""


@dataclass
class Known:
    """What differing streams are known by, and where they are."""

    routes: dict[Key, Route] = field(default_factory=dict)
    identities: dict[tuple[str, str], Route] = field(default_factory=dict)
    """Build-ids of side a and of side b, and which program has them."""
    hashed: dict[tuple[str, str], Route] = field(default_factory=dict)
    """The same of debug files in which more differs than the build-id: what the linker hashed.
    Also without the two digits that name a directory."""
    wanted: set[int] = field(default_factory=set)
    """Sizes in bytes of the digests that somebody asked for; 0 for sizes of streams."""

    def want(self, node: Node) -> None:
        """Note which digests the claims of a node need."""
        for claim in _claims(node):
            raw = written(claim.a)
            if raw is not None:
                self.wanted.add(0 if raw.startswith(_SIZE) else len(raw))

    def add(self, a: Iterable[bytes], b: Iterable[bytes], route: Route) -> None:
        """Two streams of one place differ and are known by these values, in one order."""
        for key in zip(a, b, strict=True):
            self.routes.setdefault(key, route)

    def identify(self, node: Node, route: Route) -> None:
        """Note the build-ids that differ in the program at a route. Of several programs with the
        same two the first route counts, whichever came first."""
        for found in node.differences:
            a, b = found.a and found.a.value, found.b and found.b.value
            if found.kind in IDENTITIES and isinstance(a, str) and isinstance(b, str):
                known = self.identities.get((a, b), route)
                self.identities[a, b] = min(known, route, key=_by_origin)
                if found.derived and _is_debug_file(route):
                    for pair in ((a, b), (a[2:], b[2:])):
                        self.hashed[pair] = min(self.hashed.get(pair, route), route)
        for each in node.nodes:
            self.identify(each, route)

    def named(self, claim: Claim) -> Route | None:
        """The program whose build-ids a claim's values are."""
        return self.identities.get((claim.a, claim.b))

    def separated(self, claim: Claim) -> Route | None:
        """The debug file that was taken out of the program whose build-ids a claim's values are,
        where it says itself why they differ."""
        return self.hashed.get((claim.a, claim.b)) if claim.cause == SEPARATED else None

    def find(self, claim: Claim) -> Route | None:
        """The streams whose digests or sizes a claim's values are."""
        a, b = written(claim.a), written(claim.b)
        return None if a is None or b is None else self.routes.get((a, b))


def _by_origin(route: Route) -> tuple[bool, Route]:
    """Debug files first: there is still what the linker has hashed."""
    return not _is_debug_file(route), route


def _is_debug_file(route: Route) -> bool:
    return any(step.endswith(".debug") for step in route)


def written(text: str) -> bytes | None:
    """The digest that a text says in hexadecimal or base64 (also URL-safe, also without its
    padding), or the size that it says in decimal; None for anything else."""
    if text.isdigit() and len(text) < 16:
        return _SIZE + text.encode()
    try:
        if len(text) in (32, 40, 64, 96, 128):
            return bytes.fromhex(text)
    except ValueError:
        pass
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) in _ALGORITHMS else None


def values(blob: Blob, wanted: Iterable[int]) -> list[bytes]:
    """The digests of a stream of the sizes wanted, in their order, and its size for 0."""
    sizes = sorted(wanted)
    states = [hashlib.new(_ALGORITHMS[size], usedforsecurity=False) for size in sizes if size]
    for at in range(0, blob.size if states else 0, CHUNK):
        chunk = blob.read(at, CHUNK)
        for state in states:
            state.update(chunk)
    digests = [state.digest() for state in states]
    return [_SIZE + str(blob.size).encode(), *digests] if 0 in sizes else digests


def settled(node: Node, known: Known) -> Node:
    """A node in which what follows from another stream of the same file is a consequence."""
    differences = []
    for found in node.differences:
        routes = [known.find(claim) for claim in found.claims if claim.needs == LOOKUP]
        if routes and len(routes) == len(found.claims) and None not in routes:
            below = tuple(dict.fromkeys(route for route in routes if route is not None))
            found = replace(found, claims=(), derived=True, derived_from=below)  # noqa: PLW2901 - the same one, settled
        differences.append(found)
    nodes = tuple(settled(each, known) for each in node.nodes)
    return replace(node, differences=tuple(differences), nodes=nodes)


def entry(name: str, parts: Iterable[Fact | Member]) -> str | None:
    """What an entry of a checksum list says: a digest and the name of a file. None where it says
    more."""
    found = None
    for part in parts:
        if isinstance(part, Member) or part.kind == "checksums.size":
            return None
        if part.kind == "checksums.digest":
            found = f"{part.value} {name}"
    return found


def entries(node: Node) -> Iterator[tuple[int, str, str]]:
    """Entries that only one side of a list has: the side, the digest and the name."""
    for found in node.differences:
        for claim in found.claims:
            if claim.needs == LISTED:
                digest, _, name = (claim.a or claim.b).partition(" ")
                yield int(not claim.a), digest, name


def confirmed(node: Node, known: Mapping[tuple[int, str, str], Route]) -> Node:
    """A list in which entries of the files that are known are consequences, and all others are
    unexplained."""
    differences, verified = [], node.verified
    for found in node.differences:
        if any(claim.needs == LISTED for claim in found.claims):
            (one,) = entries(replace(node, differences=(found,)))
            route = known.get(one)
            verified = verified and route is not None
            found = replace(  # noqa: PLW2901 - the same one, settled
                found,
                claims=(),
                derived=route is not None,
                derived_from=() if route is None else (route,),
            )
        differences.append(found)
    return replace(node, differences=tuple(differences), verified=verified)


def pending(node: Node) -> bool:
    """Whether a claim in a node needs a digest of another stream."""
    return any(True for _ in _claims(node))


def _claims(node: Node) -> Iterator[Claim]:
    for found in node.differences:
        yield from (claim for claim in found.claims if claim.needs == LOOKUP)
    for each in node.nodes:
        yield from _claims(each)
