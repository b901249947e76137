"""Patterns that are compiled when first asked for: there are hundreds, and a run needs few."""

import re
from re import Pattern
from typing import Any, cast


class _Late:
    """Stands for a compiled pattern, and becomes one."""

    def __init__(self, text: str, flags: int) -> None:
        self._of = text, flags

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._of)
        for known in ("search", "match", "fullmatch", "finditer", "findall", "sub", "split"):
            setattr(self, known, getattr(compiled, known))
        self.pattern, self.groupindex = compiled.pattern, compiled.groupindex
        return getattr(compiled, name)


def late(text: str, flags: int = 0) -> Pattern[str]:
    """As `re.compile`, later."""
    return cast(Pattern[str], _Late(text, flags))
