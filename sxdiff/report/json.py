"""The report as JSON: the report itself, of which all other outputs are views.

Streamed, yet byte for byte what `json.dumps(document, indent=2, ensure_ascii=False)` gives. The
standard encoder cannot stream an iterator, and with an indentation it is slow pure Python.
"""

from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from typing import Any

from sxdiff.report.build import Report, Rows

_CONSTANTS = {None: "null", True: "true", False: "false"}


def chunks(report: Report) -> Iterator[str]:
    """The text of the document, in pieces of bounded size but for single long values."""
    comma = "{\n  "
    for key, value in report.header.items():
        if key == "accepted":  # the contract's place of the differences is just before it
            yield f'{comma}"differences": '
            yield from _stream(report.differences(), "\n  ")
            comma = ",\n  "
        yield f"{comma}{encode_basestring(key)}: "
        yield from _chunks(value, "\n  ")
        comma = ",\n  "
    yield "\n}\n"


def _chunks(value: Any, line: str) -> Iterator[str]:
    """A value of the header, in which long lists (`Rows`) may be. `line` is as in `_text`."""
    if isinstance(value, Rows):
        yield from _stream(value, line)
    elif isinstance(value, dict | list) and value:
        inner = line + "  "
        begin, end = "{}" if isinstance(value, dict) else "[]"
        comma = begin + inner
        for one in value:
            yield comma
            if isinstance(value, dict):
                yield f"{encode_basestring(one)}: "
                yield from _chunks(value[one], inner)
            else:
                yield from _chunks(one, inner)
            comma = "," + inner
        yield line + end
    else:
        yield _text(value, line)


def _stream(values: Iterable[Any], line: str) -> Iterator[str]:
    inner = line + "  "
    comma = "["
    for one in values:
        yield f"{comma}{inner}{_text(one, inner)}"
        comma = ","
    yield "[]" if comma == "[" else line + "]"


def _text(value: Any, line: str) -> str:
    """A value in one piece. `line` is a line break and the indentation that its end stands at."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, bool) or value is None:
        return _CONSTANTS[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, list):
        inner = line + "  "
        if not value:
            return "[]"
        return f"[{inner}{(',' + inner).join([_text(one, inner) for one in value])}{line}]"
    if isinstance(value, dict):
        inner = line + "  "
        if not value:
            return "{}"
        pairs = [f"{encode_basestring(key)}: {_text(value[key], inner)}" for key in value]
        return f"{{{inner}{(',' + inner).join(pairs)}{line}}}"
    raise TypeError(f"{type(value).__name__} has no place in a report")
