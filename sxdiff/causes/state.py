"""What package managers and services leave in an image: logs, caches, databases, identities."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from re import Pattern
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, Judge, NearMiss, Token, Tokens
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    another_order,
    any_or_none,
    any_two,
    common_tail,
    day_field,
    joined,
    matches,
    permutation,
    seconds,
    time_field,
    times_in,
    two_build_paths,
    two_times,
    whole,
)

ONE_SIDED: Final = ("file.only_in_a", "file.only_in_b")
_IMAGES: Final = "https://reproducible-builds.org/docs/system-images/"
_STAMPS: Final = "https://reproducible-builds.org/docs/timestamps/"
_EPOCH: Final = "https://reproducible-builds.org/docs/source-date-epoch/"

_ISO = r"\d{4}-\d\d-\d\d(?:T| {1,2})\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_LOGS = late(
    r"(?:^|/)log/(?:(?:apt|dnf|zypp|installer)/)?(?:dpkg|alternatives|bootstrap|history|term|eipp"
    r"|dnf5?(?:\.librepo|\.rpm)?|yum|hawkey|pacman|apk|zypper)(?:\.log)?(?:\.\d+)?(?:\.[gx]z)?$"
)
_LOG_TIME = late(
    r"(?m)^(?:\[|update-alternatives |(?:Start|End)-Date: +|Log (?:started|ended): +"
    r"|Running `[^`\n]*` at )?"
    rf"(?P<v>{_ISO}|[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d)(?=[\]:, \n]|\Z)"
)
_CACHES = late(
    r"(?:^|/)(?:\.cache/(?:pip|go-build|yarn|composer|node-gyp|uv|pypoetry/cache)/"
    r"|_cacache/(?:index-v5|content-v2|tmp)/"
    r"|_logs/\d{4}-\d\d-\d\dT[\d_]+Z-debug(?:-\d+)?\.log$"
    r"|\.npm/_update-notifier-last-checked$"
    r"|\.cargo/registry/(?:cache|index)/|\.m2/repository/[^\s]*resolver-status\.properties$"
    r"|var/cache/(?:apk|dnf|yum|zypp|libdnf5)/|\.wget-hsts$)"
)
_APT = late(
    r"(?:^|/)(?:var/lib/apt/lists/(?!lock$)[^/]+(?:/[^/]+)?|var/cache/apt/(?:src)?pkgcache\.bin)$"
)
_RELEASE = late(r"(?:^|/)[\w.+:%~-]*_?(?:In)?Release$")
_RELEASE_TIME = late(r"(?m)^(?:Date|Valid-Until): (?P<v>[^\n]+)$")
_BACKUPS = late(
    r"(?:^|/)(?:etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-"
    r"|var/lib/dpkg/(?:status|available|diversions|statoverride)-old"
    r"|var/cache/debconf/(?:config|passwords|templates)\.dat-old)$"
)
_RESIDUE = late(
    r"(?:^|/)(?:var/)?tmp/(?:[^/]+/)*?(?:"
    r"tmp\.[A-Za-z0-9]{10}|tmp[a-z0-9_]{8}|cc[A-Za-z0-9]{6}\.(?:s|o|res|ld|le|c|cdtor\.[co])"
    r"|(?:pip|npm|yarn|go-build|buildd?|rust[\w-]*|cargo-install|hsperfdata|apt|dpkg|mkinitramfs)"
    r"[\w-]*?[-._]?(?=[^/]*\d|[^/]*[A-Z][^/]*[A-Z])[A-Za-z0-9_]{6,10})(?:/[^\n]*)?$"
)


_LONGEST = 4096
"""Of a path: PATH_MAX of Linux."""
_PLAIN = late(r"(?:regular file, \d+ bytes|directory)?")


def _member(paths: Pattern[str]) -> Tokens:
    """A member that is a file or a directory, or that is not there (a link leads elsewhere); or
    one of two names of what is alike."""

    def found_in(text: str) -> Iterator[Token]:
        if _PLAIN.fullmatch(text):
            yield Token(0, len(text), text, "member")
        elif len(text) <= _LONGEST and (found := paths.search(text)):
            yield Token(0, len(text), text, f"name below {text[: found.start()]}")

    return found_in


def left(
    name: str,
    title: str,
    paths: Pattern[str],
    why: str,
    fixes: tuple[Fix, ...],
    example: str,
    family: str = "time",
) -> Cause:
    """A file at a place where nothing but a log, a cache or a backup lies, on one side only."""
    return Cause(
        id=name,
        title=title,
        family=family,
        kinds=(*ONE_SIDED, "file.renamed"),
        tokens=_member(paths),
        judge=any_two,
        paths=paths,
        why=why,
        fixes=fixes,
        references=(_IMAGES,),
        example=NearMiss("file.only_in_a", "regular file, 10 bytes", "", path=example),
        near_miss=NearMiss("file.only_in_a", "regular file, 10 bytes", "", path="usr/bin/x"),
        whole=True,
        composes=False,
    )


def field(
    name: str,
    title: str,
    kinds: tuple[str, ...],
    tokens: Tokens,
    judge: Judge,
    why: str,
    fix: str,
    example: tuple[str, str],
    near_miss: NearMiss,
    *,
    family: str = "fs-metadata",
    reference: str = _IMAGES,
    paths: Pattern[str] | None = None,
    where: Pattern[str] | None = None,
    context: Pattern[str] | None = None,
    path: str = "",
    route: tuple[str, ...] = (),
    head: str = "",
    composes: bool = True,
) -> Cause:
    """A field, or words of a line, that say what varies; the rest of the arguments are an
    example's place."""
    return Cause(
        id=name,
        title=title,
        family=family,
        kinds=kinds,
        tokens=tokens,
        judge=judge,
        why=why,
        fixes=(Fix(fix),),
        references=(reference,),
        example=NearMiss(kinds[0], *example, path=path, where=route, head=head),
        near_miss=near_miss,
        paths=paths,
        where=where,
        context=context,
        composes=composes,
    )


