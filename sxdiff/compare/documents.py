"""Two JSON documents that differ, told by JSON pointer: values, order, and how they are written."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sxdiff.compare.redact import mask
from sxdiff.formats.json import Json, gaps, parse, pointer_to, style
from sxdiff.model import Difference, FormatError, Limits, Route, Span, Value, text_of

_LONG = 1000
_AROUND = 100
_CONTAINERS = ("object", "array")


def document_differences(
    format: str,  # noqa: A002 - the report's word
    a: bytes,
    b: bytes,
    limits: Limits,
    derived: Mapping[str, tuple[Route, ...]] | None = None,
) -> list[Difference]:
    """How two documents differ, never empty where their bytes do.

    Kinds are `FORMAT.value`, `FORMAT.order` and `FORMAT.encoding`. Differences at or below a
    pointer of `derived` follow from the routes there. Where one side is no JSON or beyond the
    limits, the bytes are told as `FORMAT.encoding`.
    """
    if a == b:
        return []
    trees: list[Json] = []
    troubles: list[str | None] = []
    for raw in (a, b):
        try:
            trees.append(parse(raw, limits))
            troubles.append(None)
        except FormatError as error:
            troubles.append(f"not compared as JSON: {error}")
    if len(trees) < 2:
        return [_bytes_difference(format, a, b, troubles)]
    comparison = _Comparison(format, a, b, derived or {})
    comparison.compare("", *trees)
    comparison.close(*trees)
    return comparison.differences or [_bytes_difference(format, a, b, troubles)]


@dataclass(slots=True)
class _Comparison:
    format: str
    a: bytes
    b: bytes
    derived: Mapping[str, tuple[Route, ...]]
    differences: list[Difference] = field(default_factory=list)
    key_orders: list[tuple[str, list[str], list[str]]] = field(default_factory=list)
    spellings: list[tuple[str, Span, Span]] = field(default_factory=list)

    def compare(self, pointer: str, a: Json, b: Json) -> None:
        if a.kind == b.kind == "object":
            self._objects(pointer, a, b)
        elif a.kind == b.kind == "array":
            self._arrays(pointer, a, b)
        elif a.kind != b.kind:
            self._tell(pointer, _typed(self.a, a), _typed(self.b, b))
        elif a.value == b.value and a.kind != "literal":
            if _source(self.a, a) != _source(self.b, b):
                self.spellings.append((pointer, a.at, b.at))
        elif a.value is not b.value:
            self._tell(pointer, _scalar(a), _scalar(b))

    def _objects(self, pointer: str, a: Json, b: Json) -> None:
        left, right = _members(a), _members(b)
        for key, (key_at, value) in left.items():
            below = _pointer(pointer, key)
            if key in right:
                other_key_at, other = right[key]
                if _part(self.a, key_at) != _part(self.b, other_key_at):
                    self.spellings.append((below, key_at, other_key_at))
                self.compare(below, value, other)
            else:
                self._tell(below, _shown(self.a, value, key_at), None)
        for key, (key_at, value) in right.items():
            if key not in left:
                self._tell(_pointer(pointer, key), None, _shown(self.b, value, key_at))
        orders = [key for key in left if key in right], [key for key in right if key in left]
        if orders[0] != orders[1]:
            self.key_orders.append(
                (pointer, [key for key, _ in orders[0]], [key for key, _ in orders[1]])
            )

    def _arrays(self, pointer: str, a: Json, b: Json) -> None:
        left = [_canonical(self.a, item) for item in a.items]
        right = [_canonical(self.b, item) for item in b.items]
        head = 0
        while head < min(len(left), len(right)) and left[head] == right[head]:
            self.compare(pointer_to(pointer, head), a.items[head], b.items[head])
            head += 1
        tail = 0
        while tail < min(len(left), len(right)) - head and left[-1 - tail] == right[-1 - tail]:
            tail += 1
            self._element(pointer, a, b, len(left) - tail, len(right) - tail)
        in_a, in_b = range(head, len(left) - tail), range(head, len(right) - tail)
        if not in_a and not in_b:
            return
        pairs = _pairs([left[i] for i in in_a], [right[i] for i in in_b])
        if pairs is None:
            pairs = _pairs_by_identity(
                [_identity(self.a, a.items[i]) for i in in_a],
                [_identity(self.b, b.items[i]) for i in in_b],
            )
        for i, j in pairs:
            self._element(pointer, a, b, in_a[i], in_b[j])
        for i in sorted(set(range(len(in_a))) - {i for i, _ in pairs}):
            self._tell(pointer_to(pointer, in_a[i]), _shown(self.a, a.items[in_a[i]]), None)
        for j in sorted(set(range(len(in_b))) - {j for _, j in pairs}):
            self._tell(pointer_to(pointer, in_b[j]), None, _shown(self.b, b.items[in_b[j]]))
        if [j for _, j in sorted(pairs)] != sorted(j for _, j in pairs):
            texts = _order(self.a, a), _order(self.b, b)
            self._tell(pointer, *texts, kind="order", size=max(a.at[1], b.at[1]))

    def _element(self, pointer: str, a: Json, b: Json, i: int, j: int) -> None:
        # the smaller place is the same one when the sides are swapped
        self.compare(pointer_to(pointer, min(i, j)), a.items[i], b.items[j])

    def _tell(
        self,
        pointer: str,
        a: Value | None,
        b: Value | None,
        kind: str = "value",
        size: int | None = None,
    ) -> None:
        if size is None:
            size = _differing(_part(self.a, a.at) if a else b"", _part(self.b, b.at) if b else b"")
        routes = self._routes(pointer)
        self.differences.append(
            Difference(
                kind=f"{self.format}.{kind}",
                a=a,
                b=b,
                where=(pointer,) if pointer else (),
                bytes=size,
                derived=routes is not None,
                derived_from=routes or (),
            )
        )

    def _routes(self, pointer: str) -> tuple[Route, ...] | None:
        steps = pointer.split("/")
        for end in range(len(steps), 0, -1):
            routes = self.derived.get("/".join(steps[:end]))
            if routes is not None:
                return routes
        return None

    def close(self, tree_a: Json, tree_b: Json) -> None:
        """Tell once how the documents are written, where that differs: three things at most."""
        if self.key_orders:
            pointer, a, b = min(self.key_orders)
            more = f" (and of {len(self.key_orders) - 1} more)" if len(self.key_orders) > 1 else ""
            label = f"order of keys of {pointer or 'the document'}{more}: "
            size = sum(len(key.encode()) + 2 for _, keys, _ in self.key_orders for key in keys)
            self._encoding(_value(label + ", ".join(a)), _value(label + ", ".join(b)), size)
        if self.spellings:
            _, at_a, at_b = min(self.spellings)
            size = sum(max(x[1], y[1]) for _, x, y in self.spellings)
            self._encoding(
                _value(text_of(_part(self.a, at_a)), at_a),
                _value(text_of(_part(self.b, at_b)), at_b),
                size,
            )
        styles = style(self.a, tree_a), style(self.b, tree_b)
        if styles[0] != styles[1]:
            size = max(sum(map(len, gaps(self.a, tree_a))), sum(map(len, gaps(self.b, tree_b))))
            self._encoding(Value(styles[0]), Value(styles[1]), size)

    def _encoding(self, a: Value, b: Value, size: int) -> None:
        self.differences.append(Difference(f"{self.format}.encoding", a, b, bytes=size))


def _pointer(pointer: str, key: tuple[str, int]) -> str:
    """A key that occurs twice is `key (2)`: JSON pointers have no word for it."""
    return pointer_to(pointer, key[0] if key[1] == 1 else f"{key[0]} ({key[1]})")


def _members(value: Json) -> dict[tuple[str, int], tuple[Span, Json]]:
    """Members by key and number of the key's occurrence."""
    counts: Counter[str] = Counter()
    members = {}
    for key, key_at, item in value.members:
        counts[key] += 1
        members[key, counts[key]] = (key_at, item)
    return members


