"""What the whole of both images says of a claim."""

import hashlib

import pytest

from sxdiff.compare.digests import IDENTITY, LOOKUP, Known
from sxdiff.model import Difference, Node, Value
from sxdiff.report.findings import Binding
from sxdiff.work import diagnosis
from sxdiff.work.diagnosis import Diagnosis, builders_of

PATH, TIME = "captures-build-path", "timestamp-in-text"


def fallen(*bindings: Binding) -> list[Binding]:
    judged = Diagnosis(Known(), "").judged(list(bindings))
    return [binding for binding, route in judged if route is None]


def test_one_prefix_goes_with_one_prefix() -> None:
    """A second prefix for one that many places agree on falls; so do both where none is ahead."""
    many = Binding(PATH, "/build/one", "/build/two", "", 9)
    other = Binding(PATH, "/build/one", "/build/three", "", 1)
    third = Binding(PATH, "/build/four", "/build/five", "", 1)
    assert fallen(many, other, third) == [other]
    tie = Binding(PATH, "/build/one", "/build/three", "", 9)
    assert fallen(many, tie, third) == [many, tie]


def test_the_same_on_the_other_side() -> None:
    many = Binding(PATH, "/build/one", "/build/two", "", 9)
    other = Binding(PATH, "/build/three", "/build/two", "", 1)
    assert fallen(many, other) == [other]


def test_weak_times_need_strong_ones_of_both_sides() -> None:
    weak = Binding(TIME, "2026-01-10 10:00:00", "2026-03-15 12:00:00", "anchor", 1)
    near = Binding(TIME, "2026-01-10 23:00:00", "2026-03-15 01:00:00", "", 1)
    far = Binding(TIME, "2026-01-10 23:00:00", "2026-04-15 01:00:00", "", 1)
    assert fallen(weak) == [weak]
    assert fallen(weak, far) == [weak]
    assert fallen(weak, near) == []


def test_a_name_follows_from_the_path_that_has_it() -> None:
    """venv's prompt, and MD5 as doxygen takes it of a directory."""
    path = Binding(PATH, "/build/v1", "/build/v2", "", 1)
    prompt = Binding(PATH, "v1", "v2", "path", 1)
    pages = [hashlib.md5(text).hexdigest() for text in (b"build/v1/", b"build/v2/")]  # noqa: S324
    page = Binding("doc-generator-path", pages[0], pages[1], "path", 1)
    crossed = Binding("doc-generator-path", pages[0], "v2", "path", 1)
    assert fallen(path, prompt, page) == []
    assert fallen(prompt, page) == [prompt, page]
    assert fallen(path, Binding(PATH, "v1", "v3", "path", 1)) != []
    assert fallen(path, crossed) == [crossed]


def test_a_digest_follows_from_the_file_that_has_it() -> None:
    one, two = (hashlib.sha256(data) for data in (b"1", b"2"))
    known = Known()
    known.add([one.digest()], [two.digest()], ("linux/amd64", "layer 1", "m.py"))
    right = Binding("derived-manifest-hash", one.hexdigest(), two.hexdigest(), LOOKUP, 1)
    wrong = Binding("derived-manifest-hash", two.hexdigest(), one.hexdigest(), LOOKUP, 1)
    judged = dict(Diagnosis(known, "").judged([right, wrong]))
    assert judged == {right: ("linux/amd64", "layer 1", "m.py"), wrong: None}


def test_a_name_follows_from_the_program_whose_build_id_it_is() -> None:
    """Debug files first, whichever was seen first: what the linker hashed is still there."""
    note = Difference("elf.note.build_id", Value("aa11"), Value("bb22"))
    node = Node("x", "elf", nodes=(Node(".note.gnu.build-id", "elf", (note,)),))
    right = Binding("derived-build-id-file-name", "aa11", "bb22", IDENTITY, 1)
    swapped = Binding("derived-build-id-file-name", "bb22", "aa11", IDENTITY, 1)
    routes = [("layer 1", "usr/bin/x"), ("layer 1", ".build-id/aa/11.debug")]
    for order in (routes, routes[::-1]):
        known = Known()
        for route in order:
            known.identify(node, route)
        assert dict(Diagnosis(known, "").judged([right, swapped])) == {
            right: routes[1],
            swapped: None,
        }


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (b'{"history":[{"comment":"buildkit.dockerfile.v0"}]}', {"buildkit"}),
        (b'{"config":{"Labels":{"io.buildah.version":"1.28.2"}}}', {"buildah"}),
        (b'{"config":{}}', set()),
    ],
)
def test_what_built_the_image(config: bytes, names: set[str]) -> None:
    assert builders_of(config) == names


def test_the_fix_is_for_what_built_it(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Diagnosis(Known(), "buildah").words("oci-config-created", "")
    assert "buildah" in words["fix"]
    monkeypatch.setattr(diagnosis, "cause_of", lambda _: None)
    assert Diagnosis(Known(), "").words("no-such-cause", "") == {}
