"""Two readers side by side keep what differs, and never hold more than their window."""

import random
from pathlib import Path

import pytest
from blake3 import blake3

from sxdiff.work import keeper as keeper_module
from sxdiff.work.keeper import Keeper

Members = list[tuple[bytes, bytes]]


def _pair(path: Path) -> tuple[Keeper, Keeper]:
    a, b = str(path / "a"), str(path / "b")
    return Keeper(a, b, str(path / "a.kept")), Keeper(b, a, str(path / "b.kept"))


def _read(keeper: Keeper, members: Members, at: int) -> int:
    """Let members go by from `at` on, each behind a header; where the stream is then."""
    for path, content in members:
        if keeper.wants(len(content)):
            half = len(content) // 2
            pieces = [memoryview(content)[:half], memoryview(content)[half:]]
        else:
            pieces = []
        keeper.member(path, blake3(content).digest(), at, pieces)
        at += 512 + len(content)
    return at


def _kept(path: Path, side: str, keeper: Keeper, members: Members) -> dict[bytes, bytes]:
    data = (path / f"{side}.kept").read_bytes()
    places, at = {}, 0
    for name, content in members:
        places[at] = (name, len(content))
        at += 512 + len(content)
    found = {}
    for data_at, offset in keeper.spans:
        name, size = places[data_at]
        found[name] = data[offset : offset + size]
    return found


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_differs_is_kept_on_both_sides(tmp_path: Path, step: int) -> None:
    choose = random.Random(12)
    a = [(b"f%d" % n, choose.randbytes(choose.randrange(200))) for n in range(300)]
    b = [(name, data[::-1] if n % 5 == 0 else data) for n, (name, data) in enumerate(a)]
    b += [(b"only in b", b"x")]
    one, other = _pair(tmp_path)
    one._pacing = other._pacing = False
    places = [0, 0]
    for start in range(0, len(b), step):
        for side, (keeper, members) in enumerate(((one, a), (other, b))):
            places[side] = _read(keeper, members[start : start + step], places[side])
            keeper.exchange(places[side])
    one.close()
    other.close()
    other_a, other_b = dict(a), dict(b)
    kept_a, kept_b = _kept(tmp_path, "a", one, a), _kept(tmp_path, "b", other, b)
    different = {name for name, data in a if other_b[name] != data}
    # only what the first side has let go before it heard of the other is missing
    assert kept_b.keys() == {name for name in different if other_b[name]}
    assert kept_a.keys() <= kept_b.keys()
    assert all(other_a[name] == data for name, data in kept_a.items())
    assert all(other_b[name] == data for name, data in kept_b.items())
    if step < 300:
        assert kept_a


def test_what_nobody_answers_is_let_go(tmp_path: Path) -> None:
    """However small: a piece keeps the whole chunk alive that it was cut from."""
    one, other = _pair(tmp_path)
    one._pacing = False
    at = 0
    for number in range(60_000):
        at = _read(one, [(b"f%d" % number, b"x")], at) + 511
    assert len(one._held) <= keeper_module._WINDOW // 1024 + 1
    assert one._held_bytes == sum(held.size for held in one._held.values())
    for _ in range(50):
        at = _read(one, [(b"one name", bytes(3 << 20))], at)
    assert one._held_bytes <= keeper_module._WINDOW
    assert one._held_bytes == sum(held.size for held in one._held.values())
    one.close()
    # the other has heard of all of it, and remembers only so much
    other.close()
    assert len(other._pending) <= keeper_module._MOST_PENDING


def test_a_side_that_is_ahead_waits_only_for_one_that_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    one, other = _pair(tmp_path)
    one.exchange(keeper_module._WINDOW)
    assert sum(waits) <= keeper_module._PATIENCE + keeper_module._PAUSE
    assert not one._pacing
    waits.clear()
    one.exchange(2 * keeper_module._WINDOW)
    assert not waits
    other.exchange(1)
    assert not waits
    one.close()
    other.close()