def _part(raw: bytes, at: Span | None) -> bytes:
    return raw[at[0] : at[0] + at[1]] if at else b""


def _source(raw: bytes, value: Json) -> bytes:
    return _part(raw, value.at)


def _scalar(value: Json) -> Value:
    if isinstance(value.value, str):
        return _value(value.value, value.at)
    return Value(value.value, value.at)


def _typed(raw: bytes, value: Json) -> Value:
    """The value as compact JSON, so that the string "1" is not the number 1."""
    return _value(b"".join(_compact(raw, value)).decode(), value.at)


def _shown(raw: bytes, value: Json, key_at: Span | None = None) -> Value:
    """A value that the other side does not have, its key included in its span."""
    shown = _typed(raw, value) if value.kind in _CONTAINERS else _scalar(value)
    if key_at is None:
        return shown
    return replace(shown, at=(key_at[0], sum(value.at) - key_at[0]))


def _order(raw: bytes, array: Json) -> Value:
    """A list, each element by as little as tells it from the others."""
    labels = []
    for item in array.items:
        digest = next((below for key, _, below in item.members if key == "digest"), item)
        labels.append(b"".join(_compact(raw, digest)))
    return _value(f"[{b', '.join(labels).decode()}]", array.at)


def _value(text: str, at: Span | None = None) -> Value:
    """A text, or the beginning of a long one with its size and digest."""
    if len(text) <= _LONG:
        return Value(text, at)
    data = text.encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    # a secret that is cut in two is none that could be known
    return Value(mask(text)[:_LONG], at, size=len(data), digest=digest)


