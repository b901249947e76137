"""Checks a document against a JSON schema (2020-12): so that no view meets what it can't expect.

It knows the keywords that `report-1.schema.json` uses and a few more, and refuses a schema that
has others. A schema is made into functions once, since a report has very many values.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any, Final, NamedTuple, TypeAlias

from sxdiff.wire import JsonObject


class Violation(NamedTuple):
    """What is wrong, and where in the document."""

    place: tuple[str | int, ...]
    message: str


Check: TypeAlias = Callable[[Any], Violation | None]
"""The first violation of a value, None where it is valid."""

_ANNOTATIONS: Final = {"$schema", "$id", "$defs", "$comment", "title", "description"}
_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


@lru_cache(1)
def report_schema() -> JsonObject:
    """The schema of reports that this version writes and reads."""
    file = resources.files("sxdiff.report") / "report-1.schema.json"
    schema: JsonObject = json.loads(file.read_text("utf-8"))
    return schema


def check_of(schema: Any, root: JsonObject) -> Check:
    """The check that a schema describes. `root` is the document that its `$ref`s point into.

    Raises ValueError where the schema uses what is not known here.
    """
    return _Compiler(root).check(schema)


class _Compiler:
    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._known: dict[str, Check] = {}

    def check(self, schema: Any) -> Check:
        if schema is True:
            return lambda _: None
        if schema is False:
            return lambda _: Violation((), "has no place here")
        checks: list[Check] = []
        for keyword in schema:
            if keyword in _ANNOTATIONS:
                continue
            made = getattr(self, f"_{keyword.removeprefix('$')}", None)
            if made is None:
                if keyword in _TAKEN:
                    continue
                raise ValueError(f"the schema has a keyword that is not known: {keyword}")
            checks.append(made(schema))
        if len(checks) == 1:
            return checks[0]
        return _all(checks)

    def _ref(self, schema: JsonObject) -> Check:
        ref: str = schema["$ref"]
        if ref not in self._known:
            target: Any = self._root
            for step in ref.removeprefix("#/").split("/"):
                target = target[step]
            self._known[ref] = self.check(target)
        return self._known[ref]

    def _type(self, schema: JsonObject) -> Check:
        names = schema["type"]
        names = [names] if isinstance(names, str) else names
        tests = [_TYPES[name] for name in names]
        wrong = Violation((), f"is not {' or '.join(names)}")
        if len(tests) == 1:
            (test,) = tests
            return lambda value: None if test(value) else wrong
        return lambda value: None if any(test(value) for test in tests) else wrong

    def _enum(self, schema: JsonObject) -> Check:
        allowed = {_canonical(one) for one in schema["enum"]}
        wrong = Violation((), f"is not one of {', '.join(map(str, schema['enum']))}")
        return lambda value: None if _canonical(value) in allowed else wrong

    def _const(self, schema: JsonObject) -> Check:
        wanted = _canonical(schema["const"])
        wrong = Violation((), f"is not {wanted}")
        return lambda value: None if _canonical(value) == wanted else wrong

    def _required(self, schema: JsonObject) -> Check:
        names: list[str] = schema["required"]
        wanted = frozenset(names)

        def check(value: Any) -> Violation | None:
            if not isinstance(value, dict) or wanted <= value.keys():
                return None
            return Violation((), f"has no {next(one for one in names if one not in value)!r}")

        return check

    def _properties(self, schema: JsonObject) -> Check:
        known = {name: self.check(one) for name, one in schema["properties"].items()}

        def check(value: Any) -> Violation | None:
            if isinstance(value, dict):
                for name, one in value.items():
                    if name in known and (found := known[name](one)):
                        return Violation((name, *found.place), found.message)
            return None

        return check

    def _additionalProperties(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        known = frozenset(schema.get("properties", ()))
        others = schema["additionalProperties"]
        other = self.check(others)

        def check(value: Any) -> Violation | None:
            if not isinstance(value, dict) or value.keys() <= known:
                return None
            for name in value.keys() - known if others is not False else ():
                if found := other(value[name]):
                    return Violation((name, *found.place), found.message)
            if others is False:
                return Violation((), f"has an unknown key {min(value.keys() - known)!r}")
            return None

        return check

    def _propertyNames(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        named = self.check(schema["propertyNames"])

        def check(value: Any) -> Violation | None:
            for name in value if isinstance(value, dict) else ():
                if found := named(name):
                    return Violation((), f"has a key {name!r} that {found.message}")
            return None

        return check

    def _items(self, schema: JsonObject) -> Check:
        start, item = len(schema.get("prefixItems", ())), self.check(schema["items"])

        def check(value: Any) -> Violation | None:
            if isinstance(value, list):
                for number, one in enumerate(value[start:] if start else value, start):
                    if found := item(one):
                        return Violation((number, *found.place), found.message)
            return None

        return check

    def _prefixItems(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        items = [self.check(one) for one in schema["prefixItems"]]

        def check(value: Any) -> Violation | None:
            if isinstance(value, list):
                for number, (item, one) in enumerate(zip(items, value, strict=False)):
                    if found := item(one):
                        return Violation((number, *found.place), found.message)
            return None

        return check

    def _contains(self, schema: JsonObject) -> Check:
        item, least = self.check(schema["contains"]), schema.get("minContains", 1)

        def check(value: Any) -> Violation | None:
            if not isinstance(value, list):
                return None
            found = [*map(item, value)]
            if found.count(None) >= least:
                return None
            number = next((at for at, one in enumerate(found) if one), 0)
            wrong = found[number] if found else None
            if wrong is None:
                return Violation((), f"has less than {least} of what it must hold")
            return Violation((number, *wrong.place), wrong.message)

        return check

    def _uniqueItems(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        def check(value: Any) -> Violation | None:
            if isinstance(value, list) and len(value) > 1 and schema["uniqueItems"]:
                seen = {_canonical(one) for one in value}
                if len(seen) < len(value):
                    return Violation((), "has the same item twice")
            return None

        return check

    def _minItems(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        least = schema["minItems"]
        wrong = Violation((), f"has less than {least} items")
        return lambda value: wrong if isinstance(value, list) and len(value) < least else None

    def _maxItems(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        most = schema["maxItems"]
        wrong = Violation((), f"has more than {most} items")
        return lambda value: wrong if isinstance(value, list) and len(value) > most else None

    def _minLength(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        least = schema["minLength"]
        wrong = Violation((), f"is shorter than {least}")
        return lambda value: wrong if isinstance(value, str) and len(value) < least else None

    def _pattern(self, schema: JsonObject) -> Check:
        search = re.compile(schema["pattern"]).search
        wrong = Violation((), f"does not match {schema['pattern']}")
        return lambda value: None if not isinstance(value, str) or search(value) else wrong

    def _minimum(self, schema: JsonObject) -> Check:
        least = schema["minimum"]
        number = _TYPES["number"]
        wrong = Violation((), f"is less than {least}")
        return lambda value: wrong if number(value) and value < least else None

    def _maximum(self, schema: JsonObject) -> Check:
        most = schema["maximum"]
        number = _TYPES["number"]
        wrong = Violation((), f"is more than {most}")
        return lambda value: wrong if number(value) and value > most else None

    def _allOf(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        return _all([self.check(one) for one in schema["allOf"]])

    def _anyOf(self, schema: JsonObject) -> Check:  # noqa: N802 - the keyword
        checks = [self.check(one) for one in schema["anyOf"]]

        def check(value: Any) -> Violation | None:
            deepest: Violation | None = None
            for one in checks:
                found = one(value)
                if found is None:
                    return None
                # what fits the furthest was most likely meant
                if deepest is None or len(found.place) >= len(deepest.place):
                    deepest = found
            return deepest

        return check

    def _if(self, schema: JsonObject) -> Check:
        when = self.check(schema["if"])
        then, otherwise = (self.check(schema.get(name, True)) for name in ("then", "else"))
        return lambda value: (otherwise if when(value) else then)(value)


_TAKEN: Final = {"minContains", "then", "else"}
"""Keywords that the keyword beside them reads."""


def _all(checks: list[Check]) -> Check:
    def check(value: Any) -> Violation | None:
        for one in checks:
            if found := one(value):
                return found
        return None

    return check


def _canonical(value: Any) -> str:
    """Equal for equal JSON values: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, str):
        return f'"{value}'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)
