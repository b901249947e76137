"""What was measured, as a page: bars first, then a line a cause, then what missed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.causes.baselines import Baseline
from bench.causes.judge import Result

HEAD = (
    "`python -m bench.causes --table docs/causes-bench.md` writes this page. The pairs are made by"
    " the recipes in `fixtures/causes/recipes.json`."
)

SUSPECTED = (
    "Two artefacts do not prove these causes, so confirming one would be a guess. They count as"
    " missed under `right cause first` and `verified equal`; their place is exact where they are"
    " suspected at it."
)


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    wanted: str
    reached: str
    met: bool


def of(results: Sequence[Result], *groups: str) -> list[Result]:
    return [one for one in results if one.case.group in groups]


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} % ({part} of {whole})" if whole else "none ran"


def bars(results: Sequence[Result]) -> list[Bar]:
    """The bars of those groups that ran."""
    silent = sum(one.code > 1 for one in results)
    found = [Bar("pairs without a verdict", "none", f"{silent} of {len(results)}", not silent)]
    single = of(results, "pair", "image")
    if single:
        top = sum(one.top for one in single)
        wanted = sum(len(one.case.expected) for one in single)
        places = sum(one.places for one in single)
        suspected = sum(one.places for one in unproved(single))
        verified = [one for one in single if one.verified]
        whole = [one for one in verified if one.bytes_explained == one.bytes_differing]
        false = [one for one in single if one.false]
        found += [
            Bar("right cause first", ">= 95 %", share(top, len(single)), top >= 0.95 * len(single)),
            Bar(
                "exact place",
                "all",
                f"{share(places, wanted)}, {suspected} of them as a suspicion",
                places == wanted,
            ),
            Bar(
                "verified equal",
                ">= 90 %",
                share(len(verified), len(single)),
                len(verified) >= 0.9 * len(single),
            ),
            Bar(
                "every byte explained where verified",
                "all",
                share(len(whole), len(verified)),
                len(whole) == len(verified),
            ),
            Bar("pairs with a false cause", "none", str(len(false)), not false),
        ]
    for group, name in (("adversarial", "adversarial pairs"), ("drift", "other code or content")):
        ran = of(results, group)
        if ran:
            fooled = [one for one in ran if one.fully_explained]
            found.append(
                Bar(f"{name}: fully explained", "none", f"{len(fooled)} of {len(ran)}", not fooled)
            )
    controls = of(results, "control")
    if controls:
        loud = [one for one in controls if one.misses]
        found.append(
            Bar("controls that are not silent", "none", f"{len(loud)} of {len(controls)}", not loud)
        )
    for group, name in (("mixture", "mixtures exact"), ("ten", "ten causes in one image exact")):
        mixed = of(results, group)
        if mixed:
            exact = sum(one.exact for one in mixed)
            found.append(Bar(name, "all", share(exact, len(mixed)), exact == len(mixed)))
    return found


def unproved(results: Sequence[Result]) -> list[Result]:
    """The cases whose cause two artefacts cannot prove, and of which no cause is confirmed."""
    return [one for one in results if one.case.expected[0].unproved and not one.top]


def table(results: Sequence[Result], beside: Sequence[Baseline]) -> str:
    """The page."""
    lines = ["# The bench of causes", ""]
    lines += [
        HEAD,
        "",
        "| bar | wanted | reached | |",
        "| --- | --- | --- | --- |",
    ]
    for bar in bars(results):
        lines.append(
            f"| {bar.name} | {bar.wanted} | {bar.reached} | {'met' if bar.met else '**not met**'} |"
        )
    if beside:
        lines += ["", "Beside it, on the pairs of files alone:", "", "| tool | pairs made equal |"]
        lines += ["| --- | --- |"]
        lines += [f"| {one.name} | {share(one.equal, one.pairs)} |" for one in beside]
    single = of(results, "pair", "image")
    if single:
        lines += ["", "## By cause", ""]
        lines += [
            "| cause | pairs | right first | at its place | verified | false | bytes explained |",
            "| --- | --: | --: | --: | --: | --: | --: |",
        ]
        grouped: dict[str, list[Result]] = defaultdict(list)
        for one in single:
            for expected in one.case.expected:
                grouped[expected.labels[0]].append(one)
        for cause, group in sorted(grouped.items()):
            differing = sum(one.bytes_differing for one in group)
            explained = sum(one.bytes_explained for one in group)
            lines.append(
                f"| `{cause}` | {len(group)} | {sum(one.top for one in group)}"
                f" | {sum(one.places > 0 for one in group)} | {sum(one.verified for one in group)}"
                f" | {sum(bool(one.false) for one in group)}"
                f" | {100 * explained // differing if differing else 100} % |"
            )
    suspected = unproved(single)
    if suspected:
        lines += [
            "",
            "## Suspected, not confirmed",
            "",
            SUSPECTED,
            "",
        ]
        lines += [
            f"- `{one.case.name}`, {', '.join(one.suspects) or 'nothing suspected'}:"
            f" {one.case.expected[0].unproved}"
            for one in suspected
        ]
    missed = [one for one in results if one.misses]
    if missed:
        lines += ["", "## What missed", ""]
        lines += [
            f"- {one.case.group} `{one.case.name}`: {'; '.join(one.misses)}" for one in missed
        ]
    return "\n".join(lines) + "\n"
