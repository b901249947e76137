"""The pages of causes are those of the code, and each can be asked for."""

import pytest

from sxdiff.causes.catalogue import CAUSES, SUSPICIONS
from sxdiff.causes.page import contents, nearest, pages
from sxdiff.cli import main
from tests import causes_page


def test_the_pages_are_not_stale() -> None:
    """`./dev reports` writes them anew."""
    written = {path.name: path.read_text("utf-8") for path in causes_page.FOLDER.glob("*.md")}
    assert written == causes_page.pages()


@pytest.mark.parametrize(
    "name", sorted({one.id for one in CAUSES} | {one.id for one in SUSPICIONS})
)
def test_every_id_has_a_page(name: str) -> None:
    told = "\n".join(pages(name))
    assert f"`{name}`" in told
    assert "**What" in told


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


def test_what_no_cause_is_called_ends_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, error = explained(capsys, "tar-mtimes")
    assert (code, out) == (2, "")
    assert "tar-mtime" in error
    assert nearest("zzzzzzzzzzzzzz") == []
