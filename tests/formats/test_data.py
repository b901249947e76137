"""Databases, caches and tables: one known change is one root, in the right place."""

import gzip
import sqlite3
import struct
from pathlib import Path

import pytest

from fixtures.recipes.formats import ARTEFACTS, sides
from sxdiff.formats.catalogue import sniff
from sxdiff.formats.parts import Names, Reader
from sxdiff.model import FormatError, LimitError
from tests.look import Look, looking, told
from tests.sample import places
from tests.tools import run, want

FOUND = {
    "berkeley_db": [
        ("berkeley_db.pair", ("pairs",)),
        ("berkeley_db.uid", ("metadata",)),
    ],
    "berkeley_db-hash": [
        ("berkeley_db.pair", ("pairs",)),
        ("berkeley_db.uid", ("metadata",)),
    ],
    "fontconfig_cache": [("fontconfig_cache.checksum", ("header",))],
    "gcov": [("gcov.records", ("records",))] * 6,
    "gcov-counts": [("gcov.records", ("records",))] * 3,
    "gdbm": [("gdbm.pair", ("pairs",))],
    "gettext_mo": [("gettext_mo.field", ("messages", "PO-Revision-Date"))],
    "gettext_mo-message": [("gettext_mo.msgstr", ("messages", "Quit"))],
    "git_pack": [("git_pack.packing", ())],
    "gvariant": [("gvariant.key", ("keys",))],
    "hdf5": [("hdf5.objects", ("objects",))],
    "hwdb": [("hwdb.property", ("properties",))],
    "icon_theme_cache": [
        ("icon_theme_cache.directory", ("directories",)),
        ("icon_theme_cache.icon", ("icons",)),
    ],
    "journal_catalog": [("journal_catalog.message", ("messages",))],
    "kmod_index": [("kmod_index.key", ("keys",))],
    "lastlog": [("lastlog.time", ("uid 1",))],
    "ld_so_cache": [("ld_so_cache.library", ("libraries",))],
    "ldconfig_aux_cache": [("ldconfig_aux_cache.library", ("libraries",))],
    "locale": [("locale.item", ("item 8",)), ("locale.item", ("item 60",))],  # also as wide text
    "mime_cache": [("mime_cache.suffixes", ("suffixes",))],
    "numpy": [("numpy.data", ("data",))],
    "pcap": [("pcap.time", ("packet 2",))],
    "pcapng": [("pcapng.body", ("packet 1",))],
    "pickle": [("pickle.opcodes", ("opcodes",))],
    "pickle-set": [("pickle.set.order", ("set",))],
    "r_rdb": [
        ("r_rds.object", (chunk, "object"))
        for chunk in ("chunk 3", *["chunk 8"] * 3, "chunk 9", "chunk 10")
    ],
    "r_rds": [("r_rds.object", ("object",))],
    "sqlite": [("sqlite.rows", ("tables", "package"))],
    "sqlite-order": [("sqlite.rows.order", ("tables", "number"))],
    "sqlite-layout": [
        ("sqlite.change_counter", ()),
        ("sqlite.schema_cookie", ()),
        ("sqlite.unused", ()),
        ("sqlite.packing", ()),
    ],
    "terminfo": [("terminfo.capability", ("capabilities",))],
    "tzif": [("tzif.zone", ("zone",))],
    "utmp": [("utmp.time", ("USER_PROCESS tty1",))],
}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    return looking(tmp_path)


@pytest.mark.parametrize("name", FOUND)
def test_one_change_is_told_in_its_place(look: Look, name: str) -> None:
    node = look(*sides(ARTEFACTS / name))
    assert [row[:2] for row in told(node)] == FOUND[name]


def values(look: Look, name: str) -> list[tuple[object, object]]:
    return [row[2:] for row in told(look(*sides(ARTEFACTS / name)))]


def test_values_are_told_in_words(look: Look) -> None:
    assert values(look, "sqlite") == [
        (
            "id=2, name='tools', built=1700000000",
            "id=2, name='tools', built=1700000123",
        )
    ]
    assert values(look, "terminfo") == [
        ("clear_screen = \x1b[H\x1b[J", "clear_screen = \x1b[H\x1b[2J")
    ]
    assert values(look, "gvariant") == [("org.demo: count = 5 ((i))", "org.demo: count = 6 ((i))")]
    assert values(look, "gcov")[3:] == [
        ("lines of block 2: m.c 1 3 end", "lines of block 2: m.c 1 4 end"),
        ("lines of block 3: m.c 4 end", "lines of block 3: m.c 5 end"),
        ("lines of block 4: m.c 5 end", "lines of block 4: m.c 6 end"),
    ]
    assert values(look, "gdbm") == [("two => second", "two => other")]
    assert values(look, "utmp") == [("2024-01-02T03:04:05Z", "2024-01-02T03:05:59Z")]
    assert values(look, "ld_so_cache") == [
        ("", "libthree.so.1 (flags 0x303) => /lib/libthree.so.1")
    ]


