"""docs/limits.md: the bounds on work, written from `Limits` itself.

`python -m tests.limits_page` writes it anew; tests/hostile/test_limits.py fails where it is stale.
"""

from pathlib import Path

from sxdiff.cli.limits import meanings, size, usual

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
_HEAD = """# Limits

Written from the code by `./dev reports`; do not edit. Images of 10 GB and of 1,000,000 files meet
none of these. `--limit NAME=N` changes one for a run, and so does `[limits]` of a policy file; a
size may have a unit (`2GiB`, `500MB`). The report's `options` tell the ones that are not as here.
Reaching one is never silent: there is no verdict (exit code 2, one line), or there is one, and
`problems` of the report say what was left out.

| limit | default | what is bounded, and what comes of reaching it |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    told = meanings()
    rows = [
        f"| `{name}` | {size(name, value)} | {told[name]} |\n" for name, value in usual().items()
    ]
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
