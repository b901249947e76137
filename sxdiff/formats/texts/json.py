"""JSON documents: values by their path, whatever the order of keys or the layout of lines.

An object's values pair by key. A list whose objects have an identity (a unique name, id, path)
pairs by it; any other list is aligned element by element, each scalar a row. Documents in
envelopes of DSSE are looked into.

Source: RFC 8259; SPDX 2.3 and CycloneDX 1.6 for `Spdx` and `CycloneDx`; in-toto attestation
framework 1.0 (Statement) and DSSE 1.0.0 (envelope) for `InToto`.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sxdiff.formats.json import Json as Value
from sxdiff.formats.json import parse
from sxdiff.formats.texts.pieces import Names, piece
from sxdiff.model import Blob, Fact, Inside, Limits, Listing, Member, Row, text_of

DEEPEST = 10
"""Levels of parts in parts; what lies deeper is a listing."""
IDENTITIES: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("fileName",),
    ("path",),
    ("name", "version"),
    ("name", "versionInfo"),
    ("SPDXID",),
    ("bom-ref",),
    ("purl",),
    ("id",),
    ("@id",),
    ("digest",),
    ("uri",),
    ("url",),
    ("key",),
    ("_path",),
    ("spdxId",),
    ("ref",),
)
"""Keys that name an object of a list, where each object has them and no two have the same."""
PAYLOADS = frozenset(("payload", "rawBytes"))
"""Keys whose text is a document of JSON or DER in base64 (DSSE; Sigstore's bundle)."""
LONG = 1000
"""Bytes of a scalar from which on the places that differ in it are told."""
LONGEST_NAME = 200
_START = re.compile(
    rb"[ \t\r\n]*(?:\{[ \t\r\n]*[\"}]|\[[ \t\r\n]*(?:[\[{\"\]0-9]|-[0-9]|true|false|null))"
)


class Json:
    """Facts for scalars, a part for each object and list."""

    name = "json"

    def recognises(self, head: bytes) -> bool:
        """An object or a list, as far as its first token says."""
        return _START.match(head) is not None

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:
        """The document's pieces; raises `FormatError` where it is no JSON."""
        raw = blob.read()
        tree = parse(raw, replace(limits, document_bytes=limits.text_bytes))
        start, end = tree.at[0], sum(tree.at)
        yield from piece(f"{self.name}.start", raw, 0, start)
        document = _Document(self.name, raw, blob)
        if tree.kind == "object":
            yield from document.object(tree, 0, 1)
        else:
            yield from document.value("document", tree, 0, 1)
        yield from piece(f"{self.name}.end", raw, end, len(raw))


class Spdx(Json):
    """SPDX 2 documents in JSON."""

    name = "spdx"

    def recognises(self, head: bytes) -> bool:
        """`spdxVersion` among the first keys."""
        return super().recognises(head) and re.search(rb'"spdxVersion"\s*:', head) is not None


class CycloneDx(Json):
    """CycloneDX documents in JSON."""

    name = "cyclonedx"

    def recognises(self, head: bytes) -> bool:
        """`bomFormat`, which the specification fixes."""
        found = re.search(rb'"bomFormat"\s*:\s*"CycloneDX"', head)
        return super().recognises(head) and found is not None


class InToto(Json):
    """in-toto statements (SLSA and BuildKit provenance, SBOM attestations), and DSSE envelopes."""

    name = "in_toto"

    def recognises(self, head: bytes) -> bool:
        """The statement's `_type`, or the payload's type of an envelope."""
        found = re.search(
            rb'"_type"\s*:\s*"https://in-toto\.io/Statement/|'
            rb'"payloadType"\s*:\s*"application/vnd\.in-toto\+json"',
            head,
        )
        return super().recognises(head) and found is not None


@dataclass(frozen=True, slots=True)
class _Document:
    format: str
    raw: bytes
    blob: Blob

    def value(self, name: str, value: Value, base: int, level: int) -> Iterator[Fact | Member]:
        """One value by its name; its spans count from `base`."""
        start, size = value.at
        at = (start - base, size)
        if value.kind in ("object", "array"):
            inside = self._inside(value, level)
            kind = f"{self.format}.value"
            yield Member(name, self.blob.part(start, size), at, kind, inside=inside)
            return
        payload = self._payload(name, value)
        if payload:
            yield Member(name, partial(iter, (payload,)))
        if size > LONG and payload is None:
            # too long for a fact: where in the text it differs is told
            yield Member(name, self.blob.part(start, size), at, f"{self.format}.value", opaque=True)
            return
        spelled = text_of(self.raw[start : start + size])
        yield Fact(f"{self.format}.value", spelled, at, name, derived=payload is not None)

    def _payload(self, name: str, value: Value) -> bytes | None:
        """What an envelope of DSSE or a bundle of Sigstore holds, in base64."""
        if name not in PAYLOADS or not isinstance(value.value, str) or len(value.value) < 16:
            return None
        try:
            found = base64.b64decode(value.value, validate=True)
        except (binascii.Error, ValueError):
            return None
        return found if _START.match(found) or found[:2] == b"\x30\x82" else None

    def _inside(self, value: Value, level: int) -> Inside | Listing:
        base = value.at[0]
        if level < DEEPEST:
            if value.kind == "object":
                return Inside(self.format, lambda _: self.object(value, base, level + 1))
            names = _identities(value.items)
            if names:
                return Inside(self.format, lambda _: self._list(value, names, base, level + 1))
        return Listing(f"{self.format}.list", lambda _: self._rows(value, base))

    def object(self, value: Value, base: int, level: int) -> Iterator[Fact | Member]:
        """Key, value and comma of each member, in order."""
        names = Names()
        at = value.at[0]
        yield from self._piece("open", at, at + 1, base)
        at += 1
        for number, (key, key_at, item) in enumerate(value.members):
            name = names.unique(_short(key))
            if number:
                comma = self.raw.index(b",", at) + 1
                yield from self._piece("comma", at, comma, base)
                at = comma
            yield from self._piece("indent", at, key_at[0], base)
            yield from self._piece("key", key_at[0], item.at[0], base, name)  # with its colon
            yield from self.value(name, item, base, level)
            at = sum(item.at)
        yield from self._piece("close", at, sum(value.at), base)

    def _list(
        self, value: Value, identities: Sequence[str], base: int, level: int
    ) -> Iterator[Fact | Member]:
        names = Names()
        at = value.at[0]
        yield from self._piece("open", at, at + 1, base)
        at += 1
        for number, (identity, item) in enumerate(zip(identities, value.items, strict=True)):
            name = names.unique(identity)
            if number:
                comma = self.raw.index(b",", at) + 1
                yield from self._piece("comma", at, comma, base)
                at = comma
            yield from self._piece("indent", at, item.at[0], base)
            yield from self.value(name, item, base, level)
            at = sum(item.at)
        yield from self._piece("close", at, sum(value.at), base)

    def _piece(self, kind: str, start: int, end: int, base: int, name: str = "") -> Iterator[Fact]:
        if start < end:
            text = text_of(self.raw[start:end])
            at = (start - base, end - start)
            yield Fact(f"{self.format}.{kind}", text, at, name, derived=True)

    def _rows(self, value: Value, base: int) -> Iterator[Row]:
        """Each scalar and bracket as a row, as a document on lines of their own would have it."""
        at = value.at[0]
        # (what begins or ends, its key, depth, label), last first
        pending: list[tuple[Value | int, str, int, str]] = [(value, "", 0, "")]
        while pending:
            item, key, depth, label = pending.pop()
            start = at
            if isinstance(item, int):  # the end of an object or list
                at = item
                text = self.raw[at - 1 : at].decode("ascii")
            elif item.kind in ("object", "array"):
                at = item.at[0] + 1
                text = key + self.raw[at - 1 : at].decode("ascii")
                pending.append((sum(item.at), "", depth, label))
                pending += reversed(list(self._below(item, depth + 1, label)))
            else:
                at = sum(item.at)
                text = key + text_of(self.raw[item.at[0] : at])
            yield Row((start - base, at - start), "  " * depth + text, label=label)

    def _below(self, item: Value, depth: int, label: str) -> Iterable[tuple[Value, str, int, str]]:
        for _, (start, size), below in item.members:
            yield below, f"{text_of(self.raw[start : start + size])}: ", depth, label
        for number, below in enumerate(item.items):
            yield below, "", depth, label or (f"/{number}" if below.members else "")


def _identities(items: Sequence[Value]) -> list[str]:
    """A name for each object of a list; none where they have no identity."""
    if not items or any(item.kind != "object" for item in items):
        return []
    fields = [{key: value for key, _, value in item.members} for item in items]
    for keys in IDENTITIES:
        names = []
        for known in fields:
            values = [known[key].value for key in keys if key in known]
            if len(values) < len(keys) or not all(isinstance(one, str) and one for one in values):
                break
            names.append(" ".join(str(one) for one in values))
        if len(names) == len(items) == len(set(names)):
            return [_short(name) for name in names]
    return []


def _short(name: str) -> str:
    """A key as a step of a route: no key is too long for one."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
