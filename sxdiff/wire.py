"""The nouns as JSON, exactly there and back: what a worker says and what the report stores.

Compact: fields that are None, empty, zero or false are left out. What is read may come from a
worker that hostile content has taken over, so nothing is believed that has not its type.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from sxdiff.model import (
    Blob,
    Claim,
    Difference,
    Fact,
    FormatError,
    Node,
    Problem,
    Route,
    Scalar,
    Span,
    Value,
)

JsonObject: TypeAlias = dict[str, Any]
_T = TypeVar("_T")

# ASCII only: a lone surrogate, which UTF-8 cannot hold, survives as its JSON escape.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def dumps_line(document: JsonObject) -> bytes:
    """One JSON line, ended by its line feed."""
    return _encode(document).encode("ascii") + b"\n"


def loads_line(line: bytes) -> JsonObject:
    """What `dumps_line` wrote; `FormatError` where the line is something else."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"a line is not JSON: {error}") from error
    return _object(document)


def value_to_json(value: Value) -> JsonObject:
    document: JsonObject = {}
    if value.value is not None:
        document["value"] = value.value
    if value.at is not None:
        document["at"] = [*value.at]
    if value.excerpt is not None:
        document["excerpt"] = value.excerpt
    if value.size is not None:
        document["size"] = value.size
    if value.digest is not None:
        document["digest"] = value.digest
    if value.line is not None:
        document["line"] = value.line
    if value.address is not None:
        document["address"] = value.address
    return document


def value_from_json(document: object) -> Value:
    fields = _object(document)
    return Value(
        value=_scalar(fields.get("value")),
        at=_optional(fields.get("at"), _span),
        excerpt=_optional(fields.get("excerpt"), _text),
        size=_optional(fields.get("size"), _integer),
        digest=_optional(fields.get("digest"), _text),
        line=_optional(fields.get("line"), _integer),
        address=_optional(fields.get("address"), _integer),
    )


def difference_to_json(difference: Difference) -> JsonObject:
    document: JsonObject = {"kind": difference.kind}
    if difference.a is not None:
        document["a"] = value_to_json(difference.a)
    if difference.b is not None:
        document["b"] = value_to_json(difference.b)
    if difference.where:
        document["where"] = [*difference.where]
    if difference.bytes:
        document["bytes"] = difference.bytes
    if difference.count != 1:
        document["count"] = difference.count
    if difference.similarity is not None:
        document["similarity"] = difference.similarity
    if difference.symbol is not None:
        document["symbol"] = difference.symbol
    if difference.source is not None:
        document["source"] = difference.source
    if difference.diff is not None:
        document["diff"] = difference.diff
    if difference.derived:
        document["derived"] = True
    if difference.derived_from:
        document["derived_from"] = [[*route] for route in difference.derived_from]
    if difference.claims:
        document["claims"] = [[one.cause, one.a, one.b, one.needs] for one in difference.claims]
    if difference.suspect is not None:
        document["suspect"] = difference.suspect
    return document


def difference_from_json(document: object) -> Difference:
    fields = _object(document)
    return Difference(
        kind=_text(fields.get("kind")),
        a=_optional(fields.get("a"), value_from_json),
        b=_optional(fields.get("b"), value_from_json),
        where=_texts(fields.get("where", [])),
        bytes=_integer(fields.get("bytes", 0)),
        count=_integer(fields.get("count", 1)),
        similarity=_optional(fields.get("similarity"), _integer),
        symbol=_optional(fields.get("symbol"), _text),
        source=_optional(fields.get("source"), _text),
        diff=_optional(fields.get("diff"), _text),
        derived=fields.get("derived", False) is True,
        derived_from=tuple(_texts(route) for route in _list(fields.get("derived_from", []))),
        claims=tuple(map(_claim, _list(fields.get("claims", [])))),
        suspect=_optional(fields.get("suspect"), _text),
    )


def _claim(value: object) -> Claim:
    texts = _texts(value)
    if len(texts) != 4:
        raise FormatError("a claim has four texts")
    return Claim(*texts)


def problem_to_json(problem: Problem) -> JsonObject:
    return {
        "where": [*problem.where],
        "kind": problem.kind,
        "message": problem.message,
        "resolution": problem.resolution,
    }


def problem_from_json(document: object) -> Problem:
    fields = _object(document)
    return Problem(
        where=_texts(fields.get("where")),
        kind=_text(fields.get("kind")),
        message=_text(fields.get("message")),
        resolution=_text(fields.get("resolution")),
    )


def node_to_json(node: Node) -> JsonObject:
    document: JsonObject = {"name": node.name, "format": node.format}
    if node.differences:
        document["differences"] = [difference_to_json(one) for one in node.differences]
    if node.nodes:
        document["nodes"] = [node_to_json(one) for one in node.nodes]
    if node.verified:
        document["verified"] = True
    if node.producer is not None:
        document["producer"] = node.producer
    if node.problems:
        document["problems"] = [problem_to_json(one) for one in node.problems]
    return document


def node_from_json(document: object) -> Node:
    """The node that `node_to_json` wrote; `FormatError` where the document is none."""
    try:
        return _node(document)
    except RecursionError as error:
        raise FormatError("a node is nested too deeply") from error


def _node(document: object) -> Node:
    fields = _object(document)
    return Node(
        name=_text(fields.get("name")),
        format=_text(fields.get("format")),
        differences=tuple(map(difference_from_json, _list(fields.get("differences", [])))),
        nodes=tuple(map(_node, _list(fields.get("nodes", [])))),
        problems=tuple(map(problem_from_json, _list(fields.get("problems", [])))),
        verified=fields.get("verified", False) is True,
        producer=_optional(fields.get("producer"), _text),
    )


def _optional(value: object, read: Callable[[object], _T]) -> _T | None:
    return None if value is None else read(value)


def _object(value: object) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise FormatError(f"an object was expected, not {type(value).__name__}")


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return value
    raise FormatError(f"a list was expected, not {type(value).__name__}")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise FormatError(f"a text was expected, not {type(value).__name__}")


def _integer(value: object) -> int:
    # bool is an int to Python, not to a reader of the report
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FormatError(f"an integer was expected, not {type(value).__name__}")


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, str | int):
        return value
    raise FormatError(f"a scalar was expected, not {type(value).__name__}")


def _span(value: object) -> Span:
    offset, size = _list(value) if isinstance(value, list) and len(value) == 2 else (None, None)
    return _integer(offset), _integer(size)


def _texts(value: object) -> Route:
    return tuple(map(_text, _list(value)))


def blob_to_json(blob: Blob) -> list[Any]:
    """A blob as a task carries it. Paths may hold bytes that are no UTF-8."""
    return [blob.path, blob.offset, blob.size]


def blob_from_json(value: list[Any]) -> Blob:
    """What `blob_to_json` made."""
    return Blob(value[0], value[1], value[2])


def facts_of(scanned: dict[str, Any]) -> list[Fact]:
    """The packing facts of a scan, back from JSON."""
    return [
        Fact(f["kind"], f["value"], tuple(f["at"]) if f["at"] else None, f["name"], f["derived"])
        for f in scanned["facts"]
    ]
