"""How the page shows one difference: the way that suits what differs.

Values stand side by side with what differs in them marked; lines of text and of disassembly too;
bytes as a dump with their characters; an order as the items that moved. Everything is cut to what
a page can bear, with the number of what was left out.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final, NamedTuple, TypeAlias

from markupsafe import Markup
from markupsafe import escape as quoted

from sxdiff.report import words
from sxdiff.report.escape import escape
from sxdiff.wire import JsonObject

VALUE_CHARACTERS: Final = 2000
"""What is shown of one value."""
DIFF_LINES: Final = 300
MOVES: Final = 100
"""Items of an order that are shown."""

_BYTES_A_ROW = 8
_MATCHED_CHARACTERS = 400
"""Lines up to this length are compared word by word; longer ones by their common ends."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
_HEX = re.compile("(?:[0-9a-f]{2})*")
_NOTHING = Markup("")
_WORD = re.compile(r"\w+|\s+|.", re.DOTALL)

Pieces: TypeAlias = list[tuple[bool, str]]
"""A text in pieces, each with whether it differs from the other side's."""

UNEXPLAINED, EXPLAINED, DERIVED = "u", "e", "d"


class Line(NamedTuple):
    """One row of lines side by side; a side without a number has no line there."""

    a_number: int | None
    a: Markup
    b_number: int | None
    b: Markup
    changed: bool = True


class Dump(NamedTuple):
    """One row of bytes side by side: hexadecimal and the characters; no offset where unknown."""

    offset: int | None
    a: Markup
    a_text: Markup
    b: Markup
    b_text: Markup


class Move(NamedTuple):
    """An item that stands at another place: from one, in a, to one, in b."""

    item: str
    a: int
    b: int


def state(difference: JsonObject) -> str:
    """Whether a difference is unexplained, explained, or follows from others: in one letter."""
    if difference["derived"]:
        return DERIVED
    return EXPLAINED if difference["explained"] else UNEXPLAINED


def leaf(difference: JsonObject) -> JsonObject:
    """What the page shows of one difference."""
    notes = words.marks(difference)
    if difference["bytes"]:
        notes.append(f"{words.size(difference['bytes'])} differ")
    shown: JsonObject = {
        "id": difference["id"],
        "kind": difference["kind"],
        "state": state(difference),
        "hidden": not difference["visible"],
        "causes": difference["causes"],
        "notes": notes,
        "sides": [],
        "lines": [],
        "dump": [],
        "moves": [],
        "left_out": "",
    }
    if difference["diff"]:
        shown["lines"], left_out = _lines(difference["diff"])
        if left_out:
            shown["left_out"] = words.count(left_out, "more line")
        return shown
    if moves := _moves(difference):
        shown["moves"] = moves[:MOVES]
        if len(moves) > MOVES:
            shown["left_out"] = f"{len(moves) - MOVES:,} more moved"
        return shown
    places = [_place(difference[name] or {}) for name in "ab"]
    if dump := _dump(difference):
        shown["dump"], shown["places"] = dump, places
        shown["left_out"] = _of_how_many(difference)
        return shown
    if places[0] == places[1]:  # told once for both
        notes += filter(None, places[:1])
        places = ["", ""]
    shown["sides"] = _sides(difference, places)
    return shown


def marked(a: str, b: str) -> tuple[Pieces, Pieces]:
    """Both texts with what differs in them marked, by words where they are short."""
    if max(len(a), len(b)) > _MATCHED_CHARACTERS:
        return _between_ends(a, b)
    ours, theirs = _WORD.findall(a), _WORD.findall(b)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    if matcher.ratio() < 0.35:  # crumbs that happen to be alike only disturb
        return _between_ends(a, b)
    left: Pieces = []
    right: Pieces = []
    for tag, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        differs = tag != "equal"
        _append(left, differs, "".join(ours[a_start:a_end]))
        _append(right, differs, "".join(theirs[b_start:b_end]))
    return left, right


