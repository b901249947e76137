"""JSON documents of an image, read strictly: RFC 8259, and the types that their readers rely on.

What two readers could understand in two ways is refused: a key that occurs twice, a number that
is no JSON number, text that is not UTF-8. Go compares the keys it knows without regard to case,
so a second spelling of a key is one of these.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sxdiff.image.archive import shown
from sxdiff.model import InputError, Limits


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {shown(key)!r} occurs twice in one object")
            seen.add(key)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _integer(text: str) -> int:
    if len(text) > 100:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def parse_document(where: str, raw: bytes, limits: Limits) -> Any:
    """The value of a JSON document. `where` begins every error: "a.tar: index.json"."""
    if len(raw) > limits.document_bytes:
        raise InputError(
            f"{where}: {len(raw)} bytes of JSON are beyond the limit of {limits.document_bytes}"
        )
    try:
        value = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
        )
    except RecursionError:
        raise InputError(_too_deep(where, limits)) from None
    except json.JSONDecodeError as error:
        at = len(error.doc[: error.pos].encode())
        raise InputError(f"{where}: is not JSON: {error.msg} (at offset {at})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: is not JSON: no UTF-8 (at offset {error.start})") from None
    except ValueError as error:
        raise InputError(f"{where}: is not JSON: {error}") from None
    _check(where, value, limits)
    return value


def _too_deep(where: str, limits: Limits) -> str:
    return f"{where}: its JSON is nested deeper than {limits.document_depth} levels"


def _check(where: str, value: Any, limits: Limits) -> None:
    """Depth within the limit, and no half of a surrogate pair: such text has no UTF-8."""
    level: list[Any] = [value]
    for _ in range(limits.document_depth + 1):
        below: list[Any] = []
        for item in level:
            texts: list[Any] = [item]
            if isinstance(item, dict):
                texts = list(item)
                below.extend(item.values())
            elif isinstance(item, list):
                texts = []
                below.extend(item)
            for text in texts:
                if isinstance(text, str) and not text.isascii():
                    try:
                        text.encode()
                    except UnicodeEncodeError:
                        raise InputError(
                            f"{where}: is not JSON: half a surrogate pair in {shown(text)!r}"
                        ) from None
        if not below:
            return
        level = below
    raise InputError(_too_deep(where, limits))


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a document, read by key with its types checked; every error says where."""

    document: str
    """What errors begin with: "a.tar: index.json"."""
    value: Mapping[str, Any]
    pointer: str = ""

    @classmethod
    def of(cls, document: str, value: Any, pointer: str = "") -> "Fields":
        fields = cls(document, value if isinstance(value, dict) else {}, pointer)
        if not isinstance(value, dict):
            raise InputError(f"{fields.where}: is {_type_name(value)}, not an object")
        return fields

    @property
    def where(self) -> str:
        """The document and the place in it: "a.tar: index.json: /manifests/0"."""
        return f"{self.document}: {self.pointer}" if self.pointer else self.document

    def at(self, *steps: str | int) -> str:
        """A place below this object, as `where` says it."""
        below = "".join(f"/{step}" for step in steps)
        return f"{self.document}: {self.pointer}{below}"

    def one_spelling(self, *keys: str) -> None:
        """Refuse `Layers` beside or instead of `layers`: Go would take it, others would not."""
        known = {key.lower(): key for key in keys}
        for key in self.value:
            meant = known.get(key.lower(), key)
            if meant != key:
                raise InputError(f"{self.where}: has {shown(key)!r}, which some read as {meant!r}")

    def _take(self, key: str, types: tuple[type, ...], what: str, required: bool) -> Any:
        value = self.value.get(key)
        if value is None:
            if required:
                raise InputError(f"{self.where}: has no {key!r}")
            return None
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise InputError(f"{self.where}: {key!r} is {_type_name(value)}, not {what}")
        return value

    def text(self, key: str, *, required: bool = False) -> str:
        """A string; "" where it is absent or null."""
        value = self._take(key, (str,), "a string", required)
        return value if isinstance(value, str) else ""

    def size(self, key: str) -> int:
        """A non-negative integer that must be there."""
        value = self._take(key, (int,), "an integer", True)
        if not isinstance(value, int) or value < 0:
            raise InputError(f"{self.where}: {key!r} is {value}, which is no size")
        return value

    def truth(self, key: str) -> bool:
        return bool(self._take(key, (bool,), "true or false", False))

    def items(self, key: str, *, required: bool = False) -> list[Any]:
        """A list; empty where it is absent or null."""
        value = self._take(key, (list,), "a list", required)
        return value if isinstance(value, list) else []

    def texts(self, key: str, *, required: bool = False) -> list[str]:
        values = self.items(key, required=required)
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise InputError(f"{self.at(key, number)}: is {_type_name(value)}, not a string")
        return values

    def object(self, key: str) -> "Fields | None":
        value = self._take(key, (dict,), "an object", False)
        return None if value is None else Fields(self.document, value, f"{self.pointer}/{key}")

    def objects(self, key: str, *, required: bool = False) -> list["Fields"]:
        return [
            Fields.of(self.document, value, f"{self.pointer}/{key}/{number}")
            for number, value in enumerate(self.items(key, required=required))
        ]

    def text_map(self, key: str) -> dict[str, str]:
        fields = self.object(key)
        if fields is None:
            return {}
        return {name: fields.text(name) for name in fields.value}


def _type_name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "a string", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")
