"""What must hold for every cause."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.cause import Cause, NearMiss, Site
from sxdiff.causes.diagnose import diagnose

_CASES = [
    pytest.param(one, id=f"{one.id}-{number}" if number else one.id)
    for number, one in (
        (sum(other.id == one.id for other in CAUSES[:place]), one)
        for place, one in enumerate(CAUSES)
    )
]
every = pytest.mark.parametrize("cause", _CASES)


def site(shown: NearMiss, *, swapped: bool = False) -> Site:
    a, b = (shown.b, shown.a) if swapped else (shown.a, shown.b)
    return Site(
        shown.kind,
        a,
        b,
        shown.path,
        shown.where,
        shown.format,
        shown.head,
        symbol=shown.symbol,
    )


@every
def test_its_example_is_explained_by_it_alone(cause: Cause) -> None:
    found = diagnose(site(cause.example))
    assert found is not None
    assert {claim.cause for claim in found.claims} == {cause.id}


@every
def test_its_near_miss_stays_unexplained(cause: Cause) -> None:
    """Law 4. No cause at all may explain it; what needs the whole image may ask for it."""
    found = diagnose(site(cause.near_miss))
    assert found is None or any(claim.needs for claim in found.claims)


@every
def test_swapped_sides_swap_the_claims(cause: Cause) -> None:
    """Law 3."""
    there, back = diagnose(site(cause.example)), diagnose(site(cause.example, swapped=True))
    assert there is not None
    assert back is not None
    assert there.normal == back.normal
    assert [(one.cause, one.a, one.b, one.needs) for one in there.claims] == [
        (one.cause, one.b, one.a, one.needs) for one in back.claims
    ]


@every
def test_equal_sides_need_no_cause(cause: Cause) -> None:
    for shown in (cause.example, cause.near_miss):
        for text in (shown.a, shown.b):
            assert diagnose(site(replace(shown, a=text, b=text))) is None


@every
def test_what_is_normal_has_nothing_left_to_explain(cause: Cause) -> None:
    found = diagnose(site(cause.example))
    assert found is not None
    again = diagnose(site(replace(cause.example, a=found.normal, b=found.normal)))
    assert again is None
    assert cause.example.a != cause.example.b
    assert found.normal not in (cause.example.a, cause.example.b)


@every
def test_tokens_are_of_one_side_in_order(cause: Cause) -> None:
    for text in (cause.example.a, cause.example.b, cause.near_miss.a, cause.near_miss.b, ""):
        end = 0
        for token in cause.tokens(text):
            assert end <= token.start <= token.end <= len(text)
            end = token.end


@every
def test_it_says_why_and_what_to_change(cause: Cause) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*", cause.id)
    assert 0 < len(cause.title) <= 60
    assert cause.why.endswith(".")
    assert cause.fixes
    assert cause.fix_for("")
    assert cause.references


_MEASURED = (
    # what is often advised, and was seen not to work: whoever names it must say what does
    ("__TIMESTAMP__", "", "drop __TIMESTAMP__|touch"),
    ("clang", "SOURCE_DATE_EPOCH", "clang 16 and later"),
    ("xgettext", "SOURCE_DATE_EPOCH", "does not read"),
    ("docutils|rst2", "", "without --date"),
    ("DVI", "SOURCE_DATE_EPOCH", "FORCE_SOURCE_DATE=1"),
    ("mke2fs|mkfs.ext|ext4", "SOURCE_DATE_EPOCH", "E2FSPROGS_FAKE_TIME"),
    ("genisoimage", "", "xorriso"),
    ("keytool", "", "trust extract"),
    ("javadoc", "SOURCE_DATE_EPOCH", "-notimestamp"),
    ("java.properties.date", "", "JDK 18 and later"),
    ("__FILE__|assert", "-fdebug-prefix-map", "does not map"),
    ("gfortran", "", "relative paths"),
)


@pytest.mark.parametrize(("tool", "advice", "works"), _MEASURED)
def test_advice_that_does_not_work_is_not_given(tool: str, advice: str, works: str) -> None:
    for cause in CAUSES:
        for fix in cause.fixes:
            said = f"{fix.tool.pattern if fix.tool else ''} {fix.text}"
            if re.search(tool, said) and advice in said:
                assert re.search(works, said), cause.id


@pytest.mark.parametrize(
    ("name", "works"),
    [
        ("timestamps-from-timestamp-macro", "drop __TIMESTAMP__"),
        ("pot-creation-date", "version control"),
        ("filesystem-image-timestamps", "E2FSPROGS_FAKE_TIME"),
        ("java-keystore-creation-date", "trust extract"),
        ("timestamps-in-documentation-generated-by-javadoc", "-notimestamp"),
        ("captures-build-path-via-file-macro", "-fmacro-prefix-map"),
    ],
)
def test_advice_that_works_is_given(name: str, works: str) -> None:
    fixes = [fix.text for cause in CAUSES if cause.id == name for fix in cause.fixes]
    assert fixes
    assert all(works in fix for fix in fixes)


def test_several_values_of_one_cause_say_the_same() -> None:
    """A cause may show in places of several sorts; its name, family and title are one."""
    counts = Counter(one.id for one in CAUSES)
    for name in (name for name, count in counts.items() if count > 1):
        assert len({(one.title, one.family) for one in CAUSES if one.id == name}) == 1, name


def test_suspicions_say_what_would_show_them() -> None:
    for one in SUSPICIONS:
        assert one.proof
        assert one.kinds
