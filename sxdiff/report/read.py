"""Reads a report back from its JSON: all other forms follow from that alone.

The file may be anything, so nothing of it is believed: it is checked against the schema, and then
for what a schema can't say (every id that is named is there). It is read once and in pieces; its
differences are kept on disk, so that memory does not grow with them.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from sxdiff import __version__
from sxdiff.model import InputError
from sxdiff.report.build import Report
from sxdiff.report.escape import escape
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.images import Images, count_images
from sxdiff.report.keys import key_of
from sxdiff.report.schema import Violation, check_of, report_schema
from sxdiff.wire import JsonObject

SCHEMA: Final = "sxdiff-report/1"

_PIECE: Final = 1 << 20
_MOST_CHARACTERS: Final = 1 << 30
"""Of one value; the differences are many values."""
_MOST_DIGITS: Final = 300
"""Of a number: what is larger can't be counted with."""
_FAMILY: Final = re.compile(r"sxdiff-report/([0-9]{1,9})")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NEAR_THE_END: Final = 16
"""Characters of the longest piece of JSON (`-Infinity`, an escape) that is no string."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@contextmanager
def reading(path: str, directory: str) -> Iterator[Report]:
    """The report in the file `path`, which lives as long as the context; `directory` is for
    temporary files.

    Raises `InputError` in one line where there is no report that can be shown.
    """
    kept = os.path.join(directory, "differences.jsonl")
    try:
        yield _read(path, kept)
    finally:
        if os.path.exists(kept):
            os.unlink(kept)


def _read(path: str, kept: str) -> Report:
    try:
        with open(path, encoding="utf-8", newline="") as file, open(kept, "wb") as lines:
            document = _Reader(file, lines).document()
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from error
    except _NotAReportError as error:
        raise InputError(f"{path}: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not JSON: it is not UTF-8 ({error.reason})") from error
    except RecursionError as error:
        raise InputError(f"{path}: is not a report of sxdiff: it is nested too deep") from error

    def differences() -> Iterator[JsonObject]:
        with open(kept, "rb") as lines:
            yield from map(json.loads, lines)

    document = _completed(document, differences)
    kinds = [kind for finding in document["findings"] for kind in finding["kinds"]]
    wanted = {int(kind["example"][1:]) for kind in kinds}
    with open(kept, "rb") as stored:
        examples = {
            f"d{number}": json.loads(line)
            for number, line in enumerate(stored, 1)
            if number in wanted
        }
    return Report(document, differences, examples)


class _NotAReportError(Exception):
    """What is wrong with the file, to be said after its name."""


def _number(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise _NotAReportError("has a number that is too large")
    return int(text)


def _fraction(text: str) -> int | float:
    """A number with a point or an exponent may be whole: JSON makes no difference."""
    value = float(text)
    if abs(value) >= 10.0**_MOST_DIGITS:
        raise _NotAReportError("has a number that is too large")
    return int(value) if value.is_integer() else value


def _constant(name: str) -> None:
    raise _NotAReportError(f"is not JSON: {name} is no value")


_decode = json.JSONDecoder(
    parse_int=_number, parse_float=_fraction, parse_constant=_constant
).raw_decode


class _Reader:
    """Goes once through the text, a value at a time."""

    def __init__(self, file: IO[str], lines: IO[bytes]) -> None:
        self._file = file
        self._lines = lines
        self._text = ""
        self._at = 0
        self._passed = 0
        self._last = b""
        self._highest = "d0"
        self._causes: set[str] = set()
        self._difference = check_of(
            report_schema()["properties"]["differences"]["items"], report_schema()
        )

    def document(self) -> JsonObject:
        """All but the differences."""
        document: JsonObject = {}
        count = 0
        if self._next() != "{":
            raise _NotAReportError(
                "is not JSON: it is empty"
                if not self._next()
                else f"is not a report of sxdiff ({SCHEMA})"
            )
        for _ in self._items("{", "}"):
            if self._next() != '"':
                raise self._broken("Expecting a key")
            key = self._value()
            if key in document:
                raise _NotAReportError(f"has the key {_shown(key)} twice")
            self._take(":")
            if key == "differences" and self._next() == "[":
                document[key] = []
                for _ in self._items("[", "]"):
                    count += 1
                    self._keep(count, document)
            else:
                document[key] = self._value()
                if key == "schema":
                    _check_schema(document)
        if self._next():
            raise self._broken("Extra data")
        _check_schema(document)
        if found := check_of(report_schema(), report_schema())(document):
            raise _wrong(found, document)
        del document["differences"]
        _check_references(document, self._highest, count)
        _check_causes(document, self._causes)
        return document

    def _keep(self, number: int, document: JsonObject) -> None:
        """Checks the difference that comes next and writes it to disk, on one line."""
        one = self._value()
        if found := self._difference(one):
            found = Violation(("differences", number - 1, *found.place), found.message)
            raise _wrong(found, document)
        if one["id"] != f"d{number}":
            raise _NotAReportError(f"difference {number} has the id {_shown(one['id'])}")
        for id_ in one["derived_from"]:
            if len(id_) >= len(self._highest):
                self._highest = max(self._highest, id_, key=lambda one: (len(one), one))
        if not one["derived"]:
            self._causes.update(one["causes"] or [UNEXPLAINED])
        key = key_of(tuple(one["where"]))
        if key < self._last:
            raise _NotAReportError(f"difference {number} is out of order")
        self._last = key
        names = report_schema()["$defs"]["difference"]["properties"]
        one = _LATER | one
        one = {name: one[name] for name in names if name in one}
        self._lines.write(_encode(one).encode() + b"\n")

    def _items(self, begin: str, end: str) -> Iterator[None]:
        """Stands before each item of an array or object in turn."""
        self._take(begin)
        if self._next() == end:
            self._at += 1
            return
        while True:
            yield
            if self._next() == end:
                self._at += 1
                return
            self._take(",")

    def _next(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            while self._at < len(self._text):
                character = self._text[self._at]
                if character not in " \t\n\r":
                    return character
                self._at += 1
            if not self._more():
                return ""

    def _take(self, character: str) -> None:
        if self._next() != character:
            raise self._broken(f"Expecting '{character}'")
        self._at += 1

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # it may only go on in the next piece
                open_string = error.msg.startswith("Unterminated string")
                if open_string or error.pos > len(self._text) - _NEAR_THE_END:
                    if self._more():
                        continue
                    raise self._broken(f"{error.msg} at the end of the file") from None
                self._at = error.pos
                raise self._broken(error.msg) from None
            if end == len(self._text) and self._more():
                continue  # a number may have more digits
            if _SURROGATE.search(self._text, self._at, end):
                try:
                    _encode(value).encode()
                except UnicodeEncodeError:
                    raise _NotAReportError("has a text with half a character in it") from None
            self._at = end
            return value

    def _more(self) -> bool:
        """Reads on; whether there was more. What was passed is forgotten."""
        self._passed += self._at
        self._text = self._text[self._at :]
        self._at = 0
        if len(self._text) > _MOST_CHARACTERS:
            raise _NotAReportError("has a value that is too large")
        piece = self._file.read(max(_PIECE, len(self._text)))
        self._text += piece
        return bool(piece)

    def _broken(self, message: str) -> _NotAReportError:
        return _NotAReportError(f"is not JSON: {message} (character {self._passed + self._at:,})")


def _check_schema(document: JsonObject) -> None:
    """Whether it is a report at all, and one of a version that is known."""
    said = document.get("schema")
    if said == SCHEMA:
        return
    family = _FAMILY.fullmatch(said) if isinstance(said, str) else None
    if family and int(family[1]) > 1:
        raise _NotAReportError(f"is a report of {said}: it needs a newer sxdiff")
    raise _NotAReportError(f"is not a report of sxdiff ({SCHEMA})")


def _wrong(found: Violation, document: JsonObject) -> _NotAReportError:
    """A violation of the schema in a line, with the version where that may be why."""
    steps = [str(step + 1) if isinstance(step, int) else _shown(step) for step in found.place]
    place = f"{'/'.join(steps)} " if steps else ""
    tool = document.get("tool")
    version = tool.get("version") if isinstance(tool, dict) else None
    made = ""
    if isinstance(version, str) and version != __version__:
        made = f"; sxdiff {_shown(version)} made it, this is {__version__}"
    return _NotAReportError(f"is not a report of sxdiff: {place}{_shown(found.message)}{made}")


def _shown(text: str) -> str:
    text = escape(text)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _check_references(document: JsonObject, highest: str, count: int) -> None:
    """Every difference that is named is there. Ids count, so their number says it."""
    if highest != "d0":
        _check_reference(highest, count)
    for finding in document["findings"]:
        for id_ in (*finding["differences"], *(kind["example"] for kind in finding["kinds"])):
            _check_reference(id_, count)


def _check_causes(document: JsonObject, causes: set[str]) -> None:
    """Every cause of a difference, and of an image, has its finding."""
    for image in document.get("images", ()):
        causes.update(image["causes"])
    for cause in sorted(causes - {finding["cause"] for finding in document["findings"]}):
        raise _NotAReportError(f"is not a report of sxdiff: there is no finding {_shown(cause)}")


def _check_reference(id_: str, count: int) -> None:
    if len(id_) > len(str(count)) + 1 or not id_[1:].isdigit() or int(id_[1:]) > count:
        raise _NotAReportError(f"is not a report of sxdiff: there is no difference {_shown(id_)}")


_LATER: Final[JsonObject] = {
    "count": 1,
    "similarity": None,
    "claims": [],
    "suspect": None,
}
"""What differences of earlier reports, from before the key was there, are like."""


def _completed(document: JsonObject, differences: Callable[[], Iterator[JsonObject]]) -> JsonObject:
    """Gives a report of an earlier version what the views need: what it would have said, or the
    least that is true."""
    definitions = report_schema()["$defs"]
    for number, finding in enumerate(document["findings"]):
        most = max(kind["files"] for kind in finding["kinds"])
        later = {"files": most, "why": "", "consequences": 0, "suspects": []} | finding
        names = definitions["finding"]["properties"]
        document["findings"][number] = {name: later[name] for name in names if name in later}
    document["summary"].setdefault(
        "counterfactual", {"equal_at": document["equal_at"], "verified": False}
    )
    images = Images(document["platforms"])
    if images.several and "images" not in document:
        for one in differences():
            if not one["derived"]:
                images.add(tuple(one["where"]), one["kind"], one["causes"] or [UNEXPLAINED])
        document["images"] = images.entries(document["options"]["require"], document["met"])
        count_images(document["findings"], document["images"])
    return {name: document[name] for name in report_schema()["properties"] if name in document}