def _epochs_in(pattern: Pattern[str]) -> Tokens:
    """Seconds (or milliseconds) since 1970 in the group `v` of a pattern's matches."""

    def found_in(text: str) -> Iterator[Token]:
        for found in pattern.finditer(text):
            moment = seconds(int(found["v"][:10]))
            if moment:
                yield Token(*found.span("v"), moment, f"epoch {len(found['v'])}")

    return found_in


def _log_times(text: str) -> Iterator[Token]:
    """The times that lines of a log start with; versions look like times too, but elsewhere."""
    for found in _LOG_TIME.finditer(text):
        value = re.sub(r"  +", " ", found["v"]) if found["v"][:1].isdigit() else found["v"]
        for token in times_in(late(r"\A(?P<v>.+)\Z"))(value):
            yield Token(*found.span("v"), token.value, token.form)


_INDEX_LINE = late(r"(?m)^(?P<sum>[0-9a-f]{40})\t(?P<entry>\{[^\n]*\})$")
_INDEX_TIME = late(r"\"time\":(?P<v>\d{13})(?=[,}])")
_INDEX_DATE = late(r"\"date\":\"(?P<v>[A-Z][a-z]{2}, [^\"\n]{20,27})\"")


def _cacache(text: str) -> Iterator[Token]:
    """The times of an entry of npm's cache, and the digest of the entry where it is right."""
    for line in _INDEX_LINE.finditer(text):
        entry = line["entry"].encode("utf-8", "surrogateescape")
        inside = [
            Token(
                line.start("entry") + one.start, line.start("entry") + one.end, one.value, one.form
            )
            for one in joined(_epochs_in(_INDEX_TIME), times_in(_INDEX_DATE))(line["entry"])
        ]
        if not inside:
            continue
        if hashlib.sha1(entry, usedforsecurity=False).hexdigest() == line["sum"]:
            yield Token(*line.span("sum"), inside[0].value, "digest of the line")
        yield from inside


FIRST_DAY: Final = 10957
"""The first day of 2000."""


def _npm_times(text: str) -> Iterator[Token]:
    """The time in a name of npm's logs."""
    try:
        moment = datetime.strptime(text[:19], "%Y-%m-%dT%H_%M_%S").replace(tzinfo=UTC)
    except ValueError:
        return
    yield Token(0, len(text), moment.strftime("%Y-%m-%dT%H:%M:%S"), "npm log")


_LAST_CHANGE = late(r"(\d{1,5}) \(\d{4}-\d\d-\d\d\)")


def _last_change(text: str) -> Iterator[Token]:
    found = _LAST_CHANGE.fullmatch(text)
    if found is None or int(found[1]) < FIRST_DAY:
        return  # 0 asks for another password at the next login
    for token in day_field(found[1]):
        yield Token(0, len(text), token.value, token.form)


_AUX_ROW = late(
    r"(?m)^[^\n]+: inode (?P<inode>\d+), ctime (?P<ctime>[^\s,]+), device (?P<device>0x[0-9a-f]+)$"
)


def _aux(text: str) -> Iterator[Token]:
    """What lstat(2) said of a library."""
    for row in _AUX_ROW.finditer(text):
        for name in ("inode", "ctime", "device"):
            yield Token(*row.span(name), row[name], name)


_NAMES = late(r"[A-Za-z0-9_.$-]+(?:,[A-Za-z0-9_.$-]+)+")


def _members(text: str) -> Iterator[Token]:
    if _NAMES.fullmatch(text):
        yield from permutation(lambda names: names.split(","))(text)


def _account_order(text: str) -> Iterator[Token]:
    """Names of rows that moved; a name that is there twice says something by its place."""
    if " #" not in text and "line" not in text.split("\n"):
        yield from permutation(lambda names: names.split("\n"))(text)


_FILE_URL = late(r"(?<=file://)(?P<v>/[^\s\"'#?&]+)")


def _file_urls(text: str) -> Iterator[Token]:
    for found in _FILE_URL.finditer(text):
        yield Token(*found.span("v"), found["v"].rstrip("/"), "file url")


_LINK = late(r"\A\"?(?P<v>(?:\.\./)++[\w.@+-]++(?:/[\w.@+-]++)+)\"?\Z")


def _two_links(one: Token, two: Token) -> Evidence | None:
    """Two ways to one package: as far up, and the same at the end."""
    a, b, tail = common_tail(one.value, two.value)
    if not tail or a.count("../") != b.count("../") or a == b:
        return None
    return Evidence(a, b, f"/{tail}")


