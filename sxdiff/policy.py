"""The policy file: what is asked for and what is accepted, kept beside what is built.

`sxdiff.toml`, or `[tool.sxdiff]` of pyproject.toml (docs/report.md, "The gate").
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

from sxdiff.model import RUNGS, InputError, Limits
from sxdiff.report.findings import UNEXPLAINED
from sxdiff.report.gate import Acceptance

FILE: Final = "sxdiff.toml"
PROJECT: Final = "pyproject.toml"
_KEYS: Final = ("require", "platforms", "accept", "limits")
_ACCEPT: Final = ("cause", "path", "reason", "expires")
_LIMITS: Final = tuple(one.name for one in fields(Limits))


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy file says; what it does not say is as without it."""

    require: str | None = None
    platforms: tuple[str, ...] = ()
    accept: tuple[Acceptance, ...] = ()
    limits: Limits = field(default_factory=Limits)


def find(directory: str = ".") -> Policy:
    """The policy of a directory; an empty one where it has none."""
    path = os.path.join(directory, FILE)
    if os.path.lexists(path):
        return read(path)
    path = os.path.join(directory, PROJECT)
    if os.path.lexists(path):
        tool = _load(path).get("tool")
        if isinstance(tool, dict) and "sxdiff" in tool:
            return read(path)
    return Policy()


def read(path: str) -> Policy:
    """The policy in a file. Of a file called pyproject.toml, only `[tool.sxdiff]` counts.

    Raises `InputError`, one line that names the file and the key, for all that is not as it
    should be.
    """
    document: Mapping[str, Any] = _load(path)
    name = os.path.normpath(path)
    try:
        if os.path.basename(path) == PROJECT:
            document = _table(_table(document, "tool").get("sxdiff", {}), "tool.sxdiff", whole=True)
        return _policy(document)
    except PolicyError as error:
        raise InputError(f"{name}: {error}") from None


class PolicyError(Exception):
    """What is wrong with a rule, in a few words that name it."""


def acceptance(text: str) -> Acceptance:
    """The rule that `CAUSE[:PATH-GLOB]=REASON` says. Raises `PolicyError`."""
    rule, equals, reason = text.partition("=")
    cause, colon, path = rule.partition(":")
    if not equals:
        raise PolicyError(f"{text!r} has no reason: CAUSE[:PATH-GLOB]=REASON")
    return checked(Acceptance(cause, path if colon else None, reason.strip()))


def checked(rule: Acceptance) -> Acceptance:
    """The same rule, if it can accept anything. Raises `PolicyError`."""
    from sxdiff.causes import page  # noqa: PLC0415 - few runs accept anything
    from sxdiff.causes.catalogue import CAUSES  # noqa: PLC0415 - see above

    cause, path = rule.cause, rule.path
    known = {one.id for one in CAUSES} | {UNEXPLAINED}
    if cause not in known:
        if cause in page.ids():
            raise PolicyError(
                f"{cause} is a suspicion, which is never proved;"
                f" accept what is unexplained by its path: {UNEXPLAINED}:PATH-GLOB"
            )
        near = get_close_matches(cause, [UNEXPLAINED], cutoff=0.7)
        near = near or [one for one in page.nearest(cause) if one in known]
        raise PolicyError(f"there is no cause {cause!r}; {page.hint(near)}")
    if not rule.reason:
        raise PolicyError(f"accepting {cause} needs a reason")
    if path is None and cause == UNEXPLAINED:
        raise PolicyError(f"what is {UNEXPLAINED} can only be accepted by path")
    if path is not None:
        _check_glob(path)
    return rule


def _check_glob(path: str) -> None:
    segments = path.split("/")
    if not all(segments):
        raise PolicyError(f"path {path!r}: write it as usr/lib/**, without a slash at either end")
    if any("**" in one and one != "**" for one in segments):
        raise PolicyError(f"path {path!r}: ** stands alone between slashes")


def dated(rules: Iterable[Acceptance], today: date) -> tuple[Acceptance, ...]:
    """The rules as they are on a day: the last day on which a rule holds is its `expires`."""
    return tuple(
        replace(one, expired=one.expires is not None and one.expires < today) for one in rules
    )


def _load(path: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - few directories have a policy

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # also where it is not UTF-8
        raise InputError(f"{os.path.normpath(path)}: is not TOML: {error}") from error


def _policy(document: Mapping[str, Any]) -> Policy:
    _known(document, _KEYS, "")
    require = document.get("require")
    if require is not None and require not in RUNGS[:-1]:
        raise PolicyError(f"require: {require!r} is none of {', '.join(RUNGS[:-1])}")
    platforms = document.get("platforms", [])
    if not isinstance(platforms, list) or not all(isinstance(one, str) for one in platforms):
        raise PolicyError("platforms: is not a list of texts")
    rules = document.get("accept", [])
    if not isinstance(rules, list) or not all(isinstance(one, dict) for one in rules):
        raise PolicyError("accept: is not a list of tables: [[accept]]")
    return Policy(
        require,
        tuple(platforms),
        tuple(_rule(one, number) for number, one in enumerate(rules, 1)),
        _limits(_table(document, "limits")),
    )


def _rule(table: Mapping[str, Any], number: int) -> Acceptance:
    where = f"accept {number}"
    _known(table, _ACCEPT, f"{where}, ")
    for key in ("cause", "path", "reason"):
        if not isinstance(table.get(key, ""), str):
            raise PolicyError(f"{where}, {key}: is not a text")
    for key in ("cause", "reason"):
        if not table.get(key, "").strip():
            raise PolicyError(f"{where}, {key}: is missing")
    expires = table.get("expires")
    if expires is not None and (not isinstance(expires, date) or isinstance(expires, datetime)):
        raise PolicyError(f"{where}, expires: is not a date such as 2030-01-31")
    try:
        return checked(
            Acceptance(table["cause"], table.get("path"), table["reason"], "policy", expires)
        )
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None


def _limits(table: Mapping[str, Any]) -> Limits:
    _known(table, _LIMITS, "limits, ")
    for key, value in table.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise PolicyError(f"limits, {key}: is not a whole number above 0")
    return Limits(**table)


def _table(document: Mapping[str, Any], key: str, *, whole: bool = False) -> Mapping[str, Any]:
    """A table of a document (or, if `whole`, the document itself); an empty one where it has
    none."""
    value = document if whole else document.get(key, {})
    if not isinstance(value, dict):
        raise PolicyError(f"{key}: is not a table")
    return value


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            near = get_close_matches(key, keys, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(keys)}"
            raise PolicyError(f"{where}{key}: there is no such key; {hint}")
