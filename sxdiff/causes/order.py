"""The same things in another order.

That both sides hold the same is the easy half of the proof. The other half is that their order
says nothing: lines of a script, of a setting that is searched from the top, or of two sections
that swap their values are the same lines, too, and are another program or another setting.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import another_order

_STABLE = "https://reproducible-builds.org/docs/stable-inputs/"
_OUTPUTS = "https://reproducible-builds.org/docs/stable-outputs/"
_LOCALES = "https://reproducible-builds.org/docs/locales/"
FEWEST = 3
"""Parts of a list in one line."""
FEWEST_HASHED = 5
"""Lines in no natural order on both sides from which on a hash table is the likely reason."""

_MATTERS = (
    r"(?:^|/)(?:etc/(?!shells$|mime\.types$|ca-certificates\.conf$|ssl/certs/|alternatives/)"
    r"|\.?profile|\.\w*rc|makefile|gnumakefile|dockerfile|justfile|rakefile|fstab|crontab"
    r"|sources\.list|series$|pom\.xml$|build\.gradle)"
    r"|\.(?:sh|bash|zsh|csh|ksh|fish|bat|cmd|ps1|py|pl|pm|rb|lua|tcl|php|sql|css|scss|less|mk|cmake"
    r"|m4|ac|am|awk|sed|vim|el|lisp|scm|hs|ml|go|rs|java|kt|scala|service|conf|cfg|cnf|rules|policy"
    r"|yml|yaml|toml|patch|diff|md|rst|c|cc|cpp|cxx|js|mjs|cjs|ts|vala|swift)$"
)
_UNORDERED = late(rf"\A(?!.*(?:{_MATTERS}))", re.IGNORECASE)
"""Files but those in which the order of lines is part of what they say."""
_SCRIPT = late(r"\A(?:#!|<\?php|#compdef)|\A[^\n]*-\*-")
_KEY = late(r"[\s\"'-]*([\w.$@-]+)[\"']?\s*(?:=|:(?:\s|$))")
_CODE = late(
    r"\s*(?:if|else|elif|for|while|do|done|fi|case|esac|return|def|class|try|except|begin|end|then"
    r"|set|export|unset|source|exec|exit|cd|rm|import|from|local|function|var|let|const)\b"
    r"|(?!\s*extern ).*;\s*$|.*[{}]\s*;?\s*$|.*&&\s*$|.*\\$"
)


def _lines(text: str) -> list[str] | None:
    """The lines of a list; None where they are not of one sort, or say what their order is for.

    All are indented alike, none is blank, the head of a section or a word of a script, and no key
    stands on two of them: else values could have moved from one thing to another.
    """
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if sum(line.endswith(",") for line in lines) == len(lines) - 1:
        lines = [line.removesuffix(",") for line in lines]  # one of them is the last of all
    if len(lines) < 2:
        return None
    indent = len(lines[0]) - len(lines[0].lstrip())
    keys: Counter[str] = Counter()
    heads = 0
    for line in lines:
        bare = line.strip()
        if not bare or len(line) - len(line.lstrip()) != indent or _CODE.match(line):
            return None
        heads += bare[0] in "[<" or (bare[-1] == ":" and " " not in bare)
        if found := _KEY.match(line):
            keys[found[1]] += 1
    if heads not in (0, len(lines)) or (keys and max(keys.values()) > 1):
        return None
    return lines


def _list_of_lines(text: str) -> Iterator[Token]:
    lines = _lines(text)
    if lines is not None:
        yield Token(0, len(text), text, "\0".join(sorted(lines)))


def _split(value: str) -> list[str]:
    return value.removesuffix("\n").split("\n")


def _natural(lines: list[str]) -> bool:
    """Whether lines are sorted in some way that a program would sort them in."""
    for key in (str, str.casefold, _latin):
        keys = [key(line) for line in lines]
        if keys in (sorted(keys), sorted(keys, reverse=True)):
            return True
    return False


def _two_hashed(one: Token, two: Token) -> Evidence | None:
    """Neither side is in an order that anyone would give."""
    a, b = _split(one.value), _split(two.value)
    if len(set(a)) < FEWEST_HASHED or _natural(a) or _natural(b):
        return None
    return another_order(one, two)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ALPHABETS = {
    "": _LETTERS,
    "et": "abcdefghijklmnopqrsšzžtuvwõäöüxy",
    "lt": "aąbcčdeęėfghiįyjklmnopqrsštuųūvwxzž",
    "sv": _LETTERS + "åäö",
    "da": _LETTERS + "æøå",
}
"""Letters in the order of a language, where it is not that of their numbers."""
_WITHOUT_ACCENT = str.maketrans("áàâãäåçéèêëíìîïñóòôõöøúùûüýÿ", "aaaaaaceeeeiiiinoooooouuuuyy")


def _latin(line: str) -> str:
    return "".join(filter(str.isalnum, line.casefold().translate(_WITHOUT_ACCENT)))


def _is_collated(lines: list[str]) -> bool:
    """Whether lines are sorted as a locale other than C has it (ISO 14651): by letters first,
    then by accents and case; signs and spaces count last, or not at all."""
    for alphabet in _ALPHABETS.values():
        places = {letter: f"~{number:03}" for number, letter in enumerate(alphabet)}
        for ignores in (True, False):
            keys = []
            for line in lines:
                text = line.casefold()
                if alphabet is _LETTERS:
                    text = text.translate(_WITHOUT_ACCENT)
                chars = filter(str.isalnum, text) if ignores else iter(text)
                keys.append("".join(places.get(char, char) for char in chars))
            if keys == sorted(keys):
                return True
    return False


def _collated(one: Token, two: Token) -> Evidence | None:
    """One side is sorted by bytes, the other as a locale has it."""
    a, b = _split(one.value), _split(two.value)
    by_bytes = [
        lines == sorted(lines, key=lambda line: line.encode("utf-8", "surrogateescape"))
        for lines in (a, b)
    ]
    if by_bytes[0] == by_bytes[1] or not _is_collated(b if by_bytes[0] else a):
        return None
    return another_order(one, two)


def _names(text: str) -> Iterator[Token]:
    """Names that the comparison saw moved: the same on both sides. A name that is there twice
    says what follows it by its place."""
    names = text.split("\n")
    if len(names) > 1 and not any(" #" in name for name in names):
        yield Token(0, len(text), text, "\0".join(sorted(names)))


def _attributes(text: str) -> Iterator[Token]:
    """The attributes of one tag; rows of others may be other things (values that swap their
    elements), and elements are read in their order."""
    lines = text.split("\n")
    names = [line.partition("=")[0] for line in lines if re.match(r"  [^\s<>=]+=", line)]
    if len(names) == len(lines) == len(set(names)):
        yield Token(0, len(text), text, "\0".join(sorted(lines)))


def _scalars(text: str) -> Iterator[Token]:
    """Strings and numbers of one list, each on its row."""
    lines = text.split("\n")
    indents = {len(line) - len(line.lstrip()) for line in lines}
    if len(lines) < FEWEST or len(indents) > 1:
        return
    if all(re.fullmatch(r"\s*(?:\"(?:[^\"\\]|\\.)*\"|-?\d+(?:\.\d+)?)", line) for line in lines):
        yield Token(0, len(text), text, "\0".join(sorted(lines)))


_LISTS = (
    r"Depends|Pre-Depends|Recommends|Suggests|Enhances|Breaks|Conflicts|Replaces|Provides"
    r"|Built-Using|Static-Built-Using|Build-Depends|Requires|Requires\.private|Provides-Extra"
    r"|Requires-Dist|Imports|LinkingTo|Export-Package|Import-Package|Private-Package"
    r"|Provide-Capability|Require-Capability|Require-Bundle|Ignore-Package|Keywords|Categories"
    r"|MimeType|Tag|Tags|Task|Uploaders|Binary|Architecture|Implements|OnlyShowIn|NotShowIn"
)
_LINE_OF_LIST = late(rf"(?m)^(?:{_LISTS}) ?[:=] ?(?P<v>[^\n]*[^\s])$")
_KEY_OF_LIST = late(rf"(?:^|/)(?:{_LISTS})$")
_COMMA_OR_QUOTE = late(r"[,\"]")
_SPACE = late(r"\s*")


def _by_commas(value: str) -> tuple[list[str], set[str]]:
    """The parts between commas that stand in no quotes, and what parts them."""
    parts, gaps, begin, quotes = [], set(), 0, value.count('"')
    for found in _COMMA_OR_QUOTE.finditer(value):
        at = found.start()
        if found[0] == '"':
            quotes -= 1
        elif not quotes % 2:
            part = value[begin:at].rstrip()
            end = at + 1 + len(_SPACE.match(value, at + 1)[0])  # type: ignore[index]  # none is some
            gaps.add(value[begin + len(part) : end])
            parts.append(part)
            begin = end
    return [*parts, value[begin:]], gaps


def _by_semicolons(value: str) -> tuple[list[str], set[str]]:
    return value.split(";"), {";"} if ";" in value else set()


def _parts(value: str) -> str | None:
    """What a list in one line holds, sorted, and how it is written."""
    for split in (_by_commas, _by_semicolons):
        parts, gaps = split(value)
        if len(list(filter(None, parts))) >= FEWEST and len(gaps) == 1:
            return "\0".join((*gaps, *sorted(parts)))
    return None


def _lists(text: str) -> Iterator[Token]:
    """Lists behind a key whose list has no order."""
    for found in _LINE_OF_LIST.finditer(text):
        if form := _parts(found["v"]):
            yield Token(*found.span("v"), found["v"], form)


def _list(text: str) -> Iterator[Token]:
    value = text.strip()
    if (form := _parts(value)) and "\n" not in value:
        start = text.index(value)
        yield Token(start, start + len(value), value, form)


_BARE_KEY = late(r"([{,])\s*([A-Za-z_$][\w$]*)\s*:")
_STRING = late(r"\"(?:[^\"\\]|\\.)*\"")


def _index(text: str) -> Iterator[Token]:
    """Sphinx's search index: the documents of a term are a set, and so are its keys."""
    found = re.fullmatch(r"\s*Search\.setIndex\((\{.*\})\)\s*;?\s*", text, re.DOTALL)
    if not found:
        return
    pieces: list[str] = []
    at = 0
    for string in _STRING.finditer(found[1]):
        pieces += (_BARE_KEY.sub(r'\1"\2":', found[1][at : string.start()]), string[0])
        at = string.end()
    pieces.append(_BARE_KEY.sub(r'\1"\2":', found[1][at:]))
    try:
        index = json.loads("".join(pieces))
    except (ValueError, RecursionError):
        return
    for key in ("terms", "titleterms"):
        for documents in (index.get(key) or {}).values():
            if isinstance(documents, list):
                documents.sort(key=str)
    yield Token(0, len(text), text, json.dumps(index, sort_keys=True))