_TEX_BANNER = late(
    r"\((?:preloaded )?format=[\w-]+ (?P<v>(?P<y>\d{4})\.(?P<m>\d{1,2})\.(?P<d>\d{1,2}))\)"
)
_TEX_LOG = late(
    r"(?m)^This is [^\n]*TeX[^\n]* {2}(?P<v>(?P<d>\d{1,2}) (?P<b>[A-Z]{3}) (?P<y>\d{4})"
    r" (?P<H>\d\d):(?P<M>\d\d))$"
)
_TEX_NUMBERS = late(
    r"\A(?:(?P<h>[\0-\x05])?(?P<t>[\s\S]))\0e\0{5}(?P<d>[\x01-\x1f])\0e\0{5}(?P<m>[\x01-\x0c])\Z"
)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def _tex(text: str) -> Iterator[Token]:
    """The day in a format's name and in a log's first line."""
    for found in _TEX_BANNER.finditer(text):
        if moment := _date(int(found["y"]), int(found["m"]), int(found["d"])):
            yield Token(*found.span("v"), moment, "tex format")
    for found in _TEX_LOG.finditer(text):
        if found["b"] in _MONTHS:
            month = _MONTHS.index(found["b"]) + 1
            clock = int(found["H"]), int(found["M"])
            if moment := _date(int(found["y"]), month, int(found["d"]), *clock):
                yield Token(*found.span("v"), moment, "tex log")


