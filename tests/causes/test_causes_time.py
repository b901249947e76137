"""Times in text: which are found, how they are read, what is strong, and what is no time."""

import time

import pytest

from sxdiff.causes.cause import Site
from sxdiff.causes.diagnose import diagnose
from sxdiff.causes.languages import dates
from sxdiff.causes.moments import NAMED, epoch_numbers, times


def _claims(a: str, b: str, kind: str = "text", **more: object) -> list[tuple[str, str]]:
    found = diagnose(Site(kind, a, b, **more))  # type: ignore[arg-type]  # fields of Site
    return [(claim.cause, claim.needs) for claim in found.claims] if found else []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Sat Jan 10 10:00:00 UTC 2026", "2026-01-10T10:00:00+00:00"),
        ("Sat Jan 10 10:00:00 AM UTC 2026", "2026-01-10T10:00:00+00:00"),
        ("Sat Jan 10 2026 10:00:00", "2026-01-10T10:00:00"),
        (
            "Sat Jan 10 2026 10:00:00 GMT+0100 (Central European Standard Time)",
            "2026-01-10T10:00:00+01:00",
        ),
        ("Sat, 10 Jan 2026 10:00:00 +0000", "2026-01-10T10:00:00+00:00"),
        ("Sat 10 Jan 2026 10:00:00 PM UTC", "2026-01-10T22:00:00+00:00"),
        ("Jan 10 2026\x0010:00:00", "2026-01-10T10:00:00"),
        ("January 10th, 2026 at 10:00", "2026-01-10T10:00:00"),
        ("10-Jan-2026 10:00", "2026-01-10T10:00:00"),
        ("10:00:00, 10 Jan 2026", "2026-01-10T10:00:00"),
        ("2026-01-10T10:00:00Z", "2026-01-10T10:00:00+00:00"),
        ("2026-01-10T10:00:00.138044563-05:00", "2026-01-10T10:00:00-05:00"),
        ("2026-01-10 10:00+0000", "2026-01-10T10:00:00+00:00"),
        ("2026:01:10 10:00:00", "2026-01-10T10:00:00"),
        ("1/15/2026 10:00:00", "2026-01-15T10:00:00"),
        ("D:20260110100000+01'00'", "2026-01-10T10:00:00+01:00"),
        ("20260110100000", "2026-01-10T10:00:00"),
        ("20260110T100000Z", "2026-01-10T10:00:00+00:00"),
    ],
)
def test_a_day_with_a_time_is_strong(text: str, value: str) -> None:
    (token,) = times(text)
    assert (token.start, token.end, token.value, token.weak) == (0, len(text), value, False)


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("Built on 2026-01-10.", False),
        ("build date: 20260110", False),
        ("Last updated: January 10, 2026", False),
        ("2026-01-10", True),
        ("20260110", True),
        ("202601101000", True),
        ("version 2026-01-10", True),
        ("Build of API 2014-02-01", True),
        ("built with schema 2020-12-11", True),
        ("created http://www.w3.org/2000/09/10/x", True),
        ("version date: 2026.01.10", True),
        ("date: 2026-01-10 00:00:00", False),
        ("at 2026-01-10 00:00:00", True),
        ("Released January 2026", True),
        ("Jan 10 10:00:00 host", True),
        ("10:00:00", True),
        ("Not After : Jan 10 10:00:00 2026", True),
        ("expires=2026-01-10T10:00:00Z", True),
    ],
)
def test_what_is_strong(text: str, weak: bool) -> None:
    assert [token.weak for token in times(text)] == [weak]


