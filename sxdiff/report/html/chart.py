"""Numbers of the page's pictures: drawn by the template as SVG, without any style of their own."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sxdiff.report import words
from sxdiff.report.html.tree import Step
from sxdiff.wire import JsonObject

COLORS: Final = 8
"""Colours for causes; later ones share the last."""
_WIDTH = 1000
_LEAST = 3
"""What is there at all is seen: the least width of a piece, of a thousand."""
_LEAST_SPANS = 3


class Piece(NamedTuple):
    """A piece of a bar: where it begins and how wide it is, in thousandths of the whole."""

    x: int
    width: int
    look: str
    name: str
    told: str


def color(number: int) -> str:
    """The class that colours the cause of this number, counted from 0."""
    return f"c{min(number, COLORS - 1)}"


def bars(header: JsonObject) -> list[JsonObject]:
    """Bytes and differences, each as a bar of its parts: unexplained, by cause, derived."""
    summary = header["summary"]
    causes = [one for one in header["findings"] if one["confirmed"]]
    drawn = []
    for title, key, parts in (
        ("Bytes that differ", "bytes", [(one, one["bytes"]) for one in causes]),
        ("Differences", "differences", [(one, len(one["differences"])) for one in causes]),
    ):
        numbers = summary[key]
        told = words.size if key == "bytes" else lambda number: f"{number:,}"
        whole: list[tuple[str, str, int]] = [("bad", "unexplained", numbers["unexplained"])]
        # a difference with two causes counts once, so the causes share what is explained
        sum_ = sum(part for _, part in parts)
        for index, (finding, part) in enumerate(parts):
            share = numbers["explained"] * part // sum_ if sum_ else 0
            whole.append((color(index), finding["cause"], share))
        if "derived" in numbers:
            whole.append(("derived", "follow from others", numbers["derived"]))
        total = sum(number for _, _, number in whole)
        if not total:
            continue
        drawn.append(
            {
                "title": title,
                "total": told(numbers["differing"] if key == "bytes" else numbers["total"]),
                "pieces": [*_pieces([(*one, told(one[2])) for one in whole if one[2]], total)],
            }
        )
    return drawn


def _pieces(parts: list[tuple[str, str, int, str]], total: int) -> list[Piece]:
    widths = [max(_LEAST, number * _WIDTH // total) for _, _, number, _ in parts]
    # the widest gives what the least widths took
    widths[widths.index(max(widths))] += _WIDTH - sum(widths)
    pieces = []
    x = 0
    for (look, name, _, told), width in zip(parts, widths, strict=True):
        pieces.append(Piece(x, width, look, name, told))
        x += width
    return pieces


def file_strip(step: Step) -> JsonObject | None:
    """Where in a file the differences lie, if that is known of several."""
    if not step.family or len(step.spans) < _LEAST_SPANS:
        return None
    end = max(at + size for at, size, _ in step.spans)
    if not end:
        return None
    marks = {(*_mark(at, size, end), state): None for at, size, state in step.spans}
    return {
        # what is unexplained lies on top
        "marks": sorted(marks, key=lambda mark: (mark[2] != "d", mark[2] != "e", mark[0])),
        "end": end,
        "places": len(step.spans),
    }


def layer_strips(sides: Sequence[JsonObject]) -> list[JsonObject]:
    """Where in a layer the members lie that differ: of both sides, or once where it is the same.
    Reports of before do not say."""
    drawn: list[JsonObject] = []
    for side, layer in zip("ab", sides, strict=True):
        end, touched = layer.get("unpacked"), layer.get("touched")
        if end and touched:
            marks = [(*_mark(at, size, end), "t") for at, size in touched]
            drawn.append({"side": side, "marks": marks, "end": end})
    if len(drawn) == len(sides) and all(drawn[0][key] == drawn[1][key] for key in ("marks", "end")):
        return [drawn[0] | {"side": None}]
    return drawn


def _mark(at: int, size: int, end: int) -> tuple[int, int]:
    """Where a piece of a strip begins and how wide it is."""
    x = min(at * _WIDTH // end, _WIDTH - _LEAST)
    return x, max(_LEAST, min(size * _WIDTH // end, _WIDTH - x))
