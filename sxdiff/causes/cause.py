"""What a cause is, and what it sees of a place that differs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from re import Pattern
from typing import TypeAlias

from sxdiff.model import Route


@dataclass(frozen=True, slots=True)
class Site:
    """A place that differs, with what both sides say there, whole.

    `a` and `b` are a text's lines, a string, the value of a field; bytes that are no UTF-8 are
    surrogate escapes. `path` is that of the file in the image, without leading slash ("" where
    there is none), `where` the route inside it. `head` is how the stream that holds the place
    begins, on side a: what wrote it often says so there; `other_head` the same of side b, where it
    begins otherwise. `symbol` names what the place belongs to
    (a function, the path of an XML element).
    """

    kind: str
    a: str
    b: str
    path: str = ""
    where: Route = ()
    format: str = ""
    head: str = ""
    symbol: str = ""
    other_head: str | None = None

    @property
    def heads(self) -> tuple[str, str]:
        """How the stream begins on either side."""
        return self.head, self.head if self.other_head is None else self.other_head


@dataclass(frozen=True, slots=True)
class Token:
    """What one side says at `start` to `end` of its text that may vary.

    `value` is what it says; `form` how it is written ("%Y-%m-%d"), which must be the same on
    both sides. A `weak` token may be many things, and is evidence only beside a strong one.
    """

    start: int
    end: int
    value: str
    form: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why two tokens that differ are the cause's doing: what varied, as one would say it.

    `a` and `b` are the varying values alone (two prefixes, not two paths); the same ones in many
    places are one binding. `rest` is what both tokens have in common beside them. `weak` evidence
    stands only where strong evidence of the same values is found elsewhere in the images.
    """

    a: str
    b: str
    rest: str = ""
    weak: bool = False


Tokens: TypeAlias = Callable[[str], Iterable[Token]]
"""All tokens of one side's text, in order, not overlapping. Never sees the other side."""

Judge: TypeAlias = Callable[[Token, Token], Evidence | None]
"""Whether two tokens in one place, which differ, show the cause; None where they do not."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What to change in the build: the exact flag, variable or line.

    `tool` says for which producer (searched in what the artefact says of it); None is for all
    others. A fix that needs a version says so in its `text`.
    """

    text: str
    tool: Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A pair that looks like the cause and is not: it must stay unexplained."""

    kind: str
    a: str
    b: str
    path: str = ""
    head: str = ""
    format: str = ""
    where: Route = ()
    symbol: str = ""


@lru_cache(1 << 10)
def _found(pattern: Pattern[str], head: str) -> bool:
    """Whether a pattern is found in how a stream begins: its places all ask for the same."""
    return pattern.search(head) is not None


@dataclass(frozen=True, slots=True)
class Cause:
    """One named cause. Its values are data: what it claims, how it is proved, what to do.

    `kinds` are patterns (`fnmatch`) of the kinds of differences in which it may show. `paths`
    and `context` (searched in both sides' texts or the stream's head) narrow them. `example` is
    a pair that it explains, `near_miss` one that it must not.
    """

    id: str
    title: str
    family: str
    kinds: tuple[str, ...]
    tokens: Tokens
    judge: Judge
    why: str
    fixes: tuple[Fix, ...]
    references: tuple[str, ...]
    example: NearMiss
    near_miss: NearMiss
    paths: Pattern[str] | None = None
    context: Pattern[str] | None = None
    where: Pattern[str] | None = None
    symbol: Pattern[str] | None = None
    unless: Pattern[str] | None = None
    """A stream whose head this is found in is none of the cause's."""
    named: Pattern[str] | None = None
    """A last step of the route, or a symbol, that says what weak tokens are: there they are not
    weak."""
    bound: bool = False
    """Whether its values must map one to one over the whole image (path prefixes, host names)."""
    lookup: str = ""
    """What the whole image must confirm before it stands: "digest" (of a file of each side),
    "build-id" (of a program of each side), "path" (both values follow from a path of the build
    that other places show)."""
    whole: bool = field(default=False)
    """Whether a file that one side lacks may be its doing too (a log, a cache)."""
    entire: bool = False
    """Whether it stands only where all that differs in its program is explained: what else has
    changed may have brought this about."""
    composes: bool = True
    """Whether it may explain a place together with other causes."""

    @property
    def is_narrow(self) -> bool:
        """Whether it asks for more than a kind."""
        patterns = (self.paths, self.where, self.symbol, self.unless, self.context)
        return any(pattern is not None for pattern in patterns)

    def may_show(self, site: Site) -> bool:
        """Whether the place is of the cause's sort at all (its kind is already known to fit)."""
        if self.paths is not None and not self.paths.search(site.path):
            return False
        if self.where is not None and not self.where.search("/".join(site.where)):
            return False
        if self.symbol is not None and not self.symbol.search(site.symbol):
            return False
        context, unless = self.context, self.unless
        if unless is not None and any(_found(unless, head) for head in site.heads):
            return False
        return context is None or bool(
            all(head and _found(context, head) for head in site.heads)
            or (context.search(site.a) and context.search(site.b))
        )

    def is_named(self, site: Site) -> bool:
        """Whether the place's name says what weak tokens in it are."""
        name = site.symbol or (site.where[-1] if site.where else "")
        return self.named is not None and bool(self.named.search(name))

    def fix_for(self, producer: str) -> str:
        """The advice for what `producer` left."""
        for fix in self.fixes:
            if fix.tool is not None and producer and fix.tool.search(producer):
                return fix.text
        return next((fix.text for fix in self.fixes if fix.tool is None), "")
