"""What the machine and its user put into the result: names, kernel, processor, locale."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token
from sxdiff.causes.moments import times
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import NOT_WRITTEN_BY_HAND, any_two, matches, two_times

_ENVIRONMENT: Final = "https://reproducible-builds.org/docs/env-variations/"
_TEXTS: Final = ("text", "xml", "*.value", "elf.strings", "elf.section.content")

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,6}}"
_USER = r"[A-Za-z_][A-Za-z0-9_-]{0,31}"
_IS = r"[\"']?(?:[ \t]{0,4}(?:=>|:=|[=:])[ \t]{0,4}|[ \t]{1,8})[\"']?"
_END = r"(?![\w@/\\-]|\.\w)"
_BUILDERS: Final = (
    r"(?:root|builder|buildd|build|mockbuild|makepkg|abuild|jenkins|runner|gitlab-runner|nobody"
    r"|pbuilder\d*|sbuild|reproducible|vagrant|ubuntu|debian|user\d*|reprotest)"
)
_BUILD_HOST = late(
    r"(?i)(?:\A|[^a-z])(?:[a-z]*build[a-z]*|bld|ci|runner|worker|agent|node|host|vm|docker|container"
    r"|sbuild|jenkins|localhost|debian|ubuntu|fedora|reprotest)\d*(?:\Z|[^a-z])|\A[0-9a-f]{12}\Z"
)
"""Host names that only machines for builds and containers have."""
_NO_SETTINGS: Final = late(
    r"\A(?!.*(?:(?:^|/)etc/|\.(?:ya?ml|conf|cfg|service|timer|socket|toml|rules|env)$))"
)
"""Paths but those of settings, where a host or a directory is one that is used."""
_HOSTS: Final = (
    # a name that says so: any host
    late(
        r"(?i)(?<![a-z0-9])(?:(?:build|compile|built|compiled|packag(?:e|ing)|builder)[ _-]?"
        r"(?:on[ _-]?)?"
        rf"(?:host(?:[ _-]?name)?|machine)){_IS}(?P<v>{_HOST}){_END}"
    ),
    late(rf"(?m)^(?:hostname|uname -n)[ \t]*=[ \t]*(?P<v>{_HOST})$"),
    # a name of a site, and somebody at a host: such as are for builds
    late(rf"(?<![A-Za-z0-9])(?P<w>)SITE(?:_?NAME)?{_IS}(?P<v>{_HOST}){_END}"),
    late(rf"(?<![\w.@/:+-])(?P<w>){_BUILDERS}@(?P<v>{_HOST}){_END}"),
)


_MAY_NAME = late(r"@|[Hh][Oo][Ss][Tt]|[Mm][Aa][Cc][Hh][Ii][Nn][Ee]|SITE|uname -n")


def _hosts(text: str) -> Iterator[Token]:
    """Names of the machine that built, behind what says that they are."""
    if not _MAY_NAME.search(text):
        return
    taken: dict[tuple[int, int], str] = {}
    for pattern in _HOSTS:
        for found in pattern.finditer(text):
            if re.search(r"[A-Za-z]", found["v"]):
                form = "host for builds" if "w" in pattern.groupindex else "host"
                taken.setdefault(found.span("v"), form)
    for (start, end), form in sorted(taken.items()):
        yield Token(start, end, text[start:end], form)


def _two_hosts(one: Token, two: Token) -> Evidence | None:
    names = one.value, two.value
    if one.form == "host for builds" and not all(map(_BUILD_HOST.search, names)):
        return None
    return Evidence(*names)


_USERS: Final = late(
    r"(?i)(?<![a-z0-9])(?:(?:built|compiled|packaged)[ _-](?:by|user)(?:[ _-]user)?"
    rf"|build(?:er)?[ _-]?user(?:[ _-]?name)?){_IS}(?-i:(?P<v>{_USER}))"
    r"(?=[\"'@]|[,;)]?[ \t]*(?:\r?\n|\0|\Z)|[ \t]on[ \t])"
)
_TOOLS = late(
    r"(?i)\A(?:gcc|g\+\+|cc|clang|icc|msvc|rustc|cargo|go|javac|ghc|ocaml\w*|cmake|make|ninja|meson"
    r"|maven|mvn|gradle|ant|sbt|npm|yarn|pnpm|webpack|rollup|vite|docker|buildkit|buildah|podman"
    r"|kaniko|bazel|nix|python|perl|ruby|java|node|bndtools?|bnd|apache|autoconf|autotools|configure"
    r"|release|debug|hand|default|you|us|me|the|a|an)\Z"
)


def _two_users(one: Token, two: Token) -> Evidence | None:
    """Two names of users; a tool is none."""
    if _TOOLS.match(one.value) or _TOOLS.match(two.value):
        return None
    return Evidence(one.value, two.value)


_RELEASE = r"\d{1,2}\.\d{1,3}\.\d{1,3}[A-Za-z0-9._+~-]*"
_MACHINES = (
    r"(?:x86_64|amd64|i[3-6]86|aarch64|arm64|armv\w+|ppc64le|s390x|riscv64|loongarch64|mips\w*)"
)
_UNAME = late(
    rf"\bLinux (?P<host>{_HOST}) (?P<release>{_RELEASE}) (?P<build>#\d{{1,6}}[^\n]{{0,100}}?)"
    rf"(?= {_MACHINES}\b)"
)
_KERNELS: Final = (
    late(
        r"(?m)(?:^(?:/[\w/]+/)?uname -r *= *|\bCMAKE_(?:HOST_)?SYSTEM(?:_VERSION)?[\" ]{1,3}\"?"
        rf"(?:Linux-)?|\bosvers='|^osrelease *[=:] *)(?P<v>{_RELEASE})(?=['\")\s]|\Z)"
    ),
    late(rf"\bLinux-(?P<v>{_RELEASE})(?=-{_MACHINES}(?:-with-|[\"'\s,)]|\Z))"),
    late(r"(?m)^(?:/[\w/]+/)?uname -v *= *(?P<v>#\d{1,6}[^\n]{0,100})$"),
)


def _kernels(text: str) -> Iterator[Token]:
    """What uname(1) said of the machine, in a form that only it has."""
    if "inux" not in text and "uname" not in text and "osvers" not in text:
        return
    taken: dict[tuple[int, int], str] = {}
    for found in _UNAME.finditer(text):
        taken.update({found.span(name): name for name in ("host", "release", "build")})
    for number, pattern in enumerate(_KERNELS):
        for found in pattern.finditer(text):
            taken.setdefault(found.span("v"), f"kernel {number}")
    for (start, end), form in sorted(taken.items()):
        yield Token(start, end, text[start:end], form)


_BANNER = late(
    rf"(?P<version>{_RELEASE}) \((?P<user>{_USER})@(?P<host>{_HOST})\) (?:\([^\n]{{1,160}}?\) )?"
    r"#(?P<number>\d{1,6})(?=[ -])(?P<rest>[^\n\0]*)"
)


def _banner(text: str) -> Iterator[Token]:
    """Who built a kernel where and when, and for which time; not which kernel it is."""
    if "@" not in text:
        return
    for found in _BANNER.finditer(text):
        for name in ("user", "host", "number"):
            yield Token(*found.span(name), found[name], name)
        start = found.start("rest")
        for token in times(found["rest"]):
            yield Token(start + token.start, start + token.end, token.value, f"time {token.form}")


def _two_banners(one: Token, two: Token) -> Evidence | None:
    return two_times(one, two) if one.form.startswith("time ") else Evidence(one.value, two.value)


_HOMES = late(
    r"(?<![\w./-])(?P<v>/(?:home|Users)/[A-Za-z_][\w.-]{0,31}|/root|/nonexistent(?:/[\w.-]+)?"
    r"|/var/lib/(?:jenkins|buildbot))(?=/)"
)
"""Only with something below it: two homes alone may be two users that the image is for."""
_JOBS = late(
    r"\b(?:make|gmake|ninja|samu|scons|cargo build)\b[^\n;|&#]{0,80}? (?:-j ?|--jobs[= ])"
    r"(?P<v>\d{1,4})\b"
    r"|\b(?:MAKEFLAGS|NINJAFLAGS)[\"']?[ \t]*[=:][ \t]*[\"']?[^\n\"']{0,40}?-j ?(?P<f>\d{1,4})\b"
    r"|\b(?:CARGO_BUILD_JOBS|CMAKE_BUILD_PARALLEL_LEVEL)=(?P<j>\d{1,4})\b"
    r"|\bDEB_BUILD_OPTIONS=[^\n]{0,60}?parallel=(?P<p>\d{1,4})\b"
)
_SCRIPTS = late(
    r"(?i)\A(?!.*(?:(?:^|/)(?:gnu)?makefile|(?:^|/)(?:dockerfile|justfile|rakefile|pkgbuild|apkbuild)"
    r"|\.(?:sh|bash|mk|cmake|ya?ml|spec|py|pl|md|rst|html?|json)$|(?:^|/)(?:usr/)?s?bin/))"
)


def _jobs(text: str) -> Iterator[Token]:
    for found in _JOBS.finditer(text):
        name = found.lastgroup or "v"
        yield Token(*found.span(name), found[name], "jobs")


def _two_counts(one: Token, two: Token) -> Evidence | None:
    if not (0 < int(one.value) <= 1024 and 0 < int(two.value) <= 1024):
        return None
    return Evidence(one.value, two.value)


_PIDS = late(
    r"(?i)(?<![\w.-])(?:pid|process(?:[ _]?id)?)[\"']?(?: ?[=:] ?| #?)(?P<v>\d{1,7}(?:-\d{1,7})*)"
    r"(?![\w.-])|(?m:(?<=[a-z])\[(?P<s>\d{1,7})\](?=: ))"
)


def _pids(text: str) -> Iterator[Token]:
    for found in _PIDS.finditer(text):
        name = found.lastgroup or "v"
        yield Token(*found.span(name), found[name], f"pid {found[name].count('-')}")


_CI = (
    r"(?:(?:ci|github|gitlab|gitea|buildkite|jenkins|hudson|bamboo|circle|travis|drone|azure|system)"
    r"[_.-](?:[a-z]{2,12}[_.-]){0,2})?(?:build[_.-]?(?:number|no|num|url|tag|id)|run[_.-]?(?:id|number"
    r"|attempt)|job[_.-]?(?:id|url|number)|pipeline[_.-]?(?:i?id|url|number)|workflow[_.-]?(?:run[_.-]?)?id)"
)
_CI_FIELD = late(rf"(?i)(?:^|/){_CI}$")
_CI_TEXT = late(
    rf"(?mi)^[ \t]*(?:export |#define |-?D)?[\"']?{_CI}[\"']?[ \t]*[=: ][ \t]*[\"']?"
    r"(?:https?://[^\s\"'?]{1,160}/)?(?P<v>\d{1,12})[\"']?,?[ \t]*$"
)
_CI_VALUE = late(r"\A\"?(?:https?://[^\s\"'?]{1,160}/)?(?P<v>\d{1,12})/?\"?\Z")

_DUMP = late(
    r"\A(?=(?:.*\n)*?PWD=/)(?=(?:.*\n)*?(?:SHLVL=\d|OLDPWD=/|_=/|LOGNAME=|HOSTNAME=))"
    r"(?:[A-Za-z_][A-Za-z0-9_]*=[^\n]*\n){4}"
)
_VARIABLE = late(r"(?m)^(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<v>[^\n]*)$")


def _variables(text: str) -> Iterator[Token]:
    """The value of each variable in what env(1) printed."""
    for found in _VARIABLE.finditer(text):
        yield Token(*found.span("v"), found["v"][:80], f"variable {found['name']}")


_CONTAINER = r"(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}(?:[0-9a-f]{52})?"
_ETC = late(
    rf"(?m)(?<![0-9A-Za-z.-])(?P<v>{_CONTAINER})(?![0-9A-Za-z-])"
    r"|^(?P<ip>(?:172\.(?:1[6-9]|2\d|3[01])|10\.\d{1,3}|192\.168)\.\d{1,3}\.\d{1,3})"
    rf"(?=[ \t]+{_CONTAINER}$)"
)


def _etc(text: str) -> Iterator[Token]:
    """Identifiers of containers, and the address that stands before one."""
    for found in _ETC.finditer(text):
        name = found.lastgroup or "v"
        yield Token(*found.span(name), found[name], f"{name} {len(found[name]) * (name == 'v')}")


_NUMBER = late(
    r"(?<![\w.+-])[+-]?(?P<whole>\d+)\.(?P<part>\d+)(?P<power>[eE][+-]?\d+)?(?![\w.]|-\d)"
)
_DIGITS_OF_DOUBLE = range(15, 18)
"""Significant digits that a number of 64 bits (IEEE 754, binary64) has: 15 are always right, 17
always tell it from all others."""
_ROUNDING = Decimal("1e-13")
_LAST_TWO = 100
_MOMENTS = range(100_000_000, 10_000_000_000)
"""Seconds since 1970 with a fraction: their last digits are of the clock, not of rounding."""


def _doubles(text: str) -> Iterator[Token]:
    """Decimal numbers that are written as exactly as a number of 64 bits can be."""
    for found in _NUMBER.finditer(text):
        digits = (found["whole"] + found["part"]).lstrip("0")
        if len(digits) in _DIGITS_OF_DOUBLE and int(found["whole"]) not in _MOMENTS:
            power = found["power"] or ""
            yield Token(*found.span(), found[0], f"number {found[0][0] in '+-'} {power}")


def _two_roundings(one: Token, two: Token) -> Evidence | None:
    """Two numbers that are equal but for the last two digits of the shorter one, at most."""
    a, b = Decimal(one.value), Decimal(two.value)
    apart = abs(a - b)
    unit = max(_unit(a), _unit(b))
    if not a or not apart or apart >= abs(a) * _ROUNDING or apart >= unit * _LAST_TWO:
        return None
    return Evidence(one.value, two.value)


def _unit(number: Decimal) -> Decimal:
    """One in the last place."""
    return Decimal((0, (1,), int(number.as_tuple().exponent)))


CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="builder-injected-etc-files",
        title="What the builder wrote into /etc for its container",
        family="env",
        kinds=("text",),
        tokens=_etc,
        judge=any_two,
        paths=late(r"(?:^|/)etc/(?:hostname|hosts|resolv\.conf|mailname|mtab)$"),
        why="Builders fill hostname, hosts and resolv.conf for the container that they build in.",
        fixes=(
            Fix(
                "build with BuildKit or buildah, which mount these files; or write fixed ones at"
                " the end (mmdebstrap --customize-hook)"
            ),
        ),
        references=(_ENVIRONMENT,),
        example=NearMiss(
            "text",
            "172.17.0.2 3f4e5d6c7b8a\n",
            "172.17.0.3 9a8b7c6d5e4f\n",
            path="etc/hosts",
        ),
        near_miss=NearMiss(
            "text",
            "172.17.0.2 3f4e5d6c7b8a\n10.0.0.1 db\n",
            "172.17.0.3 9a8b7c6d5e4f\n10.0.0.2 db\n",
            path="etc/hosts",
        ),
    ),
    Cause(
        id="environment-variable-capture",
        title="A listing of the environment",
        family="env",
        kinds=("text",),
        tokens=_variables,
        judge=any_two,
        paths=late(r"\A(?!.*(?:(?:^|/)etc/|\.env$|environment$|profile))"),
        context=_DUMP,
        why="The build kept what env(1) printed.",
        fixes=(Fix("env -i PATH=$PATH …; do not ship the file"),),
        references=(_ENVIRONMENT,),
        example=NearMiss(
            "text",
            "CAPTURE=one\n",
            "CAPTURE=two\n",
            head="CAPTURE=one\nHOME=/build\nPWD=/build/w\nSHLVL=1\n",
        ),
        near_miss=NearMiss(
            "text", "MODE=one\n", "MODE=two\n", head="MODE=one\nHOST=db\nPORT=1\nUSER=app\n"
        ),
        composes=False,
    ),
    Cause(
        id="kernel-banner",
        title="Who built a kernel, where and when",
        family="env",
        kinds=(*_TEXTS, "vmlinuz.kernel_version"),
        tokens=_banner,
        judge=_two_banners,
        why="A kernel says who built it, on which machine, when, and for which time.",
        fixes=(
            Fix(
                "KBUILD_BUILD_TIMESTAMP, KBUILD_BUILD_USER, KBUILD_BUILD_HOST and"
                " KBUILD_BUILD_VERSION"
            ),
        ),
        references=("https://docs.kernel.org/kbuild/reproducible-builds.html",),
        example=NearMiss(
            "text",
            "Linux version 6.1.0-1-amd64 (a@h) (gcc-12) #1 SMP Sat Jan 10 10:00:00 UTC 2026\n",
            "Linux version 6.1.0-1-amd64 (b@i) (gcc-12) #2 SMP Sun Mar 15 12:34:56 UTC 2026\n",
        ),
        near_miss=NearMiss(
            "text",
            "Linux version 6.1.0-1-amd64 (a@h) (gcc-12) #1 SMP Sat Jan 10 10:00:00 UTC 2026\n",
            "Linux version 6.1.0-2-amd64 (b@i) (gcc-12) #2 SMP Sun Mar 15 12:34:56 UTC 2026\n",
        ),
    ),
    Cause(
        id="captures-kernel-version-uname",
        title="The kernel of the machine that built",
        family="env",
        kinds=_TEXTS,
        tokens=_kernels,
        judge=any_two,
        why="The build kept what uname(1) says of the machine.",
        fixes=(
            Fix("cmake -DCMAKE_SYSTEM_VERSION=1", late(r"CMake|CMAKE")),
            Fix(
                "do not write uname -a into the result; setarch --uname-2.6 shows where it is used"
            ),
        ),
        references=(_ENVIRONMENT,),
        example=NearMiss(
            "text",
            "Linux builder 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux\n",
            "Linux builder 6.8.0-31-generic #2 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux\n",
        ),
        near_miss=NearMiss("text", "needs Linux 5.10.0\n", "needs Linux 5.15.0\n"),
    ),
    Cause(
        id="captures-hostname",
        title="The name of the machine that built",
        family="env",
        kinds=_TEXTS,
        tokens=_hosts,
        judge=_two_hosts,
        paths=_NO_SETTINGS,
        bound=True,
        why="The build wrote the name of its machine into its result.",
        fixes=(Fix("unshare --uts, with a fixed hostname; or do not write it"),),
        references=(_ENVIRONMENT,),
        example=NearMiss("text", '#define BUILD_HOST "alpha"\n', '#define BUILD_HOST "bravo"\n'),
        near_miss=NearMiss("text", "deploy@prod-a\n", "deploy@prod-b\n"),
    ),
    Cause(
        id="captures-username",
        title="The name of the user who built",
        family="env",
        kinds=_TEXTS,
        tokens=matches(_USERS, "user"),
        judge=_two_users,
        bound=True,
        why="The build wrote the name of its user into its result.",
        fixes=(Fix("set USER and LOGNAME to fixed names; KBUILD_BUILD_USER for kernels"),),
        references=(_ENVIRONMENT,),
        example=NearMiss("text", "Built by: alice\n", "Built by: carol\n"),
        near_miss=NearMiss("text", "Built by: gcc\n", "Built by: clang\n"),
    ),
    Cause(
        id="captures-home-dir",
        title="The home directory of the user who built",
        family="path",
        kinds=_TEXTS,
        tokens=matches(_HOMES, "home"),
        judge=any_two,
        paths=_NO_SETTINGS,
        where=late(r"\A(?!.*(?:\.z?debug_|\.stab|__debug_))"),
        bound=True,
        why="The build wrote the home directory of its user into its result.",
        fixes=(Fix("HOME=/nonexistent, or a fixed one; do not expand ~"),),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss("text", "prefix=/home/alice/.local\n", "prefix=/home/carol/.local\n"),
        near_miss=NearMiss("text", "x=/home/alice/a.so\n", "x=/home/carol/b.so\n"),
    ),
    Cause(
        id="ci-metadata",
        title="Numbers of builds",
        family="env",
        kinds=("json.value", "ini.value", "stanza.value"),
        tokens=matches(_CI_VALUE, "number"),
        judge=any_two,
        where=_CI_FIELD,
        why="The build wrote the number of its run in the CI system into its result.",
        fixes=(Fix("leave the number out; a commit says what was built"),),
        references=(_ENVIRONMENT,),
        example=NearMiss("json.value", "1042", "1057", where=("build_number",)),
        near_miss=NearMiss("json.value", '"1.0.42"', '"1.0.57"', where=("build_number",)),
        composes=False,
    ),
    Cause(
        id="ci-metadata",
        title="Numbers of builds",
        family="env",
        kinds=("text",),
        tokens=matches(_CI_TEXT, "number"),
        judge=any_two,
        why="The build wrote the number of its run in the CI system into its result.",
        fixes=(Fix("leave the number out; a commit says what was built"),),
        references=(_ENVIRONMENT,),
        example=NearMiss("text", "BUILD_NUMBER=1042\n", "BUILD_NUMBER=1057\n"),
        near_miss=NearMiss("text", "BUILD_NUMBER=1042\nPORT=1\n", "BUILD_NUMBER=1057\nPORT=2\n"),
    ),
    Cause(
        id="captures-parallelism",
        title="How many jobs ran at once",
        family="env",
        kinds=("text",),
        tokens=_jobs,
        judge=_two_counts,
        paths=_SCRIPTS,
        unless=late(r"\A#!"),
        why="The build kept the command that it was started with, and with it the number of"
        " processors.",
        fixes=(Fix("take -j out of what is recorded, or use a fixed number"),),
        references=(_ENVIRONMENT,),
        example=NearMiss("text", "make -j15\n", "make -j16\n"),
        near_miss=NearMiss("text", "make -j15 all\n", "make -j16 check\n"),
    ),
    Cause(
        id="captures-pid",
        title="Numbers of processes",
        family="env",
        kinds=("text", "json.value"),
        tokens=_pids,
        judge=any_two,
        why="The build kept the number of a process.",
        fixes=(Fix("do not write $$ or getpid() into the result"),),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss("text", "server[123]: up, pid 123\n", "server[456]: up, pid 456\n"),
        near_miss=NearMiss("text", "pid 123, port 80\n", "pid 456, port 81\n"),
    ),
    Cause(
        id="floating-point-rounding",
        title="The last digits of floating-point numbers",
        family="env",
        kinds=("text", "xml", "json.value"),
        tokens=_doubles,
        judge=_two_roundings,
        paths=NOT_WRITTEN_BY_HAND,
        why="The processor, the compiler or its library of mathematics rounded another way in the"
        " last bit.",
        fixes=(Fix("print fewer digits; -ffp-contract=off, and no -march=native or -ffast-math"),),
        references=("https://reproducible-builds.org/docs/stable-outputs/",),
        example=NearMiss("text", "0.321750554396642\n", "0.3217505543966422\n"),
        near_miss=NearMiss("text", "0.321750554396642\n", "0.321750554396942\n"),
    ),
)