@pytest.mark.parametrize(
    "text",
    [
        "Sun Jan 10 10:00:00 UTC 2026",  # it was a Saturday
        "2026-13-10 ",
        "2026-02-30 10:00:00",
        "1.2026-01-10",
        "12.01.2026.3",
        "20240101-1",
        "20240101.1",
        "v20240101",
        "0x20240101",
        "2024.1.0",
        "12345678901234567890",
        "99:00:00",
        "Mayor 2026",
        "fe80:10:00:00:1",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert [token for token in times(text) if ":" not in token.form or "%Y" in token.form] == []


def test_an_unknown_zone_is_text() -> None:
    assert not _claims("at 10:00:00 DEBUG 2026\n", "at 12:00:00 BUILD 2026\n")


@pytest.mark.parametrize(
    ("text", "weak"),
    [
        ("SOURCE_DATE_EPOCH=1768039200", False),
        ('"builtAt": 1768039200053,', False),
        ("built at 1768039200", False),
        ("Bnd-LastModified: 1768039200000", False),
        ("timestamp_ms=1768039200000", False),
        ("stamp=1768039200000000000", False),
        ("build=1768039200", False),
        ("id 1768039200", True),
        ("update_id: 1768039200", True),
        ("timeout=1768039200", True),
        ("uptime 1768039200", True),
        ("expiresAt=1768039200", True),
        ("run 1768039200", True),
    ],
)
def test_numbers_of_seconds(text: str, weak: bool) -> None:
    assert [token.weak for token in epoch_numbers(text)] == [weak]


@pytest.mark.parametrize(
    "text",
    ["0768039200", "9768039200", "17680392001", "1768039200-1", "a1768039200", "1.1768039200"],
)
def test_numbers_that_are_no_seconds(text: str) -> None:
    assert list(epoch_numbers(text)) == []


@pytest.mark.parametrize("name", ["builtAt", "buildTime", "lastModified", "html/meta[dc.created]"])
def test_names_of_times(name: str) -> None:
    assert NAMED.search(name)
    assert _claims('"2026-01-10"', '"2026-03-15"', "json.value", where=(name,)) == [
        ("timestamp-in-text", "")
    ]


@pytest.mark.parametrize(
    "name", ["expiresAt", "apiDate", "candidate", "validFrom", "run_id", "since"]
)
def test_names_that_are_none(name: str) -> None:
    assert not NAMED.search(name)
    assert _claims('"2026-01-10"', '"2026-03-15"', "json.value", where=(name,)) == [
        ("timestamp-in-text", "anchor")
    ]


@pytest.mark.parametrize(
    "kind",
    [
        "pyc.source_size",
        "zip.size",
        "x509.not_after",
        "tzif.zone",
        "pgp.key_expiration_time",
        "elf.symbol.st_value",
        "ext.superblock.blocks",
    ],
)
def test_fields_that_say_something_else(kind: str) -> None:
    assert not _claims("1768039200", "1773578096", kind)
    assert not _claims("2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z", kind)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2026-01-10 fixes\n", "2026-03-15 more\n"),
        ("* Sat Jan 10 2026 A <a@x> - 1.0\n", "* Sun Mar 15 2026 A <a@x> - 1.1\n"),
        ("2026-01-10 10:00:00\n", "2026-03-15T12:34:56\n"),
        ("2026-01-10 10:00:00 x=1768039200\n", "2026-03-15 12:34:56 x=9999999999\n"),
        ("size 1768039200 built 2026-01-10 10:00:00\n", "size 42 built 2026-03-15 12:34:56\n"),
        ("10:00:00.5\n", "ten\n"),
        ("2026-01-10 10:00:00 2026-01-10 10:00:00\n", "2026-03-15 12:34:56\n"),
    ],
)
def test_one_more_change_stays(a: str, b: str) -> None:
    assert not _claims(a, b)


def test_zones() -> None:
    same = "at 2026-01-10 10:00:00 +0000\n", "at 2026-01-10 11:00:00 +0100\n"
    assert _claims(*same) == [("timezone-in-text", "")]
    other = "at 2026-01-10 10:00:00 +0000\n", "at 2026-01-10 11:00:01 +0100\n"
    assert _claims(*other) == [("timestamp-in-text", "")]
    local = "Sat Jan 10 10:00:07 2026\n", "Sat Jan 10 15:30:07 2026\n"
    assert _claims(*local) == [("timezone-in-text", "")]
    nightly = "Sat Jan 10 10:00:07 2026\n", "Sun Jan 11 10:00:07 2026\n"
    assert _claims(*nightly) == [("timestamp-in-text", "")]
    assert not _claims("x 2026-01-10 10:00:00 +0000 1\n", "x 2026-01-10 11:00:00 +0100 2\n")


