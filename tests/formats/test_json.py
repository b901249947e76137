"""RFC 8259 as it is written: spans, duplicates, source text, style."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxdiff.formats.json import Json, gaps, parse, scan, style
from sxdiff.model import FormatError, LimitError, Limits

LIMITS = Limits()

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=20,
)


def plain(value: Json) -> Any:
    """The value as `json.loads` gives it, with floats and long integers as their source text."""
    if value.kind == "object":
        return {key: plain(item) for key, _, item in value.members}
    if value.kind == "array":
        return [plain(item) for item in value.items]
    return value.value


def loads(raw: bytes) -> Any:
    def integer(text: str) -> int | str:
        return int(text) if len(text) <= 18 and text != "-0" else text

    def no_number(text: str) -> None:
        raise ValueError(text)

    value = json.loads(raw.decode(), parse_float=str, parse_int=integer, parse_constant=no_number)
    json.dumps(value, ensure_ascii=False).encode()  # no half of a surrogate pair
    return value


@given(values, st.sampled_from([None, 0, 1, 2, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_reads(
    value: Any, indent: Any, ascii_only: bool
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert plain(parse(raw, LIMITS)) == loads(raw)


def test_it_refuses_what_the_standard_library_refuses() -> None:
    chance = random.Random(3)
    raw = json.dumps({"a": [1, -2.5e3, "x\n\u00e9\U0001f600", None], "b": {"c": True}}).encode()
    alphabet = b'{}[],:"\\019-+.eEutfn \t\x00\x1f\x7f\xc3\xa9\xff/d8'
    for _ in range(10_000):
        data = bytearray(raw)
        for _ in range(chance.choice((1, 2, 3))):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(2)] = bytes([chance.choice(alphabet)])
        try:
            expected = loads(bytes(data))
        except (ValueError, UnicodeError):
            with pytest.raises(FormatError):
                parse(bytes(data), LIMITS)
        else:
            assert plain(parse(bytes(data), LIMITS)) == expected


def test_pointers_and_spans() -> None:
    """RFC 6901: `~` and `/` in keys are escaped."""
    raw = b' {"a": [1, "x"], "~/": null, "a": 1.50}\n'
    found = [
        (pointer, value.kind, value.value, raw[value.at[0] : sum(value.at)])
        for pointer, value in scan(raw, LIMITS)
    ]
    assert found == [
        ("", "object", None, raw.strip()),
        ("/a", "array", None, b'[1, "x"]'),
        ("/a/0", "number", 1, b"1"),
        ("/a/1", "string", "x", b'"x"'),
        ("/~0~1", "literal", None, b"null"),
        ("/a", "number", "1.50", b"1.50"),
    ]


@pytest.mark.parametrize("text", [b"", b" ", b"[", b"[1,]", b"{1:2}", b'{"a"}', b"01", b"\xff"])
def test_broken_documents(text: bytes) -> None:
    with pytest.raises(FormatError):
        parse(text, LIMITS)


def test_limits() -> None:
    with pytest.raises(LimitError, match="deeper than 64"):
        parse(b"[" * 65 + b"]" * 65, LIMITS)
    assert parse(b"[" * 64 + b"]" * 64, LIMITS).kind == "array"
    with pytest.raises(LimitError, match="deeper"):
        parse(b"[" * 1_000_000, LIMITS)
    with pytest.raises(LimitError, match="beyond 10"):
        parse(b"[1, 2, 3, 4]", Limits(document_bytes=10))
    with pytest.raises(LimitError, match="more than 250000 values"):
        parse(b"[" + b"0," * 250_000 + b"0]", LIMITS)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"separators": (",", ":")}, "compact"),
        ({}, "on one line, with spaces"),
        ({"indent": 2}, "indented by 2 spaces"),
        ({"indent": "\t"}, "indented by a tab"),
        ({"indent": 3, "separators": (",", ":")}, "indented by 3 spaces, tight colons"),
    ],
)
def test_styles(how: dict[str, Any], words: str) -> None:
    for value in ({"a": [1, {"b": []}], "c": {}, "d": "x"}, {"e": {"f": [[1], 2]}}):
        raw = json.dumps(value, **how).encode()
        assert style(raw, parse(raw, LIMITS)) == words
        raw += b"\n"
        assert style(raw, parse(raw, LIMITS)) == words + ", '\\n' at the end"
    raw = b'{"a" :1}'
    assert style(raw, parse(raw, LIMITS)).startswith("white space of no common style")


@given(values)
def test_tokens_and_gaps_are_the_whole_document(value: Any) -> None:
    raw = json.dumps(value, indent=2).encode()
    tokens = sum(size for _, (_, size) in _leaves(parse(raw, LIMITS)))
    assert tokens + sum(map(len, gaps(raw, parse(raw, LIMITS)))) == len(raw)


def _leaves(value: Json) -> list[tuple[str, tuple[int, int]]]:
    """Keys, scalars and brackets with their spans."""
    if value.kind not in ("object", "array"):
        return [("value", value.at)]
    out = [("bracket", (value.at[0], 1)), ("bracket", (sum(value.at) - 1, 1))]
    for _, key_at, item in value.members:
        out += [("key", key_at), *_leaves(item)]
    for item in value.items:
        out += _leaves(item)
    return out
