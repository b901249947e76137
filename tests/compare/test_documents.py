"""Two JSON documents: every difference told, at its pointer, and none made up."""

import json
import random
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sxdiff.compare.documents import document_differences
from sxdiff.model import Difference, Limits, Value

LIMITS = Limits()
DIGEST = "sha256:" + "0123456789abcdef" * 4

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text("ab\n", max_size=3),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text("ab~/", max_size=2), below),
    max_leaves=15,
)


def told(a: Any, b: Any, **how: Any) -> list[tuple[str, str, Any, Any]]:
    """(kind, pointer, value in a, value in b), "-" for a side without one."""
    found = document_differences("x", dumps(a, **how), dumps(b, **how), LIMITS)
    return [
        (
            d.kind,
            d.where[0] if d.where else "",
            d.a.value if d.a else "-",
            d.b.value if d.b else "-",
        )
        for d in found
    ]


def dumps(value: Any, **how: Any) -> bytes:
    return json.dumps(value, **how).encode()


def test_values_that_differ() -> None:
    a = {"os": "linux", "n": 1, "f": 1.5, "t": True, "z": None, "l": [1, 2], "o": {"k": "v"}}
    b = {"os": "Linux", "n": 2, "f": 1.25, "t": False, "z": 0, "l": [1, 3], "o": {"k": "w"}}
    assert told(a, b) == [
        ("x.value", "/os", "linux", "Linux"),
        ("x.value", "/n", 1, 2),
        ("x.value", "/f", "1.5", "1.25"),
        ("x.value", "/t", True, False),
        ("x.value", "/z", "null", "0"),
        ("x.value", "/l/1", 2, 3),
        ("x.value", "/o/k", "v", "w"),
    ]


def test_spans_hold_the_values() -> None:
    a, b = dumps({"a": 1, "k": "xyz"}), dumps({"a": 1, "k": "xYz", "new": [1]})
    found = document_differences("config", a, b, LIMITS)
    spans = [
        (
            d.a and d.a.at and a[d.a.at[0] : sum(d.a.at)],
            d.b and d.b.at and b[d.b.at[0] : sum(d.b.at)],
        )
        for d in found
    ]
    assert spans == [(b'"xyz"', b'"xYz"'), (None, b'"new": [1]')]
    assert [d.bytes for d in found] == [1, 10]
    assert [d.kind for d in found] == ["config.value", "config.value"]


def test_a_string_is_not_a_number() -> None:
    assert told({"a": "1"}, {"a": 1}) == [("x.value", "/a", '"1"', "1")]
    assert told({"a": "null"}, {"a": None}) == [("x.value", "/a", '"null"', "null")]
    assert told({"a": True}, {"a": 1}) == [("x.value", "/a", "true", "1")]


def test_added_and_removed_subtrees_are_one_difference_each() -> None:
    long = {"list": list(range(1000))}
    found = document_differences("x", dumps({"a": long}), dumps({"b": {"c": "d"}}), LIMITS)
    assert [(d.where, d.a is None, d.b is None) for d in found] == [
        (("/a",), False, True),
        (("/b",), True, False),
    ]
    assert found[0].a is not None
    text = json.dumps(long, separators=(",", ":"))
    assert found[0].a.value == text[:1000]
    assert found[0].a.size == len(text)
    assert found[0].a.digest is not None
    assert found[1].b is not None
    assert found[1].b.value == '{"c":"d"}'


def test_order_of_a_list_is_one_difference() -> None:
    assert told({"Env": ["A=1", "B=2", "C=3"]}, {"Env": ["C=3", "A=1", "B=2"]}) == [
        ("x.order", "/Env", '["A=1", "B=2", "C=3"]', '["C=3", "A=1", "B=2"]')
    ]
    digests = [{"digest": f"{n}", "size": n} for n in range(3)]
    assert told(digests, digests[::-1]) == [("x.order", "", '["0", "1", "2"]', '["2", "1", "0"]')]


def test_elements_of_lists_pair_by_what_they_are() -> None:
    """Variables by name, manifests by platform, steps of a history by their command or place."""
    assert told(["A=1", "B=2", "C=3"], ["A=1", "NEW=0", "B=3", "C=3"]) == [
        ("x.value", "/1", "B=2", "B=3"),
        ("x.value", "/1", "-", "NEW=0"),
    ]
    one, two = ({"platform": {"os": "linux", "architecture": name}} for name in ("arm", "s390x"))
    assert told([{**two, "size": 1}], [{**one, "size": 1}, {**two, "size": 2}]) == [
        ("x.value", "/0/size", 1, 2),
        ("x.value", "/0", "-", '{"platform":{"os":"linux","architecture":"arm"},"size":1}'),
    ]
    assert told([{**two, "size": 1}], [{"size": 2}]) == [
        ("x.value", "/0/platform", '{"os":"linux","architecture":"s390x"}', "-"),
        ("x.value", "/0/size", 1, 2),
    ]
    assert told([{"created_by": "A"}], [{"created_by": "B"}]) == [
        ("x.value", "/0/created_by", "A", "B")
    ]
    assert told([1, 2, 3, 4], [1, 9, 4]) == [
        ("x.value", "/1", 2, 9),
        ("x.value", "/2", 3, "-"),
    ]