_FIXED_LISTS = late(
    r"(?i)(?:^|/)(?:args?|argv|arguments|cmd|command|commands|entrypoint|shell|scripts?|run|steps?"
    r"|stages?|layers?|history|diff_ids|rootfs|plugins?|presets?|extends|path|paths|search\w*"
    r"|include(?:dirs)?|exports?|imports?|middleware|pipeline|order|priority|rules?|overrides?"
    r"|conditions?|ciphers?\w*|resolvers?|nameservers?|mirrors?|rpath|linkargs|parameters?|options?"
    r"|inputs?|coordinates|shape|matrix|data|values|version|versions|argNames)(?:/|$)"
)
"""Keys whose lists are read in order."""
_FREE_LISTS = late(rf"\A(?!.*{_FIXED_LISTS.pattern[4:]})", re.IGNORECASE)


def _line_cause(
    name: str, title: str, paths: str, why: str, fix: str, example: NearMiss, near_miss: NearMiss
) -> Cause:
    return Cause(
        id=name,
        title=title,
        family="order",
        kinds=(
            "text.order",
            "stanza.order",
            "checksums.order",
            "ini.order",
            "icon_theme_cache.order",
        ),
        tokens=_names_or_lines,
        judge=another_order,
        paths=late(paths),
        why=why,
        fixes=(Fix(fix),),
        references=(_STABLE,),
        example=example,
        near_miss=near_miss,
        composes=False,
    )


