"""Pairing by kind and name, in order."""

from sxdiff.compare.pair import Part, pair
from sxdiff.model import Blob, Fact, Member

EMPTY = Blob("/dev/null", 0, 0)


def fact(kind: str, value: int, name: str = "") -> Fact:
    return Fact(kind, value, name=name)


def test_equal_facts_vanish() -> None:
    assert pair([fact("k", 1)], [fact("k", 1)]).facts == []


def test_duplicates_pair_in_order() -> None:
    a, b = [fact("k", 1), fact("k", 2)], [fact("k", 1), fact("k", 3)]
    assert pair(a, b).facts == [(a[1], b[1])]


def test_wherever_they_stand() -> None:
    a = [fact("k", 1), fact("l", 2), fact("m", 3)]
    b = [fact("m", 3), fact("k", 1), fact("l", 5)]
    assert pair(a, b).facts == [(a[1], b[2])]


def test_a_fact_on_one_side() -> None:
    only = fact("k", 1)
    assert pair([only], []).facts == [(only, None)]
    assert pair([], [only]).facts == [(None, only)]


def test_a_name_on_one_side_is_told_whole() -> None:
    a: list[Part] = [fact("k", 1, "x"), Member("x", EMPTY)]
    found = pair(a, [])
    assert found.alone_a == {"x": a}
    assert not found.facts and not found.members


def test_a_member_that_only_one_side_of_a_name_has_pairs_with_nothing() -> None:
    a: list[Part] = [fact("k", 1, "x"), Member("x", EMPTY)]
    ((left, right),) = pair(a, [fact("k", 1, "x")]).members
    assert left.content is EMPTY
    assert callable(right.content)
    assert list(right.content()) == []


def test_order_is_told_once() -> None:
    a = [fact("k", 1, name) for name in "abcdef"]
    b = [fact("k", 1, name) for name in "acbdfx"]
    found = pair(a, b)
    assert list(found.moved_a) == ["b", "c"]
    assert list(found.moved_b) == ["c", "b"]
    assert pair(b, a).moved_a == found.moved_b


def test_true_is_not_one() -> None:
    assert pair([Fact("k", True)], [Fact("k", 1)]).facts