def test_how_it_is_written_is_told_once() -> None:
    a = {"a": 1, "b": {"c": 1, "d": 2}}
    b = {"b": {"d": 2, "c": 1}, "a": 1}
    assert told(a, b) == [
        (
            "x.encoding",
            "",
            "order of keys of the document (and of 1 more): a, b",
            "order of keys of the document (and of 1 more): b, a",
        )
    ]
    found = document_differences("x", dumps(a), dumps(a, indent=2), LIMITS)
    assert [(d.kind, d.a, d.b) for d in found] == [
        ("x.encoding", Value("on one line, with spaces"), Value("indented by 2 spaces"))
    ]
    found = document_differences("x", b'{"k": "\\u00e9\\/"}', '{"k": "é/"}'.encode(), LIMITS)
    assert [(d.kind, d.a and d.a.value) for d in found] == [("x.encoding", '"\\u00e9\\/"')]
    found = document_differences("x", b'{"a": 1}', b'{"\\u0061": 1}', LIMITS)
    assert [d.kind for d in found] == ["x.encoding"]


def test_duplicate_keys_are_kept_apart() -> None:
    found = document_differences("x", b'{"a": 1, "a": 2}', b'{"a": 1, "a": 3}', LIMITS)
    assert [(d.where, d.a and d.a.value, d.b and d.b.value) for d in found] == [(("/a (2)",), 2, 3)]


def test_derived_differences_name_their_roots() -> None:
    a = {"layers": [{"digest": "1", "size": 1, "x": 1}], "layersX": 1, "config": 1}
    b = {"layers": [{"digest": "2", "size": 2, "x": 2}], "layersX": 2, "config": 2}
    roots = {
        "/layers": (("linux/amd64", "layers"),),
        "/layers/0/digest": (("linux/amd64", "layer 1"),),
    }
    found = document_differences("manifest", dumps(a), dumps(b), LIMITS, roots)
    assert [(d.where[0], d.derived, d.derived_from) for d in found] == [
        ("/layers/0/digest", True, (("linux/amd64", "layer 1"),)),
        ("/layers/0/size", True, (("linux/amd64", "layers"),)),
        ("/layers/0/x", True, (("linux/amd64", "layers"),)),
        ("/layersX", False, ()),
        ("/config", False, ()),
    ]


def test_what_is_no_json_is_told_as_bytes() -> None:
    for a, b in ((b"{", b"{}"), (b"\xff\x00", b"\xff\x01"), (b"[" * 90, b"[" * 91), (b"", b"1")):
        found = document_differences("config", a, b, LIMITS)
        assert [d.kind for d in found] == ["config.encoding"]
        assert found[0].a is not None
        assert found[0].b is not None
        words = [str(side.value) for side in (found[0].a, found[0].b)]
        assert any(word.startswith("not compared as JSON") for word in words)


def swapped(found: list[Difference]) -> Counter[tuple[Any, ...]]:
    return Counter((d.kind, d.where, d.b, d.a, d.bytes, d.derived) for d in found)


def straight(found: list[Difference]) -> Counter[tuple[Any, ...]]:
    return Counter((d.kind, d.where, d.a, d.b, d.bytes, d.derived) for d in found)


@settings(max_examples=400)
@given(values, values, st.sampled_from([None, 2]))
def test_laws(a: Any, b: Any, indent: int | None) -> None:
    """Different bytes differ, equal bytes do not; swapping the sides swaps the differences."""
    one, other = dumps(a), dumps(b, indent=indent)
    found = document_differences("x", one, other, LIMITS)
    assert bool(found) == (one != other)
    assert straight(found) == swapped(document_differences("x", other, one, LIMITS))


def test_no_byte_changes_unseen() -> None:
    """Every single byte of a manifest, and of a config, changed in many ways."""
    manifest = {
        "schemaVersion": 2,
        "config": {"digest": DIGEST, "size": 7023},
        "layers": [{"digest": DIGEST, "size": 1.5e3, "urls": []}, {"annotations": {"k": "é\n"}}],
        "t": [True, False, None, -0.0, 0],
    }
    chance = random.Random(5)
    for raw in (dumps(manifest), dumps(manifest, indent=2, ensure_ascii=False)):
        for at in range(len(raw)):
            for new in {raw[at] ^ 1, raw[at] ^ 32, 32, 48, 34, chance.randrange(256)} - {raw[at]}:
                changed = raw[:at] + bytes([new]) + raw[at + 1 :]
                found = document_differences("x", raw, changed, LIMITS)
                assert found, changed
                assert all(difference.bytes > 0 for difference in found)
            for changed in (raw[:at] + raw[at + 1 :], raw[:at] + b" " + raw[at:]):
                if changed != raw:
                    assert document_differences("x", raw, changed, LIMITS)