def _names_or_lines(text: str) -> Iterator[Token]:
    """Whole records: all lines of a file whose format has no order."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) > 1:
        yield Token(0, len(text), text, "\0".join(sorted(lines)))


CAUSES: Final = (
    _line_cause(
        "texlive-ls-R-order",
        "The order of TeX's list of files",
        r"(?:^|/)ls-R$",
        "mktexlsr lists directories in the order in which the file system has them.",
        "run mktexlsr last (the shell script of TeX Live sorts), or remove ls-R",
        NearMiss("text.order", "b\na\n", "a\nb\n", path="usr/share/texmf/ls-R"),
        NearMiss("text.order", "b\na\n", "a\nc\n", path="usr/share/texmf/ls-R"),
    ),
    _line_cause(
        "wheel-record-order",
        "The order of a wheel's list of files",
        r"\.(?:dist|egg)-info/(?:RECORD|SOURCES\.txt|top_level\.txt|installed-files\.txt)$",
        "The installer lists files in the order in which the file system has them.",
        "wheel 0.36 and later sort RECORD",
        NearMiss("text.order", "b,,\na,,\n", "a,,\nb,,\n", path="p-1.dist-info/RECORD"),
        NearMiss("text.order", "b,,1\na,,\n", "a,,\nb,,2\n", path="p-1.dist-info/RECORD"),
    ),
    _line_cause(
        "dpkg-status-order",
        "The order of dpkg's database",
        r"(?:^|/)var/lib/dpkg/(?:status|available|diversions|statoverride)$",
        "Packages were installed in another order.",
        "install in one apt-get call; dpkg 1.20 and later sort the status file",
        NearMiss("stanza.order", "b\na", "a\nb", path="var/lib/dpkg/status"),
        NearMiss("stanza.order", "b\na", "a\nc", path="var/lib/dpkg/status"),
    ),
    _line_cause(
        "system-cache-order",
        "The order of a cache of the desktop",
        r"(?:^|/)(?:mimeinfo\.cache|loaders\.cache|immodules\.cache|giomodule\.cache"
        r"|icon-theme\.cache|gschemas\.compiled|mime/(?:globs2?|types|aliases|subclasses|icons"
        r"|generic-icons|magic|XMLnamespaces))$",
        "The cache was made in the order in which the file system has its directories.",
        "newer tools sort (glib 2.70, gtk 3.24, desktop-file-utils 0.27), or remove the cache",
        NearMiss("ini.order", "b/x\na/x", "a/x\nb/x", path="usr/share/applications/mimeinfo.cache"),
        NearMiss("ini.order", "b/x\na/x", "a/x\nc/x", path="usr/share/applications/mimeinfo.cache"),
    ),
    Cause(
        id="system-cache-order",
        title="The order of a cache of the desktop",
        family="order",
        kinds=("ini.value",),
        tokens=_list,
        judge=another_order,
        paths=late(r"(?:^|/)mimeinfo\.cache$"),
        why="The cache was made in the order in which the file system has its directories.",
        fixes=(Fix("desktop-file-utils 0.27 and later sort; or remove the cache"),),
        references=(_STABLE,),
        example=NearMiss(
            "ini.value",
            "b.desktop;a.desktop;c.desktop;",
            "a.desktop;b.desktop;c.desktop;",
            path="usr/share/applications/mimeinfo.cache",
        ),
        near_miss=NearMiss(
            "ini.value",
            "b.desktop;a.desktop;c.desktop;",
            "a.desktop;b.desktop;d.desktop;",
            path="usr/share/applications/mimeinfo.cache",
        ),
        composes=False,
    ),
    Cause(
        id="search-index-order",
        title="The order of a search index",
        family="order",
        kinds=("text",),
        tokens=_index,
        judge=another_order,
        paths=late(r"(?:^|/)searchindex\.js$"),
        why="Sphinx wrote sets and dictionaries in the order of their hashes.",
        fixes=(Fix("PYTHONHASHSEED=0, or Sphinx 5 and later"),),
        references=(_OUTPUTS,),
        example=NearMiss(
            "text",
            'Search.setIndex({docnames:["a","b"],terms:{x:[0,1],y:1}})',
            'Search.setIndex({docnames:["a","b"],terms:{y:1,x:[1,0]}})',
            path="html/searchindex.js",
        ),
        near_miss=NearMiss(
            "text",
            'Search.setIndex({docnames:["a","b"],terms:{x:[0,1],y:1}})',
            'Search.setIndex({docnames:["a","b"],terms:{y:0,x:[1,0]}})',
            path="html/searchindex.js",
        ),
        composes=False,
    ),
    Cause(
        id="locale-collation-order",
        title="Lines sorted by the rules of a locale",
        family="locale",
        kinds=("text.order",),
        tokens=_list_of_lines,
        judge=_collated,
        paths=_UNORDERED,
        unless=_SCRIPT,
        why="One side is sorted by bytes, the other as its locale has it.",
        fixes=(Fix("LC_ALL=C sort; export LC_ALL=C.UTF-8 for the whole build"),),
        references=(_LOCALES,),
        example=NearMiss("text.order", "B\nZ\na\nc\n", "a\nB\nc\nZ\n"),
        near_miss=NearMiss("text.order", "B\nZ\na\nc\n", "a\nB\nd\nZ\n"),
        composes=False,
    ),
    Cause(
        id="hash-order",
        title="Entries in the order of a hash table",
        family="order",
        kinds=("text.order",),
        tokens=_list_of_lines,
        judge=_two_hashed,
        paths=_UNORDERED,
        unless=_SCRIPT,
        why="The generator went over a hash table, whose order changes from run to run: on neither"
        " side are the lines in an order that one would give.",
        fixes=(
            Fix(
                "sort before writing; or PYTHONHASHSEED=0, PERL_HASH_SEED=0 with"
                " PERL_PERTURB_KEYS=0, QT_HASH_SEED=0"
            ),
        ),
        references=(_OUTPUTS,),
        example=NearMiss("text.order", "d\ng\na\nb\nc\nf\n", "c\nb\ng\nd\nf\na\n"),
        near_miss=NearMiss("text.order", "d\ng\na\nb\nc\nf\n", "c\nb\ng\nd\nf\ne\n"),
        composes=False,
    ),
    Cause(
        id="line-ordering",
        title="Lines or entries in another order",
        family="order",
        kinds=("text.order",),
        tokens=_list_of_lines,
        judge=another_order,
        paths=_UNORDERED,
        unless=_SCRIPT,
        why="The generator took names in the order of a directory, a hash table or a thread.",
        fixes=(Fix("sort in the generator: LC_ALL=C sort, sorted(os.listdir(…)), $(sort …)"),),
        references=(_STABLE,),
        example=NearMiss("text.order", "b\na\n", "a\nb\n"),
        near_miss=NearMiss("text.order", "x=1\n[b]\nx=2\n", "x=2\n[b]\nx=1\n"),
        composes=False,
    ),
    Cause(
        id="line-ordering",
        title="Lines or entries in another order",
        family="order",
        kinds=("checksums.order", "stanza.order", "ini.order"),
        tokens=_names,
        judge=another_order,
        why="The generator took names in the order of a directory, a hash table or a thread.",
        fixes=(Fix("sort in the generator: find … | LC_ALL=C sort, sorted(os.listdir(…))"),),
        references=(_STABLE,),
        example=NearMiss("checksums.order", "b\na", "a\nb"),
        near_miss=NearMiss("ini.order", "ExecStart #2\nExecStart", "ExecStart\nExecStart #2"),
        composes=False,
    ),
    Cause(
        id="line-ordering",
        title="Lines or entries in another order",
        family="order",
        kinds=("pem.order",),
        tokens=_names,
        judge=another_order,
        paths=late(
            r"(?i)(?:^|/)(?:ca-?(?:certificates|bundle)|tls-ca-bundle|cacerts?|ca-roots|trust)[\w.-]*"
            r"\.(?:crt|pem)$|(?:^|/)etc/ssl/(?:cert\.pem|certs/[\w.-]+)$"
        ),
        why="The bundle was written in the order of a directory.",
        fixes=(Fix("LC_ALL=C sort the names that go into the bundle"),),
        references=(_STABLE,),
        example=NearMiss(
            "pem.order",
            "certificate B\ncertificate A",
            "certificate A\ncertificate B",
            path="etc/ssl/certs/ca-certificates.crt",
        ),
        near_miss=NearMiss(
            "pem.order",
            "certificate B\ncertificate A",
            "certificate A\ncertificate B",
            path="etc/app/chain.pem",
        ),
        composes=False,
    ),
    Cause(
        id="json-key-order",
        title="Keys or attributes in another order",
        family="order",
        kinds=("json.order", "cyclonedx.order", "spdx.order", "in_toto.order"),
        tokens=_names,
        judge=another_order,
        where=_FREE_LISTS,
        why="The writer went over a hash table. An object is the same in any order (RFC 8259,"
        " section 4).",
        fixes=(Fix("json.dumps(…, sort_keys=True); jq -S"),),
        references=("https://www.rfc-editor.org/rfc/rfc8259#section-4", _OUTPUTS),
        example=NearMiss("json.order", "b\na", "a\nb"),
        near_miss=NearMiss("json.order", "b\na", "a\nb", where=("jobs", "build", "steps")),
        composes=False,
    ),
    Cause(
        id="json-key-order",
        title="Keys or attributes in another order",
        family="order",
        kinds=("xml.order",),
        tokens=_attributes,
        judge=another_order,
        why="The writer went over a hash table. The attributes of an element have no order"
        " (XML 1.0, 3.1).",
        fixes=(Fix("sort in the writer; xmllint --c14n writes attributes in order"),),
        references=("https://www.w3.org/TR/xml/#sec-starttags", _OUTPUTS),
        example=NearMiss("xml.order", '  b="1"\n  a="2"', '  a="2"\n  b="1"'),
        near_miss=NearMiss("xml.order", "<x>\n1\n</x>\n<y>\n2\n</y>", "<x>\n2\n</x>\n<y>\n1\n</y>"),
        composes=False,
    ),
    Cause(
        id="word-ordering-in-line",
        title="A list in another order",
        family="order",
        kinds=("json.list.order", "cyclonedx.list.order", "spdx.list.order", "in_toto.list.order"),
        tokens=_scalars,
        judge=another_order,
        where=_FREE_LISTS,
        why="The writer went over a set or a hash table.",
        fixes=(Fix("sort the list before it is written"),),
        references=(_OUTPUTS,),
        example=NearMiss(
            "json.list.order", '  "c"\n  "a"\n  "b"', '  "a"\n  "b"\n  "c"', where=("files",)
        ),
        near_miss=NearMiss(
            "json.list.order", '  "c"\n  "a"\n  "b"', '  "a"\n  "b"\n  "c"', where=("command",)
        ),
        composes=False,
    ),
    Cause(
        id="hash-order",
        title="Entries in the order of a hash table",
        family="order",
        kinds=("pickle.set.order",),
        tokens=_names_or_lines,
        judge=another_order,
        why="Python wrote the elements of a set in the order of their hashes, which change from"
        " run to run. A set has no order.",
        fixes=(Fix("PYTHONHASHSEED=0; or keep sorted(…) of the set"),),
        references=(_OUTPUTS,),
        example=NearMiss("pickle.set.order", "BININT1 2\nBININT1 1", "BININT1 1\nBININT1 2"),
        near_miss=NearMiss("pickle.opcodes.order", "BININT1 2\nBININT1 1", "BININT1 1\nBININT1 2"),
        composes=False,
    ),
    Cause(
        id="sqlite-row-order",
        title="Rows of a table in another order",
        family="order",
        kinds=("sqlite.rows.order",),
        tokens=_names_or_lines,
        judge=another_order,
        why="Rows were inserted in another order: a table has none.",
        fixes=(Fix("sort before INSERT; VACUUM INTO does not sort"),),
        references=(_OUTPUTS,),
        example=NearMiss("sqlite.rows.order", "v='b'\nv='a'", "v='a'\nv='b'"),
        near_miss=NearMiss("sqlite.rows", "id=1, v='b'", "id=1, v='a'"),
        composes=False,
    ),
    Cause(
        id="word-ordering-in-line",
        title="A list in another order",
        family="order",
        kinds=("text",),
        tokens=_lists,
        judge=another_order,
        why="The generator wrote a set, whose order changes from run to run.",
        fixes=(Fix("sort the list before it is written"),),
        references=(_OUTPUTS,),
        example=NearMiss(
            "text", "Depends: libc6, libm2, zlib1g\n", "Depends: zlib1g, libc6, libm2\n"
        ),
        near_miss=NearMiss(
            "text", "Depends: libc6, libm2, zlib1g\n", "Depends: zlib1g, libc6, libm3\n"
        ),
    ),
    Cause(
        id="word-ordering-in-line",
        title="A list in another order",
        family="order",
        kinds=("stanza.value", "ini.value"),
        tokens=_list,
        judge=another_order,
        where=_KEY_OF_LIST,
        why="The generator wrote a set, whose order changes from run to run.",
        fixes=(Fix("sort the list before it is written"),),
        references=(_OUTPUTS,),
        example=NearMiss(
            "stanza.value", "libc6, libm2, zlib1g", "zlib1g, libc6, libm2", where=("p", "Depends")
        ),
        near_miss=NearMiss(
            "stanza.value", "aes, des, rc4", "rc4, aes, des", where=("p", "Ciphers")
        ),
    ),
)