def markup(pieces: Pieces) -> Markup:
    """The text with what differs marked. This alone makes markup of what an image holds."""
    return Markup("").join(
        Markup("<mark>%s</mark>") % _in_lines(text) if differs else quoted(_in_lines(text))
        for differs, text in pieces
    )


def _in_lines(text: str) -> str:
    """The escaped text, with a line for each of its lines: a line feed is told, and breaks."""
    return escape(text).replace("\\u{a}", "\\u{a}\n")


def _append(pieces: Pieces, differs: bool, text: str) -> None:
    if text:
        pieces.append((differs, text))


def _between_ends(a: str, b: str) -> tuple[Pieces, Pieces]:
    head = words.common(a, b)
    tail = words.common(a[head:][::-1], b[head:][::-1])
    both: tuple[Pieces, Pieces] = ([], [])
    for pieces, text in zip(both, (a, b), strict=True):
        end = len(text) - tail
        _append(pieces, False, cut(text[:head]))
        _append(pieces, True, cut(text[head:end]))
        _append(pieces, False, cut(text[end:]))
    return both


def cut(text: str) -> str:
    """The text, or both its ends and how much lies between."""
    if len(text) <= VALUE_CHARACTERS:
        return text
    half = VALUE_CHARACTERS // 2
    left_out = words.count(len(text) - 2 * half, "character")
    return f"{text[:half]} … {left_out} left out … {text[-half:]}"


def _sides(difference: JsonObject, places: list[str]) -> list[JsonObject]:
    """Both sides, each text in pieces, and where it lies."""
    texts = [words.side(difference, name) for name in "ab"]
    # a number differs as a whole, and so does what is on one side only
    comparable = all(
        side is not None and (side["value"] is None or isinstance(side["value"], str))
        for side in (difference["a"], difference["b"])
    )
    both = marked(*texts) if comparable else tuple([(False, cut(text))] for text in texts)
    sides = []
    for name, text, pieces, place in zip("ab", texts, both, places, strict=True):
        excerpt = (difference[name] or {}).get("excerpt")
        sides.append(
            {
                "name": name,
                "text": markup(pieces),
                # the excerpt beside a value shows what surrounds it
                "excerpt": cut(excerpt) if excerpt is not None and excerpt != text else "",
                "place": place,
                "absent": difference[name] is None,
            }
        )
    return sides


def _place(value: JsonObject) -> str:
    """Where a side's value lies."""
    at, line = value.get("at"), value.get("line")
    place = [f"line {line:,}"] if line is not None else []
    place += [f"at {at[0]:,}, {words.count(at[1], 'byte')}"] if at else []
    place += [f"address {value['address']:#x}"] if "address" in value else []
    return ", ".join(place)


def _lines(diff: str) -> tuple[list[Line], int]:
    """A unified diff as rows side by side, and how many of its lines were left out."""
    rows: list[Line] = []
    went: list[str] = []
    came: list[str] = []
    a_number = b_number = 1

    def pair() -> None:
        nonlocal a_number, b_number
        for index in range(max(len(went), len(came))):
            a = went[index] if index < len(went) else None
            b = came[index] if index < len(came) else None
            if a is not None and b is not None:
                left, right = marked(a, b)
            else:
                left, right = [(True, cut(a or ""))], [(True, cut(b or ""))]
            rows.append(
                Line(
                    None if a is None else a_number + index,
                    _NOTHING if a is None else markup(left),
                    None if b is None else b_number + index,
                    _NOTHING if b is None else markup(right),
                )
            )
        a_number += len(went)
        b_number += len(came)
        went.clear()
        came.clear()

    lines = diff.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    for line in lines[:DIFF_LINES]:
        if line.startswith("-") and not line.startswith("--- "):
            went.append(line[1:])
        elif line.startswith("+") and not line.startswith("+++ "):
            came.append(line[1:])
        elif hunk := _HUNK.match(line):
            pair()
            a_number, b_number = int(hunk[1]), int(hunk[2])
        elif line.startswith(" ") or not line:
            pair()
            text = quoted(escape(cut(line[1:])))
            rows.append(Line(a_number, text, b_number, text, changed=False))
            a_number, b_number = a_number + 1, b_number + 1
        elif line.startswith("\\"):  # "No newline at end of file", of the line before
            pair()
            rows.append(Line(None, quoted(escape(line)), None, _NOTHING))
    pair()
    return rows, max(0, len(lines) - DIFF_LINES)


