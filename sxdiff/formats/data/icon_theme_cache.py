"""The cache of an icon theme, icon-theme.cache: which icon is where, in which formats.

Source: GTK 3's docs/iconcache.txt; all numbers are big-endian. The order of directories and of
buckets follows from how the file system lists them: only layout.
"""

from collections.abc import Iterator
from functools import partial

from sxdiff.formats.parts import Reader, line_text, lines_part, packed, whole
from sxdiff.model import Blob, Fact, LimitError, Limits, Member

MOST = 256 << 20
MOST_ROWS = 900_000
NOTHING = 0xFFFFFFFF
FLAGS = {1: "xpm", 2: "svg", 4: "png", 8: "icon data", 16: "symbolic png"}


class IconThemeCache:
    """A listing of directories and one of icons, by name; the tables derived."""

    name = "icon_theme_cache"

    def recognises(self, head: bytes) -> bool:
        """Version 1.0, the hash table behind the header and inside what can be seen."""
        return len(head) >= 16 and head[:8] == b"\0\1\0\0\0\0\0\x0c" and head[12:14] == b"\0\0"

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - its own bounds
        """Version, directories, icons, and one digest over all behind the version."""
        reader = Reader(whole(blob, MOST), ">")
        yield Fact("icon_theme_cache.version", "1.0", (0, 4))
        directories = _directories(reader)
        yield lines_part("icon_theme_cache.directory", "directories", lambda: directories)
        icons = partial(_icons, reader, directories)
        yield lines_part("icon_theme_cache.icon", "icons", icons)
        yield packed("icon_theme_cache.tables", blob, (4, blob.size - 4), "tables")


def _directories(reader: Reader) -> list[str]:
    at = reader.number(8)
    count = reader.number(at)
    reader.span(at + 4, 4 * count)
    return [
        line_text(reader.string(reader.number(place)))
        for place in range(at + 4, at + 4 + 4 * count, 4)
    ]


def _icons(reader: Reader, directories: list[str]) -> list[str]:
    rows: list[str] = []
    at = reader.number(4)
    count = reader.number(at)
    for bucket in range(at + 4, at + 4 + 4 * count, 4):
        icon = reader.number(bucket)
        while icon != NOTHING:
            name = line_text(reader.string(reader.number(icon + 4)))
            images = reader.number(icon + 8)
            for image in range(images + 4, images + 4 + 8 * reader.number(images), 8):
                number, flags = reader.number(image, 2), reader.number(image + 2, 2)
                where = directories[number] if number < len(directories) else f"#{number}"
                told = " ".join(word for bit, word in FLAGS.items() if flags & bit)
                rows.append(f"{name}: {where} {told or '-'} {flags:#x}")
                if len(rows) > MOST_ROWS:
                    raise LimitError(f"more than {MOST_ROWS} icons", icon)
            if reader.number(images) == 0:
                rows.append(f"{name}: nowhere")
            if len(rows) > MOST_ROWS:
                raise LimitError(f"more than {MOST_ROWS} icons", icon)
            icon = reader.number(icon)
    return sorted(rows)
