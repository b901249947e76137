"""The formats: each describes one side of a comparison in facts and members, none compares.

A new format is one module with a class like `gzip.Gzip` and its line in `FORMATS`.
"""

from sxdiff.formats.archives.ar import Ar
from sxdiff.formats.archives.tar import Tar
from sxdiff.formats.archives.zip import Zip
from sxdiff.formats.bytecode.java_class import JavaClass
from sxdiff.formats.bytecode.pyc import Pyc
from sxdiff.formats.compression.bzip2 import Bzip2
from sxdiff.formats.compression.gzip import Gzip
from sxdiff.formats.compression.lz4 import Lz4
from sxdiff.formats.compression.lzip import Lzip
from sxdiff.formats.compression.lzma import Lzma
from sxdiff.formats.compression.xz import Xz
from sxdiff.formats.compression.zlib import Zlib
from sxdiff.formats.compression.zstd import Zstd
from sxdiff.formats.data.gettext_mo import GettextMo
from sxdiff.formats.data.sqlite import Sqlite
from sxdiff.formats.documents.pdf import Pdf
from sxdiff.formats.documents.png import Png
from sxdiff.formats.elf.file import Elf
from sxdiff.formats.texts.json import CycloneDx, InToto, Json, Spdx
from sxdiff.model import Format

HEAD = 36 << 10
"""Bytes of a stream that `sniff` wants to see; fewer where the stream is shorter. ISO 9660
has its magic number behind 32 KiB."""


FORMATS: tuple[Format, ...] = (
    Elf(),
    Ar(),
    Tar(),
    Zip(),
    Gzip(),
    Xz(),
    Bzip2(),
    Zstd(),
    Lz4(),
    Lzip(),
    Png(),
    Sqlite(),
    GettextMo(),
    Pdf(),
    Pyc(),
    Lzma(),
    Zlib(),
    JavaClass(),
)

TEXTS: tuple[Format, ...] = (Spdx(), CycloneDx(), InToto(), Json())
"""Formats of texts in UTF-8, looked for where `FORMATS` knows none and both sides are text. Every
byte of a text lies in one of its facts: a fact is a piece of the text with its separators."""

_STREAMS = frozenset({"bzip2", "gzip", "lz4", "lzip", "lzma", "xz", "zlib", "zstd"})
STREAMS: tuple[Format, ...] = tuple(known for known in FORMATS if known.name in _STREAMS)
"""Formats that hold one stream, packed, as their member `CONTENT`: two of them with one content
differ in compression only."""
CONTENT = "content"


def sniff(head: bytes, size: int) -> Format | None:
    """The first format that knows a stream of `size` bytes by its first `HEAD` bytes."""
    head = head[:size]
    return next((known for known in FORMATS if known.recognises(head)), None)


def sniff_text(head: bytes) -> Format | None:
    """The first text format that knows a text by its first `HEAD` bytes."""
    return next((known for known in TEXTS if known.recognises(head)), None)
