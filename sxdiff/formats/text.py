"""Whether a stream is text, and in which encoding. Text is a leaf, so this is no `Format`."""

import codecs

from sxdiff.model import Blob

CHUNK = 1 << 20
UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
BYTES = frozenset({"ascii", "utf-8", "8-bit"})
"""Encodings whose lines end in the one byte 0a, so that bytes can be shown as they are."""

# C0 controls that no text has; tab, line ends, form feed, backspace (man pages) and escape
# (terminal colours) are met in texts
_CONTROLS = bytes(set(range(32)) - set(b"\b\t\n\v\f\r\x1b")) + b"\x7f"
_PRINTABLE = bytes(range(32, 127)) + b"\t\n\v\f\r"


def encoding_of(blob: Blob) -> str | None:
    """`ascii`, `utf-8`, `utf-16-le`, `utf-16-be` (with byte order mark), `8-bit`, or None.

    8-bit is a text of some older encoding: no control characters, mostly printable ASCII.
    Reads the stream once; an empty stream is text.
    """
    wide = UTF_16.get(blob.read(0, 2))
    if wide:
        return wide if _decodes(blob, wide) else None
    plain = utf_8 = True
    printable = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    for at in range(0, blob.size, CHUNK):
        chunk = blob.read(at, CHUNK)
        if len(chunk.translate(None, _CONTROLS)) != len(chunk):
            return None
        if chunk.isascii() and not decoder.getstate()[0]:
            printable += len(chunk)
            continue
        plain = False
        printable += len(chunk) - len(chunk.translate(None, _PRINTABLE))
        utf_8 = utf_8 and _accepts(decoder, chunk)
    if plain:
        return "ascii"
    if utf_8 and _accepts(decoder, b"", final=True):
        return "utf-8"
    return "8-bit" if printable * 10 >= blob.size * 7 else None


def _decodes(blob: Blob, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    chunks = (blob.read(at, CHUNK) for at in range(0, blob.size, CHUNK))
    try:
        if any("\0" in decoder.decode(chunk) for chunk in chunks):
            return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _accepts(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True
