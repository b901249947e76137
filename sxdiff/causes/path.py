"""Where the build took place: paths that went into the result."""

import re
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.tokens import paths, two_build_paths

CAUSES: Final = (
    Cause(
        id="gcc-captures-build-path",
        title="The build path in debug information",
        family="path",
        kinds=("elf.dwarf*", "elf.debug*", "elf.strings", "elf.line*", "elf.section.content"),
        tokens=paths,
        judge=two_build_paths,
        where=re.compile(r"(?:^|/)\.z?debug_"),
        bound=True,
        why="The compiler writes the directory it runs in, and the paths of its sources, into the"
        " debug information (DW_AT_comp_dir, DW_AT_name, .debug_line).",
        fixes=(
            Fix("rustc --remap-path-prefix=$PWD=.", re.compile("rustc")),
            Fix("go build -trimpath", re.compile(r"\bGo\b|go1\.")),
            Fix("-ffile-prefix-map=$PWD=. (clang 10 and later)", re.compile("clang")),
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
