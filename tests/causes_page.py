"""docs/causes/: a page for each family of causes, written from the causes themselves.

`python -m tests.causes_page` writes them anew; a test (test_causes_page.py) fails where one is
stale.
"""

from pathlib import Path

from sxdiff.causes.catalogue import SUSPICIONS
from sxdiff.causes.cause import Cause
from sxdiff.causes.page import escaped, families, markdown, parts_of, suspicion_parts

FOLDER = Path(__file__).parent.parent / "docs" / "causes"
_WRITTEN = "Written from the code by `./dev reports`; do not edit.\n"
_HEAD = f"""# What makes builds differ

{_WRITTEN}
A cause is confirmed only where it is proved: without what it claims, both sides are the same
([how](../decisions/0007-tokens-and-proof.md)). `sxdiff explain ID` prints its page.
"""


def pages() -> dict[str, str]:
    """All pages by their file names."""
    out = {"README.md": _contents()}
    for family, causes in families().items():
        body = "\n".join(markdown(parts_of(one)) for one in causes)
        out[f"{family}.md"] = f"# {_title(family)}\n\n{_WRITTEN}\n{body}"
    body = "\n".join(markdown(suspicion_parts(one)) for one in SUSPICIONS)
    out["suspicions.md"] = f"# Suspicions\n\n{_WRITTEN}\n{body}"
    return out


def _contents() -> str:
    parts = [_HEAD]
    for family, causes in families().items():
        parts.append(
            f"\n## [{_title(family)}]({family}.md)\n\n| cause | what to change |\n| --- | --- |\n"
        )
        parts += [f"| {escaped(one.title)} `{one.id}` | {_cell(one)} |\n" for one, *_ in causes]
    parts.append("\n## [Suspicions](suspicions.md)\n\n")
    parts += [f"- {escaped(one.title)} `{one.id}`\n" for one in SUSPICIONS]
    return "".join(parts)


def _cell(cause: Cause) -> str:
    return escaped(cause.fix_for(""))


def _title(family: str) -> str:
    return family.replace("-", " ").capitalize()


def write() -> None:
    """Writes all pages, and takes away what is no page any more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