def _compact(raw: bytes, value: Json) -> list[bytes]:
    """The value without white space, each token as it is spelled."""
    if value.kind == "object":
        out = [b"{"]
        for number, (_, key_at, item) in enumerate(value.members):
            out += [b"," if number else b"", _part(raw, key_at), b":", *_compact(raw, item)]
        return [*out, b"}"]
    if value.kind == "array":
        out = [b"["]
        for number, item in enumerate(value.items):
            out += [b"," if number else b"", *_compact(raw, item)]
        return [*out, b"]"]
    return [_source(raw, value)]


def _canonical(raw: bytes, value: Json) -> bytes:
    """Equal for values that mean the same, however they are written."""
    state = hashlib.blake2b(value.kind.encode(), digest_size=16)
    if value.kind == "object":
        members = _members(value)
        for key in sorted(members):
            state.update(repr(key).encode() + _canonical(raw, members[key][1]))
    elif value.kind == "array":
        for item in value.items:
            state.update(_canonical(raw, item))
    else:
        state.update(repr(value.value).encode())
    return state.digest()


_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=")
_EXACT = ("platform", "variable")
"""Sorts of identity that say that two elements are not the same."""
_REFERENCE_TYPE = "vnd.docker.reference.type"


def _identity(raw: bytes, value: Json) -> tuple[str, bytes]:
    """What stays the same in an element whose rest differs, and of which sort that is."""
    if value.kind == "string" and isinstance(value.value, str):
        found = _VARIABLE.match(value.value)
        return ("variable", found[1].encode()) if found else ("", b"")
    members = {key: item for key, _, item in value.members}
    if platform := members.get("platform"):
        identity = _canonical(raw, platform)
        for key, _, item in members["annotations"].members if "annotations" in members else ():
            if key == _REFERENCE_TYPE:
                identity += _canonical(raw, item)
        return "platform", identity
    if created_by := members.get("created_by"):
        return "step", _canonical(raw, created_by)
    return "", b""


def _pairs(a: list[bytes], b: list[bytes]) -> list[tuple[int, int]] | None:
    """Places of equal elements; None unless all of them pair."""
    if Counter(a) != Counter(b):
        return None
    places: dict[bytes, list[int]] = {}
    for j, name in enumerate(b):
        places.setdefault(name, []).append(j)
    return [(i, places[name].pop(0)) for i, name in enumerate(a)]


def _pairs_by_identity(
    a: list[tuple[str, bytes]], b: list[tuple[str, bytes]]
) -> list[tuple[int, int]]:
    """Places of elements with one identity, in their order; the rest pairs by place if it can.

    A platform or a variable that only one side has is no counterpart of another one.
    """
    places: dict[tuple[str, bytes], list[int]] = {}
    for j, identity in enumerate(b):
        places.setdefault(identity, []).append(j)
    pairs = []
    for i, identity in enumerate(a):
        if places.get(identity):
            pairs.append((i, places[identity].pop(0)))
    rest_a = sorted(set(range(len(a))) - {i for i, _ in pairs})
    rest_b = sorted(set(range(len(b))) - {j for _, j in pairs})
    if len(rest_a) == len(rest_b):
        rest = zip(rest_a, rest_b, strict=True)
        pairs += [(i, j) for i, j in rest if a[i][0] not in _EXACT or b[j][0] not in _EXACT]
    return sorted(pairs)


def _common(a: bytes, b: bytes) -> int:
    """Length of the common beginning, by halving: long documents differ in little."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _differing(a: bytes, b: bytes) -> int:
    """Bytes between the common beginning and the common end, on the larger side."""
    head = _common(a, b)
    return max(len(a), len(b)) - head - _common(a[head:][::-1], b[head:][::-1])


def _bytes_difference(
    format: str,  # noqa: A002 - the report's word
    a: bytes,
    b: bytes,
    troubles: list[str | None],
) -> Difference:
    """The bytes from the first one that differs on, where no structure tells the difference."""
    at = _common(a, b)
    begin = max(0, at - _AROUND)
    values = [
        Value(
            trouble,
            (at, len(raw) - at),
            text_of(raw[begin : at + _AROUND]),
            len(raw),
            f"sha256:{hashlib.sha256(raw).hexdigest()}",
        )
        for raw, trouble in zip((a, b), troubles, strict=True)
    ]
    return Difference(f"{format}.encoding", values[0], values[1], bytes=_differing(a, b))
