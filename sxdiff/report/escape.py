"""One way to show text of an image to a person: no character acts, every character is seen.

Terminal and HTML share it. An image chooses its file names and contents; left alone, a control
character could rewrite the terminal and a bidirectional override could make `exe.txt` of
`txt.exe`.
"""

import re

# Marks that print as nothing although Unicode files them under letters, symbols or accents.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def escape(text: str) -> str:
    """The text with everything but plain visible characters and the space as `\\u{HEX}`.

    Control, format (the bidirectional ones among them), private, unassigned and lone surrogate
    characters, line and paragraph separators and all spaces but U+0020 are escaped, and the
    backslash of a text that already reads like an escape, so that two different texts never
    look alike because of it.
    """
    if text.isprintable() and (text.isascii() or not _INVISIBLE.search(text)):
        return text.replace("\\u{", "\\u{5c}u{") if "\\u{" in text else text
    text = text.replace("\\u{", "\\u{5c}u{")
    return "".join(
        one if one.isprintable() and not _INVISIBLE.match(one) else f"\\u{{{ord(one):x}}}"
        for one in text
    )


_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)")


def inert(line: str) -> str:
    """An escaped line that the log of a forge's actions takes for no command: such a log obeys
    `::COMMAND` at the start of a line, behind spaces too, and `##[COMMAND]` anywhere in it."""
    if "::" not in line and "##[" not in line:
        return line
    return _COMMAND.sub(lambda found: (found[1] or "") + f"\\u{{{ord(found[0][-1]):x}}}", line)
