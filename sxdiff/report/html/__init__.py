"""The report as one page to attach: nothing loaded, readable without scripts, on a phone, in the
dark, on paper.

jinja2 is slow to load, so this package is imported only where HTML is asked for.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from importlib import resources

import jinja2
from markupsafe import Markup

from sxdiff.model import RUNGS, Route
from sxdiff.report import images, words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.forms import PAGE_SIZE
from sxdiff.report.html import chart, leaf, tree
from sxdiff.wire import JsonObject

_OPEN_BELOW = 60
"""A tree with fewer differences than this is shown unfolded, a larger one down to its layers."""
_JUMPS = 12
"""How many findings the top of the page links to."""
_IMAGES_NAMED = 12
"""How many images of a group are named."""
_PLATFORMS_TOLD = 16
"""Platforms above which their rungs and digests are folded: those of a whole distribution."""
_CHUNK_CHARACTERS = 1 << 16


def chunks(report: Report, *, size: int = PAGE_SIZE) -> Iterator[str]:
    """The page in pieces, of `size` bytes at most, but findings are always whole. The same report
    gives the same page, byte for byte."""
    header = report.header
    confirmed = [one["cause"] for one in header["findings"] if one["confirmed"]]
    causes = {cause: number for number, cause in enumerate(confirmed)}
    page = _environment()
    head = page.get_template("report.html.j2").render(_head(header, causes))
    found = tree.survey(report)
    cards = page.get_template("findings.html.j2")
    told = _findings(report, found, causes)
    findings = cards.render(told, kept=None)
    room = max(0, size - len(head.encode()) - len(findings.encode()) - 4096)
    selection = tree.Selection(report, found.room, room)
    if selection.left_out:
        # nothing links to what is not there
        findings = cards.render(told, kept={difference["id"] for difference in selection})
    total = header["summary"]["differences"]["total"]
    yield head
    yield findings
    yield from _joined(
        page.get_template("tree.html.j2").generate(
            header=header,
            lines=tree.lines(selection, _layers(header)),
            total=total,
            unfolded_depth=99 if total < _OPEN_BELOW else 1,
            left_out=selection.left_out,
            file_strip=chart.file_strip,
            causes=causes,
            color=chart.color,
        )
    )


def _environment() -> jinja2.Environment:
    """What the templates share."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.filters.update(number=lambda value: f"{value:,}", size=words.size)
    environment.globals.update(count=words.count, step=words.STEP, nbsp=Markup("&nbsp;"))
    return environment


def _template(name: str) -> str:
    return (resources.files("sxdiff.report") / "templates" / name).read_text("utf-8")


def _joined(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in fewer pieces."""
    kept: list[str] = []
    characters = 0
    for piece in pieces:
        kept.append(piece)
        characters += len(piece)
        if characters >= _CHUNK_CHARACTERS:
            yield "".join(kept)
            kept.clear()
            characters = 0
    yield "".join(kept)


def _head(header: JsonObject, causes: dict[str, int]) -> JsonObject:
    style, script = _template("report.css"), _template("report.js")
    counterfactual = words.counterfactual(header)
    platforms = [
        {
            **platform,
            "name": words.platform_name(platform),
            "holds": {} if platform["only_in"] else _holds(platform["equal_at"]),
            "digests": words.digests(platform),
        }
        for platform in header["platforms"]
    ]
    return {
        "header": header,
        # trusted: our own files, whose digests the page's policy names
        "style": Markup(style),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "policy": Markup(  # noqa: S704
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}';"
            " base-uri 'none'; form-action 'none'"
        ),
        "verdict": words.verdict(header),
        "meaning": words.meaning(header),
        "counterfactual": counterfactual,
        "rungs": RUNGS[:-1],
        "asked": header["options"].get("require"),
        "holds": _holds(header["equal_at"]),
        "would": counterfactual and _holds(header["summary"]["counterfactual"]["equal_at"]),
        "platforms": platforms,
        "fold": len(platforms) > _PLATFORMS_TOLD,
        "images": _images(header),
        "bars": chart.bars(header),
        "jumps": [
            {
                "title": finding["title"] if finding["confirmed"] else "unexplained",
                "look": _look(finding, causes),
                "differences": len(finding["differences"]),
            }
            for finding in header["findings"][:_JUMPS]
        ],
        "accepted": header["accepted"],
    }


def _images(header: JsonObject) -> JsonObject | None:
    """What the images differ by, where there are several: in groups, and one by one."""
    if not header.get("images"):
        return None
    titles = {one["cause"]: one["title"] for one in header["findings"]}
    return {
        "noun": images.noun(header),
        "tally": images.tally(header),
        "groups": [
            {
                "causes": [escape(titles.get(cause, cause)) for cause in group.causes],
                "count": len(group.images),
                "names": [one["image"] for one in group.images[:_IMAGES_NAMED]],
                "left_out": max(0, len(group.images) - _IMAGES_NAMED),
            }
            for group in images.groups(header)
        ],
        "rows": [*map(images.row, images.worst_first(header))],
    }


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _holds(equal_at: str) -> dict[str, bool]:
    """Of each rung whether it holds: all below the strongest do."""
    return {rung: index >= RUNGS.index(equal_at) for index, rung in enumerate(RUNGS[:-1])}


def _look(finding: JsonObject, causes: dict[str, int]) -> str:
    """The class that colours a finding: each cause has its own."""
    return chart.color(causes[finding["cause"]]) if finding["confirmed"] else "bad"


def _findings(report: Report, found: tree.Survey, causes: dict[str, int]) -> JsonObject:
    return {
        "header": report.header,
        "findings": [_finding(report, one, found, causes) for one in report.header["findings"]],
        "problems": report.header["problems"],
    }


def _finding(
    report: Report, finding: JsonObject, found: tree.Survey, causes: dict[str, int]
) -> JsonObject:
    kinds = []
    for kind in finding["kinds"]:
        example = report.examples[kind["example"]]
        place = words.place(example, report.header)
        kinds.append(
            {**kind, "alike": example["count"], "place": place, "leaf": leaf.leaf(example)}
        )
    example = report.examples[finding["kinds"][0]["example"]] if finding["kinds"] else {}
    claim = next(
        (
            (one["a"], one["b"])
            for one in example.get("claims", ())
            if one["cause"] == finding["cause"] and one["a"] != one["b"]
        ),
        None,
    )
    varied = words.varied(finding)
    return {
        **finding,
        "look": _look(finding, causes),
        "kinds": kinds,
        "claim": claim and [*map(leaf.markup, leaf.marked(*claim))],
        # the line of evidence says more where several values varied, or an image says the same
        "varied": "" if claim and varied == " / ".join(claim) else varied,
        "places": [*found.places.get(finding["cause"], {}).items()],
        "places_left_out": max(0, finding["files"] - tree.PLACES),
    }


def _layers(header: JsonObject) -> dict[Route, tree.Layer]:
    """What is known of each layer, by the route that leads to it."""
    told: dict[Route, tree.Layer] = {}
    for platform in header["platforms"]:
        image = [] if platform["image"] is None else [platform["image"]]
        sides = [(platform[side] or {}).get("layers", []) for side in "ab"]
        for number in range(max(map(len, sides))):
            both = [layers[number] if number < len(layers) else {} for layers in sides]
            made = [one for one in dict.fromkeys(each.get("created_by") for each in both) if one]
            route = (*image, platform["platform"], f"layer {number + 1}")
            told[route] = tree.Layer(" / ".join(made), chart.layer_strips(both))
    return told


def _finalize(value: object) -> object:
    """Every text that the template prints passes here: no image chooses what a page does."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape(value)
    return value
