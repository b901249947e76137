"""What is done to one value of an image: a bit flipped; a block dropped, repeated, swapped with
another or inserted. A block is some bytes, some 512 bytes of a tar stream, a member of it, or an
element of a JSON document."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from bench.mutations.images import repair
from fixtures.images import document
from fixtures.tar import Member

OPERATIONS = ("flip", "drop", "repeat", "swap", "insert")

Span: TypeAlias = tuple[int, int]
"""Offset and size."""


@dataclass(frozen=True)
class Mutated:
    """Another value; `span` is what is no longer what it was, where the value is bytes.

    `said` tells a person what was done. `paths` are the files that are concerned, where the value
    is members.
    """

    value: Any
    said: str
    span: Span | None = None
    paths: tuple[str, ...] = ()


def mutate(chance: random.Random, stage: str, operation: str, value: Any) -> Mutated:
    """The value, changed by one operation; it may be the same still."""
    if stage == "members":
        return _members(chance, operation, value)
    if stage in ("config", "manifest", "index", "top") and chance.random() < 0.5:
        found = _json(chance, operation, value)
        if found is not None:
            return found
    if stage == "layer" and chance.random() < 0.35:
        found = _header(chance, operation, value)
        if found is not None:
            return found
    return _bytes(chance, operation, value, tar=stage in ("layer", "input"))


def _bytes(chance: random.Random, operation: str, data: bytes, *, tar: bool) -> Mutated:
    if not data:
        return Mutated(b"\n", "a line feed for nothing", (0, 1))
    if operation == "flip":
        at, bit = chance.randrange(len(data)), chance.randrange(8)
        if tar and chance.random() < 0.7:  # most of a tar stream is zeros
            at = next((n for n in range(at, len(data)) if data[n]), at)
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        return Mutated(bytes(changed), f"bit {bit} of byte {at} flipped", (at, 1))
    unit = 512 if tar and chance.random() < 0.6 else 1
    most = len(data) // unit
    if not most:
        unit, most = 1, len(data)
    size = unit * min(most, chance.choice((1, 1, 2, 3, 4, 8, chance.randint(1, 64))))
    at = unit * chance.randint(0, (len(data) - size) // unit)
    block = data[at : at + size]
    if operation == "drop":
        return Mutated(data[:at] + data[at + size :], f"{size} bytes at {at} dropped", (at, size))
    if operation == "repeat":
        new = data[: at + size] + block + data[at + size :]
        return Mutated(new, f"{size} bytes at {at} repeated", (at, size))
    if operation == "insert":
        kind = chance.choice(("random", "zero", "own"))
        if kind == "own":
            start = unit * chance.randint(0, (len(data) - size) // unit)
            block = data[start : start + size]
        else:
            block = chance.randbytes(size) if kind == "random" else bytes(size)
        new = data[:at] + block + data[at:]
        return Mutated(new, f"{size} {kind} bytes inserted at {at}", (at, 0))
    other = unit * chance.randint(0, (len(data) - size) // unit)
    first, second = sorted((at, other))
    if first + size > second:
        second = min(first + size, len(data) - size)
        first = max(0, min(first, second - size))
    if first + size > second:
        return Mutated(data, "nothing to swap")
    new = (
        data[:first]
        + data[second : second + size]
        + data[first + size : second]
        + data[first : first + size]
        + data[second + size :]
    )
    return Mutated(
        new, f"{size} bytes at {first} and {second} swapped", (first, second + size - first)
    )


def _header(chance: random.Random, operation: str, data: bytes) -> Mutated | None:
    """A change within one tar header, whose checksum is made right again."""
    blocks = [at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"]
    if not blocks:
        return None
    block = chance.choice(blocks)
    changed = _bytes(chance, operation, data[block : block + 512], tar=False)
    header = bytearray(changed.value[:512].ljust(512, b"\0"))
    repair(header, 0)
    span = None
    if changed.span is not None:
        at, size = changed.span
        if operation in ("drop", "repeat", "insert"):
            size = 512 - at  # what follows has moved
        span = (block + at, size)
    new = data[:block] + bytes(header) + data[block + 512 :]
    return Mutated(new, f"header at {block}: {changed.said}, checksum repaired", span)


def _text(chance: random.Random, value: bytes) -> bytes:
    """Another letter in a name."""
    if not value:
        return b"x"
    at = chance.randrange(len(value))
    other = chance.choice(b"abcxyz0123._-")
    return value[:at] + bytes([other]) + value[at + 1 :]


_FIELDS: dict[str, Callable[[random.Random, Any], Any]] = {
    "mode": lambda chance, value: value ^ 1 << chance.randrange(12),
    "uid": lambda chance, value: value ^ 1 << chance.randrange(16),
    "gid": lambda chance, value: value ^ 1 << chance.randrange(16),
    "mtime": lambda chance, value: value ^ 1 << chance.randrange(30),
    "name": _text,
    "linkname": _text,
    "content": lambda chance, value: _bytes(chance, "flip", value, tar=False).value,
}


def _members(chance: random.Random, operation: str, members: list[Member]) -> Mutated:
    """Whole members, or one field of one."""
    out = list(members)
    at = chance.randrange(len(out))
    one = out[at]
    name = one.name.decode(errors="surrogateescape")
    paths: tuple[str, ...] = (name,)
    if operation == "flip":
        fields = ["mode", "uid", "gid", "mtime", "name"]
        fields += ["linkname"] if one.type in b"12" else []
        fields += ["content"] if one.type == b"0" and one.content and not one.pax else []
        field = chance.choice(fields)
        out[at] = replace(one, **{field: _FIELDS[field](chance, getattr(one, field))})
        paths = (name, out[at].name.decode(errors="surrogateescape"))
        return Mutated(out, f"{field} of {name} changed", paths=paths)
    if operation == "drop":
        del out[at]
        return Mutated(out, f"{name} dropped", paths=paths)
    if operation == "repeat":
        out.insert(chance.randint(0, len(out)), one)
        return Mutated(out, f"{name} repeated", paths=paths)
    other = chance.randrange(len(out))
    if operation == "swap":
        out[at], out[other] = out[other], out[at]
        second = out[at].name.decode(errors="surrogateescape")
        return Mutated(out, f"{name} and {second} swapped", paths=(name, second))
    new = replace(out[other], name=_text(chance, out[other].name))
    out.insert(at, new)
    paths = (new.name.decode(errors="surrogateescape"),)
    return Mutated(out, f"{paths[0]} inserted at {at}", paths=paths)


def _json(chance: random.Random, operation: str, data: bytes) -> Mutated | None:
    """An element of a document; None where there is none for this operation."""
    try:
        top = json.loads(data)
    except ValueError:
        return None
    places: list[tuple[Any, Any]] = []
    stack = [top]
    while stack:
        value = stack.pop()
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            places += [(value, key) for key in keys]
            stack += [value[key] for key in keys]
    if not places:
        return None
    holder, key = chance.choice(places)
    other_holder, other = chance.choice(places)
    said = f"element {key!r}"
    if operation == "drop":
        del holder[key]
    elif operation == "repeat":
        if isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[f"{key}x"] = holder[key]
    elif operation == "swap":
        if holder is other_holder and isinstance(holder, dict):
            said += f" and {other!r}"
            holder[key], holder[other] = holder[other], holder[key]
        elif holder is not other_holder:
            one, two = json.dumps(holder[key]), json.dumps(other_holder[other])
            if one in two or two in one:
                return None
            said += f" and {other!r}"
            holder[key], other_holder[other] = json.loads(two), json.loads(one)
        else:
            holder[key], holder[other] = holder[other], holder[key]
    elif operation == "insert":
        new: Any = chance.choice(
            (None, "", "x", 0, -1, 1 << 70, True, [], {}, "sha256:" + "0" * 64)
        )
        if isinstance(holder, list):
            holder.insert(key, new)
        else:
            said += f" = {new!r}"
            holder[chance.choice((key, "x", key.upper()))] = new
    else:
        value = holder[key]
        if isinstance(value, bool | type(None)):
            holder[key] = not value
        elif isinstance(value, int):
            holder[key] = value ^ 1 << chance.randrange(20)
        elif isinstance(value, str) and value.isascii():
            holder[key] = _text(chance, value.encode()).decode()
        else:
            return None
    return Mutated(document(top), f"{operation} of {said}")
