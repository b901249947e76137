"""The pages of causes are those of the code, and each can be asked for."""

import subprocess
import sys

import pytest

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.page import contents, escaped, ids, markdown, nearest, parts, screen
from sxdiff.cli import main
from tests import causes_page


def test_the_pages_are_not_stale() -> None:
    """`./dev reports` writes them anew."""
    written = {path.name: path.read_text("utf-8") for path in causes_page.FOLDER.glob("*.md")}
    assert written == causes_page.pages()


@pytest.mark.parametrize("name", ids())
def test_every_id_has_a_page(name: str) -> None:
    for told in (markdown(parts(name)), screen(parts(name))):
        assert f"`{name}`" in told
        assert "What to change" in told or "What would show it" in told


def test_a_page_says_all_that_is_known() -> None:
    for cause in CAUSES:
        told = screen(parts(cause.id), 10_000)
        assert told.count(cause.why) == 1
        assert all(fix.text in told for fix in cause.fixes)
        assert all(link in told for link in cause.references)
        assert cause.example.kind in told
        assert cause.near_miss.kind in told
    for suspicion in SUSPICIONS:
        assert suspicion.proof[1:] in screen(parts(suspicion.id), 10_000)


@pytest.mark.parametrize("name", ids())
def test_nothing_but_what_gets_copied_is_wider_than_the_screen(name: str) -> None:
    copied = [part.text for part in parts(name) if part.role in ("code", "link")]
    for line in screen(parts(name), 80).splitlines():
        assert line.isprintable()
        wide = len(line) > 80 and len(line.removeprefix("  - ").split()) > 1
        assert not wide or any(line.strip() in one for one in copied)


def test_markdown_shows_texts_as_they_are() -> None:
    told = escaped("-D__DATE__ in <manifest>, *.o | `a_b<c>`")
    assert told == r"-D\_\_DATE\_\_ in \<manifest\>, \*.o \| `a_b<c>`"


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["explain", *words])
    out, error = capsys.readouterr()
    return ended.value.code, out, error


def test_explain_prints_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = explained(capsys, "tar-mtime")
    assert code == 0
    assert "What to change" in out
    assert "--mtime" in out


def test_explain_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = explained(capsys)
    assert (code, out) == (0, contents())
    assert [name for name in ids() if f"  {name} " not in out] == []


def test_what_no_cause_is_called_ends_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, error = explained(capsys, "tar-mtimes")
    assert (code, out) == (2, "")
    assert "tar-mtime" in error
    assert nearest("zzzzzzzzzzzzzz") == []


def test_a_name_from_elsewhere_does_nothing_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, error = explained(capsys, "\x1b[2J\u202e")
    assert (code, out) == (2, "")
    assert error.strip().isprintable()


@pytest.mark.parametrize("words", [["a", "b"], ["--text", "r.txt"], ["--json"]], ids=" ".join)
def test_what_is_not_asked_so_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, out, error = explained(capsys, *words)
    assert (code, out) == (2, "")
    assert "Error: " in error


def test_explain_loads_nothing_that_looks_into_images() -> None:
    program = (
        "import sys\nfrom sxdiff.cli import main\ntry:\n    main(['explain', 'tar-mtime'])\n"
        "except SystemExit:\n    pass\n"
        "assert not {'jinja2', 'sqlite3', 'elftools', 'sxdiff.run'} & {*sys.modules}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def test_a_reader_that_leaves_early_changes_nothing() -> None:
    command = [sys.executable, "-m", "sxdiff", "explain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
