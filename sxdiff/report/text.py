"""The terminal's view: in ten seconds, are they equal, and if not, what is wrong.

At most a screenful without `verbose`; with it the tree of all differences, streamed.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from sxdiff.report import images, words
from sxdiff.report.build import Report
from sxdiff.report.escape import escape, inert
from sxdiff.wire import JsonObject

SCREEN_LINES = 23
"""A terminal of 24 lines keeps one for the prompt."""
_PLATFORMS_TOLD = 3
_PROBLEMS_TOLD = 2
_SUSPECTS_TOLD = 1
_RULES_TOLD = 2
_LINES_OF_CAUSES = 7
"""Lines of the screen that are for causes, if there are any."""
_LEAST_OF_KINDS = 5
"""Lines for what is unexplained, if there is any: one example and what is left out."""
_FIX_LINES = 2
_BRIEF_LINES = 3
_ROWS_LEAST = 4
"""Rows of the table of several images that are there for sure, if there are so many."""
_HINT = "-v lists every difference, --html FILE makes a page of them"
_HINT_NAMED = "-v lists all, --html FILE makes a page of it, sxdiff explain CAUSE tells more"
_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


def chunks(
    report: Report, *, verbose: bool = False, color: bool = False, width: int = 80
) -> Iterator[str]:
    """The lines of the view. No character of an image but plain visible ones is in them, and a CI
    log takes none for a command."""
    view = _View(report, verbose, color, max(width, 40))
    for line in view.tree() if verbose else view.screen():
        yield inert(line) + "\n"


class _View:
    def __init__(self, report: Report, verbose: bool, color: bool, width: int) -> None:
        self._report = report
        self._header = report.header
        self._verbose = verbose
        self._color = color
        self._width = width

    def screen(self) -> list[str]:
        if self._header.get("images"):
            return self._images_screen()
        lines = [*self._head(), *self._counts(), *self._accepted()]
        problems = [*self._problems()]
        hint = [*self._hint()]
        # the empty line before the hint may go
        room = SCREEN_LINES + 1 - len(lines) - len(problems) - len(hint)
        causes = [one for one in self._header["findings"] if one["confirmed"]]
        # what is unexplained comes first, but may not take all
        for_causes = min(_LINES_OF_CAUSES, _BRIEF_LINES * len(causes) + 1)
        kinds = self._kinds(max(room - for_causes, _LEAST_OF_KINDS))
        lines += kinds
        lines += self._fitting(causes, room - len(kinds))
        lines += problems
        return lines + (hint if len(lines) + len(hint) <= SCREEN_LINES else hint[1:])

    def tree(self) -> Iterator[str]:
        if self._header.get("images"):
            yield from self._images_head()
            for block in self._groups():
                yield from ("", *block)
            yield from ("", *self._table(images.worst_first(self._header)), "")
            yield from self._platforms()
        else:
            yield from self._head()
        yield from self._counts()
        yield from self._accepted()
        yield from self._kinds(None)
        for finding in self._header["findings"]:
            if finding["confirmed"]:
                yield from ("", *self._cause(finding))
        yield from self._problems()
        shown: list[str] = []
        for number, difference in enumerate(self._report.differences()):
            where = difference["where"]
            if number == 0:
                yield ""
            same = words.common(shown, where)
            for depth in range(same, len(where)):
                yield self._cut("  " * depth + escape(where[depth]))
            shown = where
            yield from self._leaf(difference, "  " * len(where))

    def _head(self) -> Iterator[str]:
        header = self._header
        yield self._paint(words.verdict(header), _BOLD, _GREEN if header["met"] else _RED)
        meaning = words.meaning(header)
        if meaning:
            yield meaning
        yield from self._platforms()

    def _platforms(self) -> Iterator[str]:
        platforms = self._header["platforms"]
        # full digests while there is room: they get copied
        full = self._verbose or len(platforms) <= _PLATFORMS_TOLD - 1
        signed = [*map(words.digests, platforms)]
        differing = [a != b for a, b in signed]
        order = sorted(range(len(platforms)), key=lambda index: not differing[index])
        told = order if self._verbose else order[: _PLATFORMS_TOLD + (len(order) <= 4)]
        for index in told:
            platform, (a, b) = platforms[index], signed[index]
            name = escape(words.platform_name(platform))
            if platform["only_in"]:
                yield self._cut(f"{name}  only in {platform['only_in']}")
            elif full:
                yield self._cut(f"{name}  equal at {platform['equal_at']}")
            else:
                short = f"  {_short(a)}" if a == b else f"  a {_short(a)}  b {_short(b)}"
                yield self._cut(f"{name}  {platform['equal_at']}{short if a or b else ''}")
            if full and a == b and a:
                yield f"  a b  {escape(a)}"
            elif full and (a or b):
                for side, digest, style in (("a", a, _RED), ("b", b, _GREEN)):
                    if digest or not platform["only_in"]:
                        shown = escape(digest or "(no manifest)")
                        yield f"  {side}  {self._paint(shown, style)}"
        if len(told) < len(order):
            rest = order[len(told) :]
            equal = sum(not differing[index] for index in rest)
            yield f"and {words.count(len(rest), 'more platform')}, {equal} with equal manifests"

    def _images_screen(self) -> list[str]:
        """Of several images: how many are equal, what the others differ by, the worst of them."""
        lines = [*self._images_head(), *self._counts()]
        end = [*self._problems(), *self._hint()]
        worst = [one for one in images.worst_first(self._header) if not one["met"]]
        room = SCREEN_LINES - len(lines) - len(end)
        # what is left for groups: an empty line, some rows, the line that tells what is left out
        for_groups = room - (min(len(worst), _ROWS_LEAST) + 2 if worst else 0)
        told: list[str] = []
        groups = self._groups()
        for number, block in enumerate(groups):
            told += [] if told else [""]
            left = for_groups - len(told) - (number + 1 < len(groups))
            if left < 1:
                more = sum(len(one.images) for one in images.groups(self._header)[number:])
                told.append(f"and {words.count(more, images.noun(self._header))} by other causes")
                break
            told += block if len(block) <= left else block[:1]
        room -= len(told)
        if worst:
            shown = len(worst) if len(worst) < room else max(0, room - 2)
            told += ["", *self._table(worst[:shown])]
            if shown < len(worst):
                told.append(f"and {len(worst) - shown:,} more")
        return lines + told + end

    def _images_head(self) -> Iterator[str]:
        header = self._header
        yield self._paint(words.verdict(header), _BOLD, _GREEN if header["met"] else _RED)
        yield self._cut(images.tally(header), end=True)

    def _groups(self) -> list[list[str]]:
        """What images differ by, a block of lines for each group of them."""
        findings = {one["cause"]: one for one in self._header["findings"]}
        blocks = []
        for causes, found in images.groups(self._header):
            many = words.count(len(found), images.noun(self._header))
            if not causes:
                verb = "has" if len(found) == 1 else "have"
                names = escape(", ".join(one["image"] for one in found))
                line = f"{many} {verb} unexplained differences: {names}"
                blocks.append([self._paint(self._cut(line, end=True), _BOLD, _RED)])
                continue
            verb = "differs" if len(found) == 1 else "differ"
            line = escape(f"{many} {verb} only by {' and '.join(causes)}")
            block = [self._paint(self._cut(line, end=True), _BOLD, _GREEN)]
            for cause in causes:
                if len(causes) == 1 or self._verbose:
                    finding = findings[cause]
                    block.append(self._cut(f"  {escape(words.varied(finding))}", end=True))
                    block += self._wrapped("  fix: ", finding["fix"], 1)
            blocks.append(block)
        return blocks

    def _table(self, found: list[JsonObject]) -> list[str]:
        rows = [[escape(cell) for cell in images.row(one)] for one in found]
        most = max((_columns(name) for name, _, _ in rows), default=0)
        width = most if self._verbose else min(most, self._width // 2)
        lines = []
        for name, rung, told in rows:
            cut = _cut_middle(name, width)
            line = f"{cut}{' ' * (width - _columns(cut))}  {rung:8}  {told}".rstrip()
            lines.append(line if self._verbose else self._cut(line, end=True))
        return lines

    def _counts(self) -> Iterator[str]:
        summary = self._header["summary"]
        files, differences = summary["files"], summary["differences"]
        if not differences["total"]:
            return
        yield ""
        verb = "differs" if files["differing"] == 1 else "differ"
        told = [f"{files['differing']:,} of {words.count(files['compared'], 'file')} {verb}"]
        told += [f"{files[key]:,} {key.replace('_', ' ')}" for key in _ALONE if files[key]]
        yield self._cut(", ".join(told))
        total = words.count(differences["total"], "difference")
        told = [f"{differences['unexplained']:,} of {total} unexplained"]
        if differences["explained"]:
            told.append(f"{differences['explained']:,} explained")
        if differences["derived"]:
            follow = "follows" if differences["derived"] == 1 else "follow"
            told.append(f"{differences['derived']:,} {follow} from others")
        if summary["bytes"]["differing"]:
            told.append(words.size(summary["bytes"]["differing"]))
        while len(told) > 1 and len(", ".join(told)) > self._width:
            told.pop()
        yield self._cut(", ".join(told))
        if would := words.counterfactual(self._header):
            yield self._cut(would)

    def _accepted(self) -> Iterator[str]:
        """What is accepted; on a screen, what goes wrong with it before all."""
        told = words.accepted(self._header)
        if not self._verbose and len(told) > _RULES_TOLD + 1:
            told[_RULES_TOLD:] = [f"and {len(told) - _RULES_TOLD:,} more of what is accepted"]
        for line in told:
            yield escape(line) if self._verbose else self._cut(escape(line), end=True)

    def _kinds(self, room: int | None) -> list[str]:
        """The findings: each kind with its count and one example, as many as have room."""
        unexplained = [one for one in self._header["findings"] if not one["confirmed"]]
        entries = [(one, kind) for one in unexplained for kind in one["kinds"]]
        if not entries:
            return []
        blocks = [self._kind(kind) for _, kind in entries[:SCREEN_LINES]]
        looks = [line for finding in unexplained for line in self._suspects(finding)]
        if room is None:
            told = (line for _, kind in entries for line in self._kind(kind))
            return ["", *told, *looks]
        room -= len(looks)
        if sum(map(len, blocks)) + len(blocks) <= room and len(blocks) == len(entries):
            return [line for block in blocks for line in ["", *block]] + looks
        lines = [""]
        for index, block in enumerate(blocks):
            # the last line of the room tells what is left out, if anything is
            if len(lines) + len(block) > room - (index + 1 < len(entries)):
                rest = [f"{kind['kind']} {kind['differences']:,}" for _, kind in entries[index:]]
                more = words.count(len(rest), "more kind")
                lines.append(self._cut(escape(f"and {more}: {', '.join(rest)}"), end=True))
                break
            lines += block
        return lines + looks

    def _suspects(self, finding: JsonObject) -> Iterator[str]:
        """What unexplained differences look like, and what would show it."""
        suspects = finding["suspects"]
        for one in suspects if self._verbose else suspects[:_SUSPECTS_TOLD]:
            some = "1 looks" if one["differences"] == 1 else f"{one['differences']:,} look"
            line = escape(f"  {some} like {one['cause']}; to see: {one['proof']}")
            yield line if self._verbose else self._cut(line, end=True)

    def _cause(self, finding: JsonObject, *, brief: bool = False) -> list[str]:
        """A confirmed cause: how often, what varied, an example, the fix."""
        lines = [self._cause_name(finding)]
        varied = "  " + escape(words.varied(finding))
        lines.append(varied if self._verbose else self._cut(varied, end=True))
        if not brief:
            example = self._report.examples[finding["kinds"][0]["example"]]
            vanish = finding["consequences"]
            more = f"; {words.count(vanish, 'consequence')} with it" if vanish else ""
            place = escape(words.place(example, self._header))
            room = self._width - len("  in ") - len(more)
            lines.append(f"  in {place if self._verbose else _cut_middle(place, room)}{more}")
        if self._verbose:
            lines += self._wrapped("  why: ", finding["why"], None)
        most = None if self._verbose else 1 if brief else _FIX_LINES
        lines += self._wrapped("  fix: ", finding["fix"], most)
        if self._verbose:
            lines += [f"  see: {escape(one)}" for one in finding["references"]]
        return lines

    def _cause_name(self, finding: JsonObject) -> str:
        """A title, the id that `sxdiff explain` knows, and how often; the title gives way."""
        name = escape(finding["cause"])
        title = escape(finding["title"])
        number, files = len(finding["differences"]), finding["files"]
        counted = f" × {number:,}" if number > 1 else ""  # noqa: RUF001 - the sign for times
        counted += f" in {files:,} files" if files > 1 else ""
        id_ = f" [{name}]"
        if not self._verbose:
            title = _cut_end(title, max(12, self._width - len(id_) - len(counted)))
        return f"{self._paint(title, _BOLD, _GREEN)}{self._paint(id_, _DIM)}{counted}"

    def _wrapped(self, label: str, text: str, most: int | None) -> list[str]:
        """A sentence over several lines, at most so many."""
        if not text:
            return []
        width = max(24, self._width - len(label))
        # an option or an address is not broken: it gets copied
        lines = textwrap.wrap(
            escape(text),
            width,
            max_lines=most,
            placeholder=" …",
            break_on_hyphens=False,
            break_long_words=most is not None,
        )
        return [(label if n == 0 else " " * len(label)) + line for n, line in enumerate(lines)]

    def _fitting(self, causes: list[JsonObject], room: int) -> list[str]:
        """All causes in as many lines as have room; where not even two each have, the first."""
        if not causes:
            return []
        whole = [self._cause(one) for one in causes]
        if sum(map(len, whole)) + len(whole) <= room:
            return [line for block in whole for line in ["", *block]]
        short = [
            [block[0], *self._wrapped("  fix: ", one["fix"], 1)]
            for block, one in zip(whole, causes, strict=True)
        ]
        for blocks in (whole, [self._cause(one, brief=True) for one in causes], short):
            if sum(map(len, blocks)) < room:
                return ["", *(line for block in blocks for line in block)]
        out = [""]
        for number, block in enumerate(short):
            last = number + 1 == len(causes)
            if len(out) + len(block) > room - (not last):
                names = [one["cause"] for one in causes[number:]]
                more = words.count(len(names), "more cause")
                out.append(self._cut(escape(f"and {more}: {', '.join(names)}"), end=True))
                break
            out += block
        return out

    def _kind(self, kind: JsonObject) -> list[str]:
        example = self._report.examples[kind["example"]]
        plain = f"{kind['kind']} "
        painted = f"{self._paint(escape(kind['kind']), _BOLD)} "
        alike = example["count"]
        if kind["differences"] == 1 < alike:
            plain, painted = f"{plain}× {alike:,} ", f"{painted}× {alike:,} "  # noqa: RUF001 - the sign for times
        if kind["differences"] > 1:
            counted = f"× {kind['differences']:,} "  # noqa: RUF001 - the sign for times
            if kind["files"] > 1:
                counted += f"in {kind['files']:,} files "
            counted = f"{counted.rstrip()}, as "
            plain, painted = plain + counted, painted + counted
        told = escape(words.place(example, self._header))
        told = _cut_middle(told, max(24, self._width - len(plain) - 3))
        return [f"{painted}in {told}", *self._sides(example, "  ", brief=True)]

    def _leaf(self, difference: JsonObject, indent: str) -> Iterator[str]:
        notes = "; ".join(words.marks(difference))
        head = f"{indent}{self._paint(escape(difference['kind']), _BOLD)}"
        yield f"{head}  {self._paint(escape(notes), _DIM)}" if notes else head
        yield from self._sides(difference, indent + "  ", brief=False)

    def _sides(self, difference: JsonObject, indent: str, brief: bool) -> Iterator[str]:
        """Both values, one above the other, or the text diff."""
        changes = words.changes(difference)
        if difference["diff"] and not brief:
            for line in difference["diff"].splitlines():
                style = _STYLES.get(line[:1], _DIM)
                yield indent + self._paint(_cut_end(escape(line), self._room(indent)), style)
            return
        a, b = changes or (words.side(difference, "a"), words.side(difference, "b"))
        yield from self._pair(escape(a), escape(b), indent)

    def _pair(self, a: str, b: str, indent: str) -> Iterator[str]:
        room = self._room(indent) - 3
        same = words.common(a, b)
        start = 0
        if max(_columns(a), _columns(b)) > room:
            # a cut in the middle of each could take away just what differs
            start = max(0, same - room // 3)
        for name, text, other, style in (("a", a, b, _RED), ("b", b, a, _GREEN)):
            head = "…" if start else ""
            shown = head + _cut_end(text[start:], room - len(head))
            at = same - start + len(head)
            tail = _common_tail(text[same:], other[same:])
            # colour the part that differs, if it is all in sight
            end = len(shown) if shown.endswith("…") else len(shown) - tail
            told = shown[:at] + self._paint(shown[at:end], style) + shown[end:]
            yield f"{indent}{self._paint(name, style)}  {told}"

    def _problems(self) -> Iterator[str]:
        problems = self._header["problems"]
        if not len(problems):
            return
        yield ""
        yield self._paint(words.count(len(problems), "problem"), _BOLD, _YELLOW)
        for index, problem in enumerate(problems):
            if index >= _PROBLEMS_TOLD and not self._verbose:
                yield f"  and {len(problems) - index:,} more"
                return
            where = words.place(problem, self._header)
            told = f"  {problem['kind']}: {problem['message']}; {problem['resolution']}"
            line = escape(f"{told} (in {where})" if where else told)
            if self._verbose or _columns(line) <= self._width:
                yield line
            else:  # two lines, parted at a space if there is one
                start = _fitting(line, self._width)
                start = line.rfind(" ", 4, start + 1) + 1 or start
                yield line[:start].rstrip()
                yield self._cut("  " + line[start:])

    def _hint(self) -> Iterator[str]:
        if self._header["summary"]["differences"]["total"]:
            yield ""
            named = any(one["confirmed"] or one["suspects"] for one in self._header["findings"])
            hint = _HINT_NAMED if named else _HINT
            yield self._paint(hint, _DIM)

    def _room(self, indent: str) -> int:
        # a tree deeper than the screen is wide still shows something
        return max(24, self._width - len(indent))

    def _cut(self, line: str, end: bool = False) -> str:
        return (_cut_end if end else _cut_middle)(line, self._width)

    def _paint(self, text: str, *styles: str) -> str:
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m" if self._color and text else text


_ALONE = ("only_in_a", "only_in_b")
_STYLES = {"-": _RED, "+": _GREEN, "@": _BOLD}


def _short(digest: str | None) -> str:
    return escape(digest[:19]) + "…" if digest else "none"


def _common_tail(a: str, b: str) -> int:
    return words.common(a[::-1], b[::-1])


def _columns(text: Iterable[str]) -> int:
    """How wide a text is on a terminal: East Asian wide characters take two columns."""
    if isinstance(text, str) and text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def _fitting(text: Iterable[str], width: int) -> int:
    """How many characters from the start fit."""
    used = number = 0
    for number, one in enumerate(text):
        used += _columns(one)
        if used > width:
            return number
    return number + 1


def _cut_end(text: str, width: int) -> str:
    return text if _columns(text) <= width else text[: _fitting(text, width - 1)] + "…"


def _cut_middle(text: str, width: int) -> str:
    """Keeps both ends: of a path, the end says most."""
    if _columns(text) <= width:
        return text
    tail = text[len(text) - _fitting(reversed(text), (width - 1) * 2 // 3) :]
    return text[: _fitting(text, width - 1 - _columns(tail))] + "…" + tail