def test_languages() -> None:
    assert [token.value for token in dates("Samstag, 10. Januar 2026")] == [
        "2026-01-10T00:00:00/de"
    ]
    assert list(dates("Sonntag, 10. Januar 2026")) == []
    assert [token.start for token in dates("le 10 janvier 2026")] == [3]
    written = "Sat Jan 10 10:00:00 2026\n", "Sa 10 Jan 2026 10:00:00 UTC\n"
    assert _claims(*written) == [("locale-translated-text", "")]
    assert not _claims(written[0], written[1].replace(":00 ", ":01 "))
    assert not _claims(written[0], written[1].replace("Sa", "So"))
    assert _claims("10 January 2026\n", "10 janvier 2026\n") == [("locale-translated-text", "")]
    assert not _claims("10 January 2026\n", "11 janvier 2026\n")
    assert not _claims("10 January 2026 ja\n", "10 janvier 2026 oui\n")


def test_it_is_fast() -> None:
    """10,000 lines with a time each: no pass over all for each form, and no square of them."""
    text = "".join(f"2026-01-{1 + n % 28:02} 10:{n % 60:02}:00 item {n}\n" for n in range(10_000))
    start = time.process_time()
    assert len(list(times(text))) == 10_000
    assert time.process_time() - start < 2
    start = time.process_time()
    assert list(times("".join(f"    value = function({n}, 'text')\n" for n in range(10_000)))) == []
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Tests completed in 64537us", "Tests completed in 64870us"),
        ("Ran 3 tests in 0.004s", "Ran 3 tests in 0.005s"),
        ("==== 3 passed in 0.12s ====", "==== 3 passed in 0.14s ===="),
        ("real\t0m0.512s", "real\t1m2.498s"),
        ("took 1.2 s", "took 950 ms"),
        ("    Finished release [optimized] target(s) in 3.45s", None),
        ("compiled successfully in 812 ms", "compiled successfully in 790 ms"),
        ("Elapsed: 12.5 seconds", "Elapsed: 12.75 seconds"),
    ],
)
def test_how_long_something_took(a: str, b: str | None) -> None:
    b = b or a.replace("3.45", "13.5")
    found = _claims(f"{a}\n", f"{b}\n", path="build.log")
    assert set(found) == {("captures-execution-time", "")}


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ("timeout = 30s", "timeout = 40s", "o.txt"),
        ("timeout = 1.5s", "timeout = 2.5s", "o.txt"),
        ("retry in 5s", "retry in 6s", "o.txt"),
        ("failed, retry in 1.5s", "failed, retry in 2.5s", "o.txt"),
        ("failed to connect again in 1.5s", "failed to connect again in 2.5s", "o.txt"),
        ("must be completed in 1.5s", "must be completed in 2.5s", "o.txt"),
        ("if not finished in 500ms", "if not finished in 600ms", "o.txt"),
        ("completed in 30", "completed in 31", "o.txt"),  # no unit
        ("completed in 30s", "completed in 60s", "o.txt"),  # nothing that a clock measured
        ("duration: 1.5s", "duration: 2.5s", "o.txt"),
        ("took 1.2 s", "took 1.3 s", "README.md"),
        ("Tests completed in 64537us", "Tests failed in 64870us", "o.txt"),
        ("Ran 3 tests in 0.004s", "Ran 4 tests in 0.005s", "o.txt"),
    ],
)
def test_a_span_of_time_that_somebody_chose(a: str, b: str, path: str) -> None:
    assert _claims(f"{a}\n", f"{b}\n", path=path) == []