def test_git_index_names_the_file(look: Look) -> None:
    """A file that was touched: its times, and the checksum of the index as a consequence."""
    node = look(*sides(ARTEFACTS / "git_index"))
    found = told(node)
    assert ("git_index.mtime", ("entries", "README")) in [row[:2] for row in found]
    assert {row[1] for row in found} == {("entries", "README")}
    assert [row[0] for row in told(node, derived=True)] == ["git_index.checksum"]


def database(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def test_sqlite_of_every_kind_of_table_and_value(look: Look, tmp_path: Path) -> None:
    """Virtual tables, views, WITHOUT ROWID, odd names, texts in UTF-16, blobs, write-ahead log."""
    script = """PRAGMA encoding = 'UTF-16le'; PRAGMA journal_mode = WAL;
        CREATE TABLE "a ""b" (x, y REAL, PRIMARY KEY (x)) WITHOUT ROWID;
        CREATE VIEW v AS SELECT * FROM "a ""b"; CREATE VIRTUAL TABLE t USING fts5(text);
        INSERT INTO t VALUES ('hello'); INSERT INTO "a ""b" VALUES ('é\n', 1.5), (x'00', NULL);
        PRAGMA wal_checkpoint(TRUNCATE);"""
    one = database(tmp_path / "one", script)
    two = database(tmp_path / "two", script.replace("1.5", "2.5"))
    node = look(one, two)
    assert told(node) == [("sqlite.rows", ("tables", 'a "b'), "x='é\\n', y=1.5", "x='é\\n', y=2.5")]


def test_sqlite_header_alone(look: Look) -> None:
    data = sides(ARTEFACTS / "sqlite")[0].read_bytes()
    other = data[:60] + b"\0\0\0\x07" + data[64:]
    assert told(look(data, other)) == [("sqlite.user_version", (), 0, 7)]


def test_sqlite_that_never_ends_is_given_up(look: Look, tmp_path: Path) -> None:
    """A view would compute for ever; only tables are read, and those in bounded steps."""
    script = """CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT * FROM n; CREATE TABLE t (x); INSERT INTO t VALUES ({});"""
    one, two = (database(tmp_path / f"{n}.db", script.format(n)) for n in (1, 2))
    assert told(look(one, two)) == [("sqlite.rows", ("tables", "t"), "x=1", "x=2")]


def test_message_catalogues_of_another_size(look: Look, tmp_path: Path) -> None:
    """One more message moves all strings: tables follow, the message is the only root."""
    want("msgfmt")
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    rows = "".join(f'msgid "m{n}"\nmsgstr "t{n}"\n\n' for n in range(20))
    for name, more in (("a", ""), ("b", 'msgid "m5a"\nmsgstr "new"\n')):
        (tmp_path / f"{name}.po").write_text(head + rows + more)
        run("msgfmt", "-o", tmp_path / f"{name}.mo", tmp_path / f"{name}.po")
    node = look(tmp_path / "a.mo", tmp_path / "b.mo")
    assert [row[:2] for row in told(node)] == [("gettext_mo.only_in_b", ("messages", "m5a"))]


def test_time_zones_slim_and_fat(look: Look, tmp_path: Path) -> None:
    """`zic -b fat` lists what the footer says too: the zone is the same, its table is not."""
    want("zic")
    (tmp_path / "z").write_text("Zone Demo 1:00 - CET\n")
    for name in ("slim", "fat"):
        run("zic", "-b", name, "-d", tmp_path / name, tmp_path / "z")
    node = look(tmp_path / "slim" / "Demo", tmp_path / "fat" / "Demo")
    assert node is None or node.format == "tzif"


def test_git_packs_of_other_objects(look: Look, tmp_path: Path) -> None:
    """An object more is one line more; those that are in both are not told."""
    want("git")
    packs = []
    run("git", "init", "-q", tmp_path / "r")
    for text in ("one", "two"):
        (tmp_path / "r" / "file").write_text(text)
        oid = run("git", "hash-object", "-w", "file", cwd=tmp_path / "r").strip()
        packs.append((tmp_path / f"{text}.ids", oid))
    for number, (path, _) in enumerate(packs, 1):
        path.write_text("".join(f"{oid}\n" for _, oid in packs[:number]))
    for path, _ in packs:
        command = f"git pack-objects --stdout -q < {path} > {path.with_suffix('.pack')}"
        run("sh", "-c", command, cwd=tmp_path / "r")
    node = look(tmp_path / "one.pack", tmp_path / "two.pack")
    line = f"blob {packs[1][1]} of 3 bytes"
    assert told(node) == [("git_pack.object", ("objects",), "", line)]


def test_gdbm_tells_its_pairs_not_its_blocks(look: Look, tmp_path: Path) -> None:
    """The same pairs, stored in another order."""
    want("gdbmtool")
    for name, order in (("a", "12"), ("b", "21")):
        script = "".join(f"store key{n} value{n}\n" for n in order)
        run("sh", "-c", f"printf '{script}' | gdbmtool -n {tmp_path / name}")
    node = look(tmp_path / "a", tmp_path / "b")
    assert [row[0] for row in told(node)] == ["gdbm.packing"]


def test_a_locale_archive_is_its_locales(look: Look, tmp_path: Path) -> None:
    """The archive that localedef makes: one category of one locale differs."""
    want("localedef")
    source = Path("/usr/share/i18n/locales/POSIX")
    if not source.exists():
        pytest.skip("no sources of locales")
    text = source.read_text()
    for name, letter in (("a", "6E"), ("b", "6F")):
        (tmp_path / "source").write_text(
            text.replace("<U006E><U0064><U0061>", f"<U00{letter}><U0064><U0061>")
        )
        (tmp_path / name / "usr/lib/locale").mkdir(parents=True)
        prefix = f"--prefix={tmp_path / name}"
        words = ("-c", "-i", tmp_path / "source", "-f", "ANSI_X3.4-1968", prefix, "demo.ascii")
        run("localedef", *words, check=False)
    archive = "usr/lib/locale/locale-archive"
    node = look(tmp_path / "a" / archive, tmp_path / "b" / archive)
    assert node is not None and node.format == "locale"
    items = [row[1:] for row in told(node) if row[0] == "locale.item"]
    assert (("demo.ascii/LC_TIME", "item 7"), "Sunday", "Suoday") in items
    assert {where[0] for where, _, _ in items} == {"demo.ascii/LC_TIME"}


def archives() -> list[bytes]:
    """Two locales that localedef put into an archive in either order."""
    pair = Path(__file__).parents[2] / "fixtures/causes/pairs/compiled-locale-archive"
    return [gzip.decompress((pair / side / "o.packed").read_bytes()) for side in "ab"]


def test_locales_of_an_archive_may_come_in_another_order(look: Look) -> None:
    a, b = archives()
    for one, two in ((a, b), (b, a)):
        node = look(one, two)
        assert node is not None and node.verified
        (found,) = (each for each in node.differences if not each.derived)
        assert [claim.cause for claim in found.claims] == ["locale-archive-order"]


def test_no_byte_of_a_locale_archive_hides(look: Look) -> None:
    """In its header, tables and contents; a counter that nothing follows from is no order."""
    a, b = archives()
    used = [at for at in range(63_800 + 20 * 2003) if b[at]]
    assert len(used) > 200
    for at in (
        *range(4, 56, 4),
        *(used[at] for at in places(len(used), 40)),
        5,
        600,
        12_000,
        30_000,
        70_000,
        150_000,
        410_000,
        len(b) - 1,
    ):
        changed = bytearray(b)
        changed[at] ^= 1
        node = look(a, bytes(changed))
        assert node is not None and not node.verified, at


def test_a_sum_that_is_missing_is_told(look: Look) -> None:
    a, b = archives()
    at = 63_800 + 20 * 1920
    assert b[at : at + 4] == bytes.fromhex("b96a8fca")
    node = look(a, b[:at] + bytes(20) + b[at + 20 :])
    assert node is not None and not node.verified
    assert "locale.sums" in {each.kind for each in node.differences if not each.derived}


@pytest.mark.parametrize(
    "data",
    [
        b"plain text, 292 bytes of it and more. " * 1000,
        bytes(384),
        bytes(292),
        b"\0\1\0\2" + b"\xff" * 40,
        b"\0\0\1\0\1\0" + b"\xff" * 40,
        struct.pack("<6H", 0o432, 40, 9, 9, 9, 9) + b"\1" * 60,
    ],
)
def test_what_only_looks_like_it_is_not_taken(data: bytes) -> None:
    known = sniff(data, len(data))
    assert known is None


def test_reading_in_circles_ends() -> None:
    reader = Reader(bytes(16))
    with pytest.raises(LimitError):
        while True:
            reader.number(0)
    with pytest.raises(FormatError):
        Reader(b"abc").string(0)
    with pytest.raises(FormatError):
        Reader(b"abc").span(2, 2)


def test_names_met_again_get_a_number() -> None:
    names = Names()
    assert [names("a"), names("b"), names("a")] == ["a", "b", "a #2"]