def _dump(difference: JsonObject) -> list[Dump]:
    """The bytes of both sides in rows, if the difference is of bytes."""
    known = [difference[name] for name in "ab"]
    shown = [side and side.get("excerpt") for side in known]
    if not any(shown) or not all(
        side is None or (isinstance(text, str) and _HEX.fullmatch(text))
        for side, text in zip(known, shown, strict=True)
    ):
        return []
    a, b = (bytes.fromhex(text or "") for text in shown)
    before = words.common(a, b)
    base = None
    at = known[0] and known[0].get("at")
    if at and known[1] and known[1].get("at") == at and at[0] >= before:
        base = at[0] - before  # the value begins where the excerpts part
    start = -(base or 0) % _BYTES_A_ROW
    edges = [0, *range(start or _BYTES_A_ROW, max(len(a), len(b)), _BYTES_A_ROW)]
    if len(a) == len(b):
        flags = [[x != y for x, y in zip(a, b, strict=True)]] * 2
    else:
        after = words.common(a[before:][::-1], b[before:][::-1])
        flags = [
            [before <= index < len(side) - after for index in range(len(side))] for side in (a, b)
        ]
    rows = []
    for index, edge in enumerate(edges):
        end = edges[index + 1] if index + 1 < len(edges) else max(len(a), len(b))
        columns = [
            _row(side[edge:end], flag[edge:end]) for side, flag in zip((a, b), flags, strict=True)
        ]
        rows.append(Dump(None if base is None else base + edge, *columns[0], *columns[1]))
    return rows


def _row(data: bytes, flags: list[bool]) -> tuple[Markup, Markup]:
    """Bytes as hexadecimal and as characters, in runs that differ and runs that do not."""
    numbers: Pieces = []
    characters: Pieces = []
    start = 0
    for index in range(1, len(data) + 1):
        if index == len(data) or flags[index] != flags[start]:
            run = data[start:index]
            numbers.append((flags[start], run.hex(" ") + " "))
            text = "".join(chr(one) if 0x20 < one < 0x7F else "·" for one in run)
            characters.append((flags[start], text))
            start = index
    return markup(numbers), markup(characters)


def _of_how_many(difference: JsonObject) -> str:
    """How many bytes there are, where not all are shown."""
    told = []
    for name in "ab":
        side = difference[name] or {}
        if (side.get("size") or 0) > len(side.get("excerpt") or "") // 2:
            told.append(f"{name}: {words.size(side['size'])} in all")
    return ", ".join(told)


def _moves(difference: JsonObject) -> list[Move]:
    """The fewest items that explain another order, if the difference is one of order."""
    sides = [(difference[name] or {}).get("value") for name in "ab"]
    values = [one for one in sides if isinstance(one, str)]
    if not difference["kind"].endswith("order") or len(values) < len(sides):
        return []
    lists = [value.split("\n" if "\n" in value else ", ") for value in values]
    if len(lists[0]) < 2 or sorted(lists[0]) != sorted(lists[1]):
        return []
    places: dict[str, list[int]] = {}
    for index, item in enumerate(lists[1]):
        places.setdefault(item, []).append(index)
    targets = [places[item].pop(0) for item in lists[0]]
    stays = set(_longest_rising(targets))
    return [
        Move(cut(item), index + 1, target + 1)
        for index, (item, target) in enumerate(zip(lists[0], targets, strict=True))
        if target not in stays
    ]


def _longest_rising(numbers: list[int]) -> Iterator[int]:
    """The longest rising subsequence: what need not have moved."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        index = bisect_left(ends, number)
        before[number] = ends[index - 1] if index else None
        ends[index : index + 1] = [number]
    last = ends[-1] if ends else None
    while last is not None:
        yield last
        last = before[last]