def _date(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> str | None:
    try:
        moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None


def _tex_numbers(text: str) -> Iterator[Token]:
    """TeX's \\time, \\day and \\month, which stand one behind the other in its table of
    equivalents: all three differ."""
    found = _TEX_NUMBERS.match(text)
    if found:
        told = f"--{ord(found['m']):02}-{ord(found['d']):02}"
        yield Token(0, len(text), told, f"tex numbers {len(found['h'] or '')}")


def _of_one_size(one: Token, two: Token) -> Evidence | None:
    """Random bytes, as many on each side; what is told of them is their digest."""
    a, b = (token.value.encode("utf-8", "surrogateescape") for token in (one, two))
    if len(a) != len(b):
        return None
    told = [f"sha256:{hashlib.sha256(side).hexdigest()[:16]}" for side in (a, b)]
    return Evidence(told[0], told[1])


_COMMIT = late(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
_REFLOG = late(r"(?m)^[0-9a-f]{40,64} [0-9a-f]{40,64} [^\n]*> (?P<v>\d{10}) [+-]\d{4}")


def _references(text: str) -> Iterator[Token]:
    """Commits, and when a reference came to them."""
    yield from joined(matches(_COMMIT, "commit"), _epochs_in(_REFLOG))(text)


_OBJECT = late(
    r"/\.git/objects/(?:(?P<v>[0-9a-f]{2}/[0-9a-f]{38})\Z"
    r"|pack/pack-(?P<w>[0-9a-f]{40})(?=\.(?:pack|idx|rev|bitmap)\Z))"
)
_MADE = late(r"(?m)^(?:author|committer|tagger) [^\n]*> (?P<v>\d{10})(?= [+-]\d{4}$)")
_PARENT = late(r"(?m)^parent (?P<v>[0-9a-f]{40})$")


def _object_names(text: str) -> Iterator[Token]:
    """What of an object's or a pack's name follows from what it holds."""
    for found in _OBJECT.finditer(f"/{text}"):
        start, end = found.span(found.lastgroup or "v")
        yield Token(start - 1, end - 1, text[start - 1 : end - 1].replace("/", ""), "commit")


def _object(text: str) -> Iterator[Token]:
    """When a commit or a tag was made, and which commits came before."""
    yield from joined(matches(_PARENT, "commit"), _epochs_in(_MADE))(text)


def _two_commits(one: Token, two: Token) -> Evidence | None:
    if one.form != "commit":
        return two_times(one, two)
    if "0" * 40 in (one.value[:40], two.value[:40]):
        return None  # none on one side
    return Evidence(one.value, two.value) if len(one.value) == len(two.value) else None


_LOG_FIX: Final = (
    Fix("rm -rf /var/log/dnf* /var/log/yum.log in the same RUN", late("rpm|dnf|yum")),
    Fix(
        "rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log in"
        " the same RUN; or path-exclude=/var/log/* for dpkg"
    ),
)
_CACHE_FIX: Final = (
    Fix(
        "pip install --no-cache-dir; npm cache clean --force in the same RUN; or RUN"
        " --mount=type=cache,target=/root/.cache"
    ),
)
_APT_FIX: Final = (
    Fix("rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin in the same RUN, or apt-get clean"),
)
_LOG_WHY: Final = "Package managers write when they did what, line by line."
_CACHE_WHY: Final = "Package managers keep what they fetched, with the time they did."
_GIT_FIX: Final = "do not ship .git: .dockerignore, or rm -rf .git in the same RUN"
_GIT_WHY: Final = (
    "git keeps inode, device, ctime and mtime of each file in its index, and when each reference"
    " moved in its log."
)
_GIT_OBJECT_WHY: Final = (
    "A commit has the time it was made in it. git names each object, and the directory that it lies"
    " in, by a digest of what it holds."
)
_INDEX_A = '{"key":"k","time":1768039200123}'
_INDEX_B = '{"key":"k","time":1773578096123}'


def _line(entry: str) -> str:
    return f"{hashlib.sha1(entry.encode(), usedforsecurity=False).hexdigest()}\t{entry}\n"


CAUSES: Final[tuple[Cause, ...]] = (
    field(
        "package-manager-logs",
        "Logs of package managers",
        ("text",),
        _log_times,
        two_times,
        _LOG_WHY,
        _LOG_FIX[1].text,
        ("2026-01-10 10:00:00 startup archives\n", "2026-03-15 12:34:56 startup archives\n"),
        NearMiss(
            "text",
            "2026-01-10 10:00:00 install curl:all <none> 8.5.0-1\n",
            "2026-03-15 12:34:56 install curl:all <none> 8.5.0-2\n",
            path="var/log/dpkg.log",
        ),
        family="time",
        reference=_STAMPS,
        paths=_LOGS,
        path="var/log/dpkg.log",
    ),
    left(
        "package-manager-logs",
        "Logs of package managers",
        _LOGS,
        _LOG_WHY,
        _LOG_FIX,
        "var/log/apt/term.log",
    ),
    field(
        "package-manager-cache",
        "Caches of package managers",
        ("text",),
        _cacache,
        two_times,
        _CACHE_WHY,
        _CACHE_FIX[0].text,
        (_line(_INDEX_A), _line(_INDEX_B)),
        NearMiss(
            "text",
            _line(_INDEX_A),
            _line(_INDEX_B.replace('"k"', '"l"')),
            path="root/.npm/_cacache/index-v5/1a/02/6b",
        ),
        family="time",
        paths=late(r"(?:^|/)_cacache/index-v5/"),
        path="root/.npm/_cacache/index-v5/1a/02/6b",
    ),
    field(
        "package-manager-cache",
        "Caches of package managers",
        ("json.value",),
        times_in(late(r"\A\"(?P<v>[^\"]+)\"\Z")),
        two_times,
        "pip keeps when it last asked the index for a newer version of itself.",
        "pip install --no-cache-dir --disable-pip-version-check",
        ('"2026-01-10T10:00:00Z"', '"2026-03-15T12:34:56Z"'),
        NearMiss("json.value", '"23.0.1"', '"24.1.0"', where=("pypi_version",)),
        family="time",
        where=late(r"(?:^|/)last_check$"),
        route=("last_check",),
    ),
    field(
        "package-manager-cache",
        "Caches of package managers",
        ("text",),
        _epochs_in(late(r"(?m)^[\w.-]+\t\d+\t[01]\t(?P<v>\d{10})(?=\t\d+$)")),
        two_times,
        "wget keeps when it last saw a host that asks for HTTPS.",
        "wget --no-hsts",
        ("x.org\t0\t1\t1768039200\t31536000\n", "x.org\t0\t1\t1773578096\t31536000\n"),
        NearMiss(
            "text",
            "x.org\t0\t1\t1768039200\t31536000\n",
            "y.org\t0\t1\t1773578096\t31536000\n",
            path="root/.wget-hsts",
        ),
        family="time",
        paths=late(r"(?:^|/)\.wget-hsts$"),
        path="root/.wget-hsts",
    ),
    field(
        "package-manager-cache",
        "Caches of package managers",
        ("text",),
        times_in(
            late(r"(?<=/_logs/)(?P<v>\d{4}-\d\d-\d\dT\d\d_\d\d_\d\d_\d{3}Z)(?=-)"), _npm_times
        ),
        two_times,
        "npm writes a log of each run, and its name into it.",
        "rm -rf /root/.npm/_logs in the same RUN; or npm config set logs-max 0",
        (
            "9 verbose logfile /root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log\n",
            "9 verbose logfile /root/.npm/_logs/2026-03-15T12_34_56_108Z-debug-0.log\n",
        ),
        NearMiss(
            "text",
            "7 npm install x\n9 logfile /root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log\n",
            "7 npm install y\n9 logfile /root/.npm/_logs/2026-03-15T12_34_56_108Z-debug-0.log\n",
            path="root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log",
        ),
        family="time",
        paths=late(r"(?:^|/)_logs/[\dT_-]+Z-debug-\d+\.log$"),
        path="root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log",
    ),
    left(
        "package-manager-cache",
        "Caches of package managers",
        _CACHES,
        _CACHE_WHY,
        _CACHE_FIX,
        "root/.npm/_logs/2026-01-10T10_00_00_140Z-debug-0.log",
    ),
    field(
        "apt-lists-and-caches",
        "Lists and caches of apt",
        ("text", "stanza.value"),
        joined(times_in(_RELEASE_TIME), times_in(late(r"\A(?P<v>[A-Z][a-z]{2}, [^\n]+)\Z"))),
        two_times,
        "The lists say when the archive was last published.",
        _APT_FIX[0].text,
        (
            "Date: Sat, 10 Jan 2026 10:00:00 +0000\n",
            "Date: Sun, 15 Mar 2026 12:34:56 +0000\n",
        ),
        NearMiss(
            "text",
            "Date: Sat, 10 Jan 2026 10:00:00 +0000\nSuite: stable\n",
            "Date: Sun, 15 Mar 2026 12:34:56 +0000\nSuite: oldstable\n",
            path="var/lib/apt/lists/x_dists_y_InRelease",
        ),
        family="time",
        paths=_RELEASE,
        path="var/lib/apt/lists/x_dists_y_InRelease",
    ),
    left(
        "apt-lists-and-caches",
        "Lists and caches of apt",
        _APT,
        "apt fetched its lists and left them.",
        _APT_FIX,
        "var/lib/apt/lists/x_dists_y_InRelease",
    ),
    field(
        "dnf-history",
        "The history of dnf",
        ("sqlite.rows",),
        _epochs_in(late(r"\bdt_(?:begin|end)=(?P<v>\d{10})(?=,|\Z)")),
        two_times,
        "dnf keeps when each transaction began and ended.",
        "dnf clean all && rm -rf /var/cache/dnf /var/lib/dnf/history* /var/log/dnf* in the same"
        " RUN",
        (
            "id=1, dt_begin=1768039200, dt_end=1768039207, cmdline='install x'",
            "id=1, dt_begin=1773578096, dt_end=1773578103, cmdline='install x'",
        ),
        NearMiss(
            "sqlite.rows",
            "id=1, dt_begin=1768039200, dt_end=1768039207, cmdline='install x'",
            "id=1, dt_begin=1773578096, dt_end=1773578103, cmdline='install y'",
            path="var/lib/dnf/history.sqlite",
        ),
        family="time",
        paths=late(r"(?:^|/)history\.sqlite$"),
        path="var/lib/dnf/history.sqlite",
    ),
    left(
        "dnf-history",
        "The history of dnf",
        late(r"(?:^|/)var/lib/dnf/(?:history\.sqlite(?:-shm|-wal)?|history/[^\n]+)$"),
        "dnf keeps a database of its transactions.",
        (Fix("rm -rf /var/lib/dnf/history* in the same RUN"),),
        "var/lib/dnf/history.sqlite-wal",
    ),
    left(
        "account-backup-files",
        "A backup of an earlier state",
        _BACKUPS,
        "useradd, dpkg and debconf keep the state before the last change beside each database.",
        (Fix("rm -f /etc/*- /var/lib/dpkg/*-old /var/cache/debconf/*-old in the same RUN"),),
        "etc/passwd-",
        "state",
    ),
    left(
        "temp-residue",
        "A temporary file that was left",
        _RESIDUE,
        "A program made a temporary file under a random name, and nobody removed it.",
        (Fix("rm -rf /tmp/* /var/tmp/* in the same RUN; or RUN --mount=type=tmpfs,target=/tmp"),),
        "tmp/tmp.Iu8N80yeQx",
        "randomness",
    ),
    field(
        "ldconfig-aux-cache",
        "ldconfig's memory of the file system",
        ("ldconfig_aux_cache.library",),
        _aux,
        any_two,
        "ldconfig remembers inode, ctime and device of each library it read.",
        "rm -f /var/cache/ldconfig/aux-cache as the last step of the same RUN: ldconfig makes it"
        " anew when it needs it",
        (
            "libz.so.1: inode 16, ctime 2026-11-28T05:57:39Z, device 0x28",
            "libz.so.1: inode 92, ctime 2026-11-28T05:57:40Z, device 0x27",
        ),
        NearMiss(
            "ldconfig_aux_cache.library",
            "libz.so.1: size 121280, flags 0x303\n"
            "libz.so.1: inode 16, ctime 2026-11-28T05:57:39Z, device 0x28",
            "libz.so.1: size 121288, flags 0x303\n"
            "libz.so.1: inode 92, ctime 2026-11-28T05:57:40Z, device 0x27",
        ),
    ),
    field(
        "apk-db",
        "Times in apk's database",
        ("tar.mtime",),
        time_field,
        two_times,
        "apk packs the scripts of installed packages with the time of installation.",
        "apko, or set the times of the members of lib/apk/db/scripts.tar",
        ("1768039200", "1773578096"),
        NearMiss("tar.mode", "0755", "0644", path="lib/apk/db/scripts.tar"),
        family="time",
        paths=late(r"(?:^|/)apk/db/scripts\.tar(?:\.gz)?$"),
        path="lib/apk/db/scripts.tar",
    ),
    field(
        "apk-db",
        "Times in apk's database",
        ("text",),
        times_in(late(r"(?m)^\.[\w.+-]+=(?P<v>20\d{6}\.\d{6})$")),
        two_times,
        "apk add --virtual gives the package the time of day as its version.",
        "apk add --virtual .deps=0",
        (".deps=20260110.100000\n", ".deps=20260315.123456\n"),
        NearMiss(
            "text",
            ".deps=20260110.100000\ncurl=8.5.0\n",
            ".deps=20260315.123456\ncurl=8.6.0\n",
            path="etc/apk/world",
        ),
        family="time",
        paths=late(r"(?:^|/)apk/world$"),
        path="etc/apk/world",
    ),
    field(
        "apk-db",
        "Times in apk's database",
        ("stanza.value",),
        times_in(late(r"\A(?P<v>20\d{6}\.\d{6})\Z")),
        two_times,
        "apk add --virtual gives the package the time of day as its version.",
        "apk add --virtual .deps=0",
        ("20260110.100000", "20260315.123456"),
        NearMiss(
            "stanza.value",
            "20260110.100000-r1",
            "20260315.123456-r2",
            path="lib/apk/db/installed",
            where=(".deps", "V"),
        ),
        family="time",
        paths=late(r"(?:^|/)apk/db/installed$"),
        where=late(r"(?:^|/)\.[\w.+-]+/V$"),
        path="lib/apk/db/installed",
        route=(".deps", "V"),
    ),
    field(
        "shadow-last-change-date",
        "The day of the last change of a password",
        ("accounts.last_change",),
        _last_change,
        two_times,
        "useradd, passwd and chage write the day (shadow(5), field 3).",
        "SOURCE_DATE_EPOCH for useradd of shadow 4.2 and later; chage -d 0; or systemd-sysusers",
        ("20463 (2026-01-10)", "20527 (2026-03-15)"),
        NearMiss("accounts.maximum", "20463", "20527", where=("app",)),
        family="time",
        reference=_EPOCH,
        route=("app",),
    ),
    field(
        "uid-allocation-order",
        "The order of users and groups",
        ("accounts.order",),
        _account_order,
        another_order,
        "Packages were installed in another order, and each added its users and groups then.",
        "useradd -u and groupadd -g with fixed numbers in one order; or systemd-sysusers",
        ("svca\nsvcb", "svcb\nsvca"),
        NearMiss("accounts.order", "svca\nsvca #2", "svca #2\nsvca", path="etc/passwd"),
        family="order",
        paths=late(r"(?:^|/)(?:passwd|group|shadow|gshadow|subuid|subgid)-?$"),
        path="etc/passwd",
        composes=False,
    ),
    field(
        "word-ordering-in-line",
        "A list in another order",
        ("accounts.members", "accounts.administrators"),
        _members,
        another_order,
        "Users were added to the group in another order.",
        "add users in one order, or sort the list",
        ("alice,bob,carol", "carol,alice,bob"),
        NearMiss("accounts.members", "alice,bob,carol", "carol,alice,mallory", where=("adm",)),
        family="order",
        route=("adm",),
        composes=False,
    ),
    field(
        "fontconfig-cache",
        "The times of directories of fonts",
        ("fontconfig_cache.checksum",),
        time_field,
        two_times,
        "fc-cache keeps the modification time of each directory, to know when it has changed.",
        "rm -rf /var/cache/fontconfig in the same RUN; or set the times of the directories of fonts"
        " before fc-cache",
        ("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        NearMiss("fontconfig_cache.font", "a.ttf 0: size = 1", "a.ttf 0: size = 2"),
        family="time",
    ),
    field(
        "fontconfig-cache",
        "The times of directories of fonts",
        ("fontconfig_cache.checksum_nano",),
        matches(late(r"\A\d{1,9}\Z"), "nanoseconds"),
        any_two,
        "fc-cache keeps the modification time of each directory, to know when it has changed.",
        "rm -rf /var/cache/fontconfig in the same RUN",
        ("12345678", "87654321"),
        NearMiss("fontconfig_cache.version", "8", "9"),
        family="time",
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        ("git_index.ctime", "git_index.mtime"),
        time_field,
        two_times,
        _GIT_WHY,
        _GIT_FIX,
        ("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        NearMiss("git_index.size", "120", "121", path="src/.git/index"),
        family="time",
        path="src/.git/index",
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        (
            "git_index.ctime_nanoseconds",
            "git_index.mtime_nanoseconds",
            "git_index.inode",
            "git_index.device",
        ),
        matches(late(r"\A(?:\d{1,20}|0x[0-9a-f]{1,16})\Z"), "number"),
        any_two,
        _GIT_WHY,
        _GIT_FIX,
        ("28500068", "57659011"),
        NearMiss("git_index.mode", "0o100644", "0o100755", path="src/.git/index"),
        family="time",
        path="src/.git/index",
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        ("text",),
        _references,
        _two_commits,
        "A commit that the build makes has its time in it, and so another name each time; what it"
        " holds is told by the files.",
        _GIT_FIX,
        (
            f"{'0' * 40} {'1' * 40} n <a@b> 1768039200 +0000\tcommit\n",
            f"{'0' * 40} {'2' * 40} n <a@b> 1773578096 +0000\tcommit\n",
        ),
        NearMiss(
            "text",
            f"{'0' * 40} {'1' * 40} n <a@b> 1768039200 +0000\tcommit\n",
            f"{'0' * 40} {'2' * 40} m <c@d> 1773578096 +0000\tcommit\n",
            path="src/.git/logs/HEAD",
        ),
        family="time",
        paths=late(
            r"git/(?:logs/[^\n]+|refs/(?:heads|tags|remotes)/[^\n]+|packed-refs|HEAD|ORIG_HEAD"
            r"|FETCH_HEAD|shallow)$"
        ),
        path="src/.git/logs/HEAD",
        composes=False,
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        ("bytes", "text"),
        _object,
        _two_commits,
        _GIT_OBJECT_WHY,
        _GIT_FIX,
        ("author n <a@b> 1768039200 +0000", "author n <a@b> 1773578096 +0000"),
        NearMiss(
            "bytes",
            "author n <a@b> 1768039200 +0000",
            "author m <a@b> 1773578096 +0000",
            path=f"src/.git/objects/11/{'1' * 38}",
        ),
        family="time",
        paths=late(r"(?:^|/)\.git/objects/[0-9a-f]{2}/[0-9a-f]{38}$"),
        path=f"src/.git/objects/11/{'1' * 38}",
        composes=False,
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        ("file.renamed",),
        _object_names,
        _two_commits,
        _GIT_OBJECT_WHY,
        _GIT_FIX,
        (f"src/.git/objects/11/{'1' * 38}", f"src/.git/objects/22/{'2' * 38}"),
        NearMiss(
            "file.renamed",
            f"src/.git/objects/11/{'1' * 38}",
            f"lib/.git/objects/22/{'2' * 38}",
            path=f"src/.git/objects/11/{'1' * 38}",
        ),
        family="time",
        paths=late(r"(?:^|/)\.git/objects/"),
        path=f"src/.git/objects/11/{'1' * 38}",
        composes=False,
    ),
    field(
        "git-metadata",
        "What git keeps of times and of the file system",
        ONE_SIDED,
        matches(late(r"\A(?:directory)?\Z"), "directory of objects"),
        any_or_none,
        _GIT_OBJECT_WHY,
        _GIT_FIX,
        ("directory", ""),
        NearMiss("file.only_in_a", "directory", "", path="src/.git/objects/112"),
        family="time",
        paths=late(r"(?:^|/)\.git/objects/[0-9a-f]{2}$"),
        path="src/.git/objects/11",
        composes=False,
    ),
    field(
        "login-records",
        "Records of logins",
        ("utmp.time", "lastlog.time"),
        time_field,
        two_times,
        "Records of logins, of starts and of users that were added carry the time.",
        "truncate -s 0 /var/log/wtmp /var/log/btmp /var/log/lastlog in the same RUN",
        ("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        NearMiss("utmp.user", "root", "app", path="var/log/wtmp"),
        family="time",
        path="var/log/wtmp",
    ),
    field(
        "login-records",
        "Records of logins",
        ("utmp.microseconds", "utmp.pid", "utmp.session"),
        matches(late(r"\A\d{1,10}\Z"), "number"),
        any_two,
        "Records of logins say which process wrote them.",
        "truncate -s 0 /var/log/wtmp /var/log/btmp in the same RUN",
        ("1234", "5678"),
        NearMiss("utmp.line", "tty1", "tty2", path="var/log/wtmp"),
        family="time",
        path="var/log/wtmp",
    ),
    field(
        "man-db-index-mtime",
        "Times of manual pages in man-db's index",
        ("gdbm.pair",),
        _epochs_in(
            late(
                r"(?m) => (?:[^\t\n]{0,300}\t)?[0-9a-z]+\t[0-9a-z]+\t(?P<v>\d{10})"
                r"(?=\t\d{1,9}\t[A-E]\t)"
            )
        ),
        two_times,
        "mandb keeps the modification time of each page.",
        "rm -rf /var/cache/man in the same RUN; or echo man-db man-db/auto-update boolean false |"
        " debconf-set-selections before packages are installed",
        (
            "x\\x00 => -\t1\t1\t1768039200\t0\tA\t-\t-\t-\ty\\x00",
            "x\\x00 => -\t1\t1\t1773578096\t0\tA\t-\t-\t-\ty\\x00",
        ),
        NearMiss(
            "gdbm.pair",
            "x\\x00 => -\t1\t1\t1768039200\t0\tA\t-\t-\t-\ty\\x00",
            "x\\x00 => -\t1\t1\t1773578096\t0\tA\t-\t-\t-\tz\\x00",
            path="var/cache/man/index.db",
        ),
        family="time",
        path="var/cache/man/index.db",
    ),
    field(
        "pnpm-modules-yaml",
        "When pnpm last removed packages",
        ("text",),
        times_in(late(r"(?m)^prunedAt: (?P<v>[^\n]+)$")),
        two_times,
        "pnpm keeps when it last removed packages that nothing needs.",
        "rm -f node_modules/.modules.yaml in the same RUN",
        (
            "prunedAt: Sat, 10 Jan 2026 10:00:00 GMT\n",
            "prunedAt: Sun, 15 Mar 2026 12:34:56 GMT\n",
        ),
        NearMiss(
            "text",
            "layoutVersion: 5\nprunedAt: Sat, 10 Jan 2026 10:00:00 GMT\n",
            "layoutVersion: 6\nprunedAt: Sun, 15 Mar 2026 12:34:56 GMT\n",
            path="node_modules/.modules.yaml",
        ),
        family="time",
        reference=_STAMPS,
        paths=late(r"(?:^|/)\.modules\.yaml$"),
        path="node_modules/.modules.yaml",
    ),
    field(
        "pip-direct-url",
        "The directory that a package was installed from",
        ("json.value",),
        _file_urls,
        two_build_paths,
        "pip writes where it installed from, if not from an index (PEP 610); RECORD has the"
        " digest.",
        "pip install from a wheel in a fixed directory, or from an index; or remove direct_url.json"
        " and its line in RECORD",
        ('"file:///build/1st/p"', '"file:///build/2nd/p"'),
        NearMiss(
            "json.value",
            '"file:///build/1st/p"',
            '"file:///usr/share/p"',
            path="p-1.dist-info/direct_url.json",
            where=("url",),
        ),
        family="path",
        reference="https://peps.python.org/pep-0610/",
        paths=late(r"(?:^|/)direct_url\.json$"),
        path="p-1.dist-info/direct_url.json",
        route=("url",),
    ),
    field(
        "npm-hidden-lockfile",
        "The directory that npm linked a package from",
        ("json.value", "json.renamed"),
        matches(_LINK, "link"),
        _two_links,
        "npm writes the way to packages that it linked from a directory.",
        "install from the registry, or from a fixed directory; or remove"
        " node_modules/.package-lock.json",
        ('"../../d1/dep"', '"../../d2/dep"'),
        NearMiss(
            "json.value",
            '"../../d1/dep"',
            '"../../d1/other"',
            path="node_modules/.package-lock.json",
            head='{"name": "p", "lockfileVersion": 3,',
        ),
        family="path",
        reference="https://reproducible-builds.org/docs/build-path/",
        context=late(r"\"lockfileVersion\"\s*:"),
        path="node_modules/.package-lock.json",
        head='{"name": "p", "lockfileVersion": 3,',
    ),
    field(
        "tex-format-time",
        "When a TeX format was dumped",
        ("text", "bytes", "file.content", "gzip.content", "elf.strings"),
        _tex,
        two_times,
        "TeX writes the day into each format it makes, and into its log.",
        "FORCE_SOURCE_DATE=1 with SOURCE_DATE_EPOCH for fmtutil; or remove /var/lib/texmf/web2c"
        " and make the formats at the first start",
        ("(preloaded format=tex 2026.1.10)", "(preloaded format=tex 2026.3.15)"),
        NearMiss(
            "bytes",
            "(preloaded format=tex 2026.1.10)",
            "(preloaded format=latex 2026.3.15)",
            path="var/lib/texmf/web2c/tex.fmt",
        ),
        family="time",
        reference=_STAMPS,
        path="var/lib/texmf/web2c/tex.fmt",
    ),
    field(
        "tex-format-time",
        "When a TeX format was dumped",
        ("bytes", "file.content"),
        _tex_numbers,
        any_two,
        "TeX writes the time into each format it makes (\\time, \\day and \\month).",
        "FORCE_SOURCE_DATE=1 with SOURCE_DATE_EPOCH for fmtutil; or remove /var/lib/texmf/web2c"
        " and make the formats at the first start",
        ("X\0e\0\0\0\0\0\n\0e\0\0\0\0\0\x01", "\udcf2\0e\0\0\0\0\0\x0f\0e\0\0\0\0\0\x03"),
        NearMiss(
            "bytes",
            "X\0e\0\0\0\0\0\n\0e\0\0\0\0\0\x01",
            "\udcf2\0e\0\0\0\0\0\x0f\0e\0\0\0\0\0\x0d",
            path="var/lib/texmf/web2c/tex.fmt",
            head="XT2W",
        ),
        family="time",
        reference=_STAMPS,
        context=late(r"\A(?:W2TX|XT2W)"),
        path="var/lib/texmf/web2c/tex.fmt",
        head="W2TX",
        composes=False,
    ),
    field(
        "install-scripts-config-stamp",
        "When a script wrote a file of /etc",
        ("text",),
        times_in(
            late(
                r"(?mi)^[ \t]*(?:[#;!\"*]|//|/\*|<!--)[^\n]*?\b(?:auto-?|automatically )?"
                r"(?:generated|created|written)\b[^\n\d]{0,30}? (?:on|at|by [\w./-]+ (?:on|at)):? "
                r"(?P<v>[A-Z\d][^\n]*?)(?=(?: by [^\n]*)?(?:[ .]*(?:\*/|-->))?[ .]*$)"
            )
        ),
        two_times,
        "A script that makes a file of settings writes when it did into a comment.",
        "leave the date out, or use SOURCE_DATE_EPOCH: date -u -d @$SOURCE_DATE_EPOCH",
        (
            "# auto-generated on Sat Jan 10 10:00:00 UTC 2026 by setup\n",
            "# auto-generated on Sun Mar 15 12:34:56 UTC 2026 by setup\n",
        ),
        NearMiss(
            "text",
            "# auto-generated on Sat Jan 10 10:00:00 UTC 2026 by setup 1\nport=80\n",
            "# auto-generated on Sun Mar 15 12:34:56 UTC 2026 by setup 1\nport=81\n",
            path="etc/app.conf",
        ),
        family="time",
        reference=_EPOCH,
        paths=late(r"(?:^|/)etc/|\.(?:conf|cfg|ini|cnf)$"),
        path="etc/app.conf",
    ),
    field(
        "machine-id",
        "The identity of the machine",
        ("text",),
        matches(late(r"\A[0-9a-f]{32}(?=\n?\Z)"), "machine-id"),
        any_two,
        "systemd or dbus made a random identity when it was installed (machine-id(5)).",
        "truncate -s 0 /etc/machine-id && rm -f /var/lib/dbus/machine-id in the same RUN",
        ("354ea5d9a57088be8efc8eea6b0a6d54\n", "48340f6c806c165d39fe07fc6b0a6d54\n"),
        NearMiss(
            "text", "354ea5d9a57088be8efc8eea6b0a6d54\n", "uninitialized\n", path="etc/machine-id"
        ),
        family="randomness",
        reference="https://www.freedesktop.org/software/systemd/man/machine-id.html",
        paths=late(r"(?:^|/)machine-id$"),
        path="etc/machine-id",
        composes=False,
    ),
    field(
        "random-bytes-high-entropy",
        "The random seed of the system",
        ("file.content",),
        whole(),
        _of_one_size,
        "systemd or urandom keeps random bytes for the next start.",
        "rm -f /var/lib/systemd/random-seed in the same RUN",
        ("abcdefgh", "ijklmnop"),
        NearMiss("file.content", "abcdefgh", "ijklmno", path="var/lib/systemd/random-seed"),
        family="randomness",
        reference="https://www.freedesktop.org/software/systemd/man/systemd-random-seed.html",
        paths=late(r"(?:^|/)random-seed$"),
        path="var/lib/systemd/random-seed",
        composes=False,
    ),
)
"""Of what says a time beside other things, those come first whose path says what it is."""
