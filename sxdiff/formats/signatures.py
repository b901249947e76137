"""Names of formats that sxdiff does not look into, by their first bytes.

A difference in such a file is told in bytes, and the report says what it is. The table is our
own, not that of libmagic: a report must not depend on which version of it a machine has.
"""

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    # offset, bytes, name
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mp4"),
    (0, b"MThd", "midi"),
    (0, b"XFSB", "xfs"),
    (0, b"LUKS\xba\xbe", "luks"),
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"UBI#", "ubi"),
    (0, b"\x31\x18\x10\x06", "ubifs"),
    (1024, b"\x10\x20\xf5\xf2", "f2fs"),
    (512, b"LABELONE", "lvm2"),
    (512, b"EFI PART", "gpt"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole2"),
    (0, b"AT&TFORM", "djvu"),
    (0, b"Rar!\x1a\x07", "rar"),
    (0, b"\x89LZO\x00\x0d\x0a\x1a\x0a", "lzop"),
    (0, b"\x1f\x9d", "compress"),
    (0, b"LRZI", "lrzip"),
    (0, b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (0, b"\x72\xb5\x4a\x86", "psf2"),
    (0, b"\x01fcp", "pcf"),
    (0, b"PAR1", "parquet"),
    (0, b"ORC", "orc"),
    (0, b"Obj\x01", "avro"),
    (0, b"ARROW1", "arrow"),
    (0, b"LPKSHHRH", "systemd_journal"),
    (36, b"acsp", "icc"),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", "windows_shortcut"),
    (0, b"\xe2\x9c\xa8\x0e", "swift_module"),
    (0, b"BLENDER", "blender"),
    (0, b"\x00\x00\x00\x0cjP  ", "jpeg2000"),
    (0, b"gimp xcf ", "xcf"),
    (0, b"8BPS", "photoshop"),
)


def signature(head: bytes) -> str | None:
    """The name of a format that is only known by name, or None."""
    return next((name for at, magic, name in _SIGNATURES if head.startswith(magic, at)), None)
