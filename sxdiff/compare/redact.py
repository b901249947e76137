"""What no report may show, taken out of it: differences that lie in a secret are told as one,
with what it is, its size and digest.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from sxdiff.formats.digest import digest_of
from sxdiff.formats.text import UTF_16
from sxdiff.formats.trust.secret import LONGEST_KEY, Secret, secret_as_a_whole, secrets_in
from sxdiff.model import Blob, Difference, Node, Route, Span, Value

KIND = "file.secret"
CONTEXT = 16
"""Bytes around a difference of bytes that are shown with it."""
STEP = 8 << 20
"""Bytes that are looked at together."""
_HEAD = 36 << 10
_HARMLESS = frozenset({"text.encoding"})
"""Kinds whose values show no bytes."""


def redacted(
    a: Blob,
    b: Blob,
    found: Sequence[Difference],
    where: Route = (),
    *,
    shifts: tuple[int, int] = (0, 0),
    margin: int = CONTEXT,
) -> list[Difference] | None:
    """The same differences, but those that lie in a secret of a or b as one; None where none do and
    no secret is shown beside them.

    The offsets in `found` are those of `a` and `b` and `shifts`. `margin` is how many bytes
    around its span a difference may show.
    """
    spans = [
        [(told.at[0] - shift, told.at[1]) for told in values if told and told.at]
        for shift, values in zip(
            shifts, ([one.a for one in found], [one.b for one in found]), strict=True
        )
    ]
    secrets = [near(blob, each) for blob, each in zip((a, b), spans, strict=True)]
    if not any(secrets):
        return None
    merged = [_merged(each) for each in secrets]
    hidden: list[Difference] = []
    shown: list[Difference] = []
    for one in found:
        inside = one.kind not in _HARMLESS and any(
            told and told.at and _inside(each, (told.at[0] - shift, told.at[1]), margin)
            for told, shift, each in zip((one.a, one.b), shifts, merged, strict=True)
        )
        (hidden if inside else shown).append(one)
    if not hidden and not any(one.diff for one in found):
        return None
    # a line of context may be part of a secret
    out = [replace(one, diff=None) for one in shown]
    if hidden:
        told = [
            _value(blob, [one.a if side == 0 else one.b for one in hidden], secrets[side], shift)
            for side, (blob, shift) in enumerate(zip((a, b), shifts, strict=True))
        ]
        size = sum(one.bytes for one in hidden)
        derived = all(one.derived for one in hidden)
        out.append(Difference(KIND, told[0], told[1], where, size, derived=derived))
    return out


def holds(found: Iterable[Difference]) -> bool:
    """Whether a secret is among `found`."""
    return any(one.kind == KIND for one in found)


def whole(a: Blob, b: Blob, where: Route = (), *, shifts: tuple[int, int] = (0, 0)) -> Difference:
    """All of two streams, at least one of which holds a secret, as one difference."""
    told = [
        _value(blob, [Value(None, (shift, blob.size))], secrets(blob), shift)
        for blob, shift in zip((a, b), shifts, strict=True)
    ]
    return Difference(KIND, told[0], told[1], where, max(a.size, b.size))


def secrets(blob: Blob) -> list[Secret]:
    """All secrets of a stream."""
    return near(blob, [(0, blob.size)])


def near(blob: Blob, spans: Iterable[Span]) -> list[Secret]:
    """The secrets that may reach into any of `spans`."""
    head = blob.read(0, _HEAD)
    what = secret_as_a_whole(head)
    if what:
        return [Secret(0, blob.size, what)]
    mark = head[:2]
    if mark in UTF_16:  # letters of secrets have one byte that is not zero
        low = 0 if mark == b"\xff\xfe" else 1
        return [
            Secret(2 * one.start, 2 * one.end, one.what)
            for one in secrets_in(blob.read(0, STEP * 2)[low::2])
        ]
    out = []
    for start, end in _windows(spans, blob.size):
        # windows overlap, so that no secret is cut
        for at in range(start, end, STEP):
            data = blob.read(at, min(STEP + LONGEST_KEY, end - at))
            out += [Secret(at + one.start, at + one.end, one.what) for one in secrets_in(data)]
    return out


def _windows(spans: Iterable[Span], size: int) -> Iterator[Span]:
    """Starts and ends of what is around spans, merged."""
    start = end = -1
    for at, length in sorted(spans):
        low, high = max(0, at - LONGEST_KEY), min(size, at + length + LONGEST_KEY)
        if low <= end:
            end = max(end, high)
            continue
        if end > start:
            yield start, end
        start, end = low, high
    if end > start:
        yield start, end


def _merged(secrets: Iterable[Secret]) -> tuple[list[int], list[int]]:
    """Starts and ends of what secrets cover, in order."""
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted((one.start, one.end) for one in secrets):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def _inside(merged: tuple[list[int], list[int]], at: Span, margin: int) -> bool:
    starts, ends = merged
    start, end = at[0] - margin, sum(at) + margin
    place = bisect_right(ends, start)  # the first that ends behind the start
    return place < len(starts) and starts[place] < end


def _value(
    blob: Blob, values: Sequence[Value | None], secrets: Sequence[Secret], shift: int
) -> Value | None:
    """One side of what is hidden: from its first to its last byte."""
    spans = [told.at for told in values if told and told.at]
    if not spans:
        return None
    start = min(at for at, _ in spans) - shift
    size = max(map(sum, spans)) - shift - start
    kinds = dict.fromkeys(
        one.what for one in secrets if one.start < start + size and start < one.end
    )
    told = ", ".join(kinds) or ("bytes" if size else "")
    part = blob.part(start, size)
    return Value(told, (start + shift, size), size=size, digest=digest_of(part))


def masked(node: Node, *, name: bool = False) -> Node:
    """The node without secrets in any of its strings, but for its own name unless asked: the
    last look at what formats told."""
    differences = tuple(_masked_difference(one) for one in node.differences)
    problems = tuple(
        replace(one, where=tuple(map(mask, one.where)), message=mask(one.message))
        for one in node.problems
    )
    nodes = tuple(masked(child, name=True) for child in node.nodes)
    own = mask(node.name) if name else node.name
    return replace(node, name=own, differences=differences, nodes=nodes, problems=problems)


def shown(one: Difference) -> Difference:
    """A difference without secrets in any of its strings, its claims included: as it may be told
    where no file was looked into."""
    claims = tuple(replace(each, a=mask(each.a), b=mask(each.b)) for each in one.claims)
    masked_one = _masked_difference(one)
    return masked_one if claims == one.claims else replace(masked_one, claims=claims)


def _masked_difference(one: Difference) -> Difference:
    changed = {}
    for name in ("a", "b"):
        told = getattr(one, name)
        if told and isinstance(told.value, str):
            value = mask(told.value)
            if value is not told.value:
                changed[name] = replace(told, value=value, excerpt=None)
    for name in ("diff", "symbol", "source"):
        text = getattr(one, name)
        if text:
            masked_text = mask(text)
            if masked_text is not text:
                changed[name] = masked_text
    where = tuple(map(mask, one.where))
    if where != one.where:
        changed["where"] = where
    return replace(one, **changed) if changed else one


_MAY_BE = re.compile(r"[A-Za-z0-9+/=_.$:@-]{10}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?", re.ASCII)
_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2}){10,}")


def mask(text: str) -> str:
    """The text with each secret in it as what it is and a digest of it."""
    if not _MAY_BE.search(text) or _TIME.fullmatch(text):
        return text
    if _HEXADECIMAL.fullmatch(text) and (inside := secrets_in(bytes.fromhex(text))):
        return f"[{inside[0].what}, sha256:{sha256(bytes.fromhex(text)).hexdigest()[:16]}...]"
    data = text.encode(errors="surrogatepass")
    found = sorted(secrets_in(data), key=lambda one: (one.start, -one.end))
    if not found:
        return text
    out, at = [], 0
    for one in found:
        if one.end <= at:
            continue
        start = max(at, one.start)
        hashed = sha256(data[start : one.end]).hexdigest()[:16]
        out += [data[at:start], f"[{one.what}, sha256:{hashed}...]".encode()]
        at = one.end
    out.append(data[at:])
    return b"".join(out).decode(errors="replace")
