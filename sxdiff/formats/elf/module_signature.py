"""What `sign-file` appends to a kernel module: its signature, behind the last section.

Source: Linux, `include/linux/module_signature.h` and `kernel/module_signature.c`.
"""

from collections.abc import Iterator

from sxdiff.formats.record import Field, Record, named
from sxdiff.model import Blob, Fact, FormatError, Member, text_of

MAGIC = b"~Module signature appended~\n"
ID_TYPES = {0: "PGP", 1: "X.509", 2: "PKCS#7"}
RECORD = Record(
    "elf.module_signature",
    ">",
    (
        Field("algo", "B"),
        Field("hash", "B"),
        Field("id_type", "B", named(ID_TYPES)),
        Field("signer_len", "B", derived=True),
        Field("key_id_len", "B", derived=True),
        Field("pad", "3s"),
        Field("sig_len", "I", derived=True),
    ),
)


def module_signature(blob: Blob) -> Iterator[Fact | Member]:
    """The signature, signer and key of a module that is signed; nothing for another file."""
    end = blob.size - len(MAGIC) - RECORD.size
    if end < 0 or blob.read(end + RECORD.size) != MAGIC:
        return
    name = "module signature"
    sizes = {
        field: RECORD.number(blob, end, field) for field in ("signer_len", "key_id_len", "sig_len")
    }
    start = end - sum(sizes.values())
    try:
        blob.part(start, sum(sizes.values()))
    except FormatError:
        return  # the bytes are told as what no section holds
    at = start
    for field, label in (("signer_len", "signer"), ("key_id_len", "key_id")):
        if sizes[field]:
            told = text_of(blob.part(at, sizes[field]).read())
            yield Fact(f"elf.module_signature.{label}", told, (at, sizes[field]), name)
            at += sizes[field]
    if sizes["sig_len"]:
        content = blob.part(at, sizes["sig_len"])
        kind = "elf.module_signature.content"
        yield Member(name, content, (at, sizes["sig_len"]), kind)
    yield from RECORD.facts(blob, end, name)
    yield Fact("elf.module_signature.magic", text_of(MAGIC), (end + RECORD.size, len(MAGIC)), name)
