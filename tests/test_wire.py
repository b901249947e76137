"""What a worker says arrives as it was meant, or not at all."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sxdiff import wire
from sxdiff.model import Claim, Difference, FormatError, Node, Problem, Value

# lone surrogates too: a name may come from the command line or a JSON escape
texts = st.text(st.characters(), max_size=8)
maybe_texts = st.none() | texts
counts = st.integers(0, 2**64)
spans = st.tuples(counts, counts)
routes = st.lists(texts, max_size=3).map(tuple)
scalars = st.none() | st.booleans() | st.integers() | texts
values = st.builds(
    Value,
    value=scalars,
    at=st.none() | spans,
    excerpt=maybe_texts,
    size=st.none() | counts,
    digest=maybe_texts,
    line=st.none() | counts,
    address=st.none() | counts,
)
problems = st.builds(Problem, where=routes, kind=texts, message=texts, resolution=texts)
claims = st.builds(Claim, cause=texts, a=texts, b=texts, needs=texts)
differences = st.builds(
    Difference,
    kind=texts,
    a=st.none() | values,
    b=st.none() | values,
    where=routes,
    bytes=counts,
    count=counts,
    similarity=st.none() | counts,
    symbol=maybe_texts,
    source=maybe_texts,
    diff=maybe_texts,
    derived=st.booleans(),
    derived_from=st.lists(routes, max_size=2).map(tuple),
    claims=st.lists(claims, max_size=2).map(tuple),
    suspect=maybe_texts,
)


def _nodes(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.builds(
        Node,
        name=texts,
        format=texts,
        differences=st.lists(differences, max_size=2).map(tuple),
        nodes=st.lists(children, max_size=2).map(tuple),
        problems=st.lists(problems, max_size=2).map(tuple),
        verified=st.booleans(),
        producer=maybe_texts,
    )


nodes = st.recursive(st.builds(Node, name=texts, format=texts), _nodes, max_leaves=5)


@given(nodes)
def test_a_node_survives_its_line(node: Node) -> None:
    line = wire.dumps_line(wire.node_to_json(node))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.node_from_json(wire.loads_line(line)) == node


@given(differences)
def test_a_difference_survives_its_line(difference: Difference) -> None:
    line = wire.dumps_line(wire.difference_to_json(difference))
    assert wire.difference_from_json(wire.loads_line(line)) == difference


@given(problems)
def test_a_problem_survives_its_line(problem: Problem) -> None:
    line = wire.dumps_line(wire.problem_to_json(problem))
    assert wire.problem_from_json(wire.loads_line(line)) == problem


@given(st.booleans() | st.integers())
def test_true_does_not_come_back_as_one(value: bool | int) -> None:
    read = wire.value_from_json(wire.loads_line(wire.dumps_line(wire.value_to_json(Value(value)))))
    assert type(read.value) is type(value)


def test_what_is_empty_is_left_out() -> None:
    difference = Difference("file.only_in_a", Value(None), None)
    assert wire.difference_to_json(difference) == {"kind": "file.only_in_a", "a": {}}
    assert wire.node_to_json(Node("n", "f")) == {"name": "n", "format": "f"}


@pytest.mark.parametrize(
    "claims",
    [[["cause", "a", "b"]], [["cause", "a", "b", 1]], [{"cause": "c"}], ["cause"], "cause", [None]],
    ids=repr,
)
def test_a_claim_of_another_shape_is_a_format_error(claims: object) -> None:
    with pytest.raises(FormatError):
        wire.difference_from_json({"kind": "k", "claims": claims})


_KEYS = ("name", "format", "nodes", "differences", "kind", "a", "at", "where", "claims", "verified")
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS),
            children,
            max_size=8,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_document_is_a_node_or_a_format_error(document: object) -> None:
    """A worker that hostile content has taken over may say anything."""
    with contextlib.suppress(FormatError):
        assert isinstance(wire.node_from_json(document), Node)


def test_a_node_too_deep_for_the_stack_is_a_format_error() -> None:
    document: dict[str, Any] = {"name": "n", "format": "f"}
    for _ in range(5000):
        document = {"name": "n", "format": "f", "nodes": [document]}
    with pytest.raises(FormatError):
        wire.node_from_json(document)


@pytest.mark.parametrize(
    "line",
    [b"", b"\xff", b"[]", b"1", b'{"a":', b"[" * 100_000, b'"\xed\xa0\x80"'],
    ids=lambda line: repr(line[:12]),
)
def test_a_line_that_is_no_object_is_a_format_error(line: bytes) -> None:
    with pytest.raises(FormatError):
        wire.loads_line(line)
