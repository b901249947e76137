"""Where the build took place: paths that went into the result."""

from collections.abc import Iterator
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss, Token
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import any_two, paths, two_build_paths

_TEMPORARY = late(
    r"(?<![\w.-])/(?:var/)?tmp/(?:"
    r"tmp\.(?P<v1>[A-Za-z0-9]{6,12})|tmp(?P<v2>[a-z0-9_]{8})"
    r"|pip-(?:[a-z]+-){1,4}(?P<v3>[A-Za-z0-9_]{8})|go-build(?P<v4>\d{6,12})"
    r"|(?:cc|rustc|cargo-install)(?P<v5>[A-Za-z0-9]{6})|ghc(?P<v6>\d{1,7}_\d{1,3})"
    r"|(?:npm|buildah|yarn|jest|dpkg-deb|apt-key-gpghome|apt-dpkg-install|ocamlpp|perl|R)[.-]?"
    r"(?P<v7>[A-Za-z0-9]{6,14}))(?![A-Za-z0-9_-])"
)
"""What mktemp(1), Python's tempfile and others make: only what is random of it."""


def _temporary(text: str) -> Iterator[Token]:
    if "tmp/" not in text:
        return
    for found in _TEMPORARY.finditer(text):
        group = found.lastgroup or "v1"
        yield Token(*found.span(group), found[group], group)


CAUSES: Final = (
    Cause(
        id="gcc-captures-build-path",
        title="The build path in debug information",
        family="path",
        kinds=(
            "elf.dwarf*",
            "elf.debug*",
            "elf.strings",
            "elf.line*",
            "elf.section.content",
            "macho.*",
        ),
        tokens=paths,
        judge=two_build_paths,
        where=late(r"(?:^|/)(?:\.z?debug_|\.stabstr|__debug_)"),
        bound=True,
        why="The compiler writes the directory it runs in, and the paths of its sources, into the"
        " debug information (DW_AT_comp_dir, DW_AT_name, .debug_line).",
        fixes=(
            Fix("rustc --remap-path-prefix=$PWD=.", late("rustc")),
            Fix("go build -trimpath", late(r"\bGo\b|go1\.")),
            Fix("nasm: strip the objects, or assemble with relative paths", late("NASM")),
            Fix("as --debug-prefix-map=$PWD=. (gcc -Wa,…)", late(r"GNU AS")),
            Fix("-ffile-prefix-map=$PWD=. (clang 10 and later)", late("clang")),
            Fix("-ffile-prefix-map=$PWD=. (gcc 8 and later, clang 10 and later), or strip"),
        ),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss(
            "elf.strings", "/build/1st/m.c", "/build/2nd/m.c", where=(".debug_line_str",)
        ),
        near_miss=NearMiss(
            "elf.strings", "/build/1st/m.c", "/build/2nd/n.c", where=(".debug_line_str",)
        ),
    ),
    Cause(
        id="random-temporary-path",
        title="Names of temporary files and directories",
        family="randomness",
        kinds=("*",),
        tokens=_temporary,
        judge=any_two,
        why="A tool made a directory with a random name (mktemp), and wrote its path into the"
        " result.",
        fixes=(
            Fix("go build -trimpath", late(r"\bgo1\.")),
            Fix(
                "work in a directory with a fixed name, or write paths relative to it; keep build"
                " logs out of the image"
            ),
        ),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss("text", "in /tmp/tmp.xBLPwhfuM3/x\n", "in /tmp/tmp.FM9ENFdx1M/x\n"),
        near_miss=NearMiss("text", "in /tmp/tmp.xBLPwhfuM3/x.c\n", "in /tmp/tmp.FM9ENFdx1M/y.c\n"),
    ),
    Cause(
        id="interpreter-artifact-path",
        title="The source's path in byte code or a program",
        family="path",
        kinds=("text",),
        tokens=paths,
        judge=two_build_paths,
        paths=late(r"\.ll\Z"),
        context=late(r"\A; ModuleID = "),
        bound=True,
        why="clang -S -emit-llvm writes the source's path into ModuleID and source_filename.",
        fixes=(Fix("compile with a relative path; -ffile-prefix-map=$PWD=. maps only the rest"),),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss(
            "text",
            'source_filename = "/build/1st/m.c"\n',
            'source_filename = "/build/2nd/m.c"\n',
            path="m.ll",
            head="; ModuleID = '/build/1st/m.c'\n",
        ),
        near_miss=NearMiss(
            "text",
            'source_filename = "/build/1st/m.c"\n',
            'source_filename = "/build/2nd/n.c"\n',
            path="m.ll",
            head="; ModuleID = '/build/1st/m.c'\n",
        ),
    ),
    Cause(
        id="captures-build-path",
        title="The build path",
        family="path",
        kinds=("*",),
        tokens=paths,
        judge=two_build_paths,
        bound=True,
        why="The build wrote the directory it ran in into its result.",
        fixes=(Fix("build in the same directory, or write paths relative to it"),),
        references=("https://reproducible-builds.org/docs/build-path/",),
        example=NearMiss("text", "from /build/1st/x\n", "from /tmp/b2/x\n"),
        near_miss=NearMiss("text", "PATH=/usr/lib/x\n", "PATH=/opt/lib/x\n"),
    ),
)
