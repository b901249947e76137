"""Linux kernels for x86 (bzImage): setup header, version, and the packed kernel inside.

Source: Linux' Documentation/arch/x86/boot.rst ("The Real-Mode Kernel Header", "Details of Header
Fields", "The Image Checksum"). Where it has an EFI stub it is a portable executable too.
"""

from collections.abc import Iterator

from sxdiff.formats.compression.gzip import MAGIC as GZIP
from sxdiff.formats.digest import crc32_of
from sxdiff.formats.executables.pe import COFF, DOS, OPTIONALS
from sxdiff.formats.record import Field, Record, hexadecimal
from sxdiff.model import Blob, Fact, FormatError, Inside, Limits, Member, text_of

BOOT_FLAG, BOOT_FLAG_AT = b"\x55\xaa", 0x1FE
SIGNATURE, SIGNATURE_AT = b"HdrS", 0x202
START = 0x1F1
SECTOR = 512
SETUP = Record(
    "vmlinuz",
    "<",
    (
        Field("setup_sects", "B", derived=True),
        Field("root_flags", "H"),
        Field("syssize", "I", derived=True),
        Field("ram_size", "H"),
        Field("vid_mode", "H"),
        Field("root_dev", "H"),
        Field("boot_flag", "H", hexadecimal),
        Field("jump", "H", hexadecimal, derived=True),
        Field("header", "4s"),
        Field("version", "H", hexadecimal),
        Field("realmode_swtch", "I"),
        Field("start_sys_seg", "H"),
        Field("kernel_version", "H", derived=True),
        Field("type_of_loader", "B"),
        Field("loadflags", "B", hexadecimal),
        Field("setup_move_size", "H"),
        Field("code32_start", "I", hexadecimal),
        Field("ramdisk_image", "I"),
        Field("ramdisk_size", "I"),
        Field("bootsect_kludge", "I"),
        Field("heap_end_ptr", "H", derived=True),
        Field("ext_loader_ver", "B"),
        Field("ext_loader_type", "B"),
        Field("cmd_line_ptr", "I"),
        Field("initrd_addr_max", "I", hexadecimal),
        Field("kernel_alignment", "I", hexadecimal),
        Field("relocatable_kernel", "B"),
        Field("min_alignment", "B"),
        Field("xloadflags", "H", hexadecimal),
        Field("cmdline_size", "I"),
        Field("hardware_subarch", "I"),
        Field("hardware_subarch_data", "Q"),
        Field("payload_offset", "I", derived=True),
        Field("payload_length", "I", derived=True),
        Field("setup_data", "Q"),
        Field("pref_address", "Q", hexadecimal),
        Field("init_size", "I", derived=True),
        Field("handover_offset", "I", derived=True),
    ),
)
OLDEST = 0x20B
"""The first protocol version that has all these fields (Linux 3.6)."""
LONGEST_VERSION = 1024


class Vmlinuz:
    """Setup header and version as facts; the payload as a stream of its own."""

    name = "vmlinuz"

    def recognises(self, head: bytes) -> bool:
        """Boot flag, signature of the header, and a protocol that says where the payload is."""
        known = head[BOOT_FLAG_AT:SIGNATURE_AT][:2] == BOOT_FLAG
        known = known and head[SIGNATURE_AT : SIGNATURE_AT + 4] == SIGNATURE
        return known and int.from_bytes(head[0x206:0x208], "little") >= OLDEST

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Boot sector, setup, then the protected-mode kernel with its payload."""
        yield Member(
            "boot sector",
            blob.part(0, START),
            (0, START),
            "vmlinuz.code",
            inside=Inside("pe", _efi_headers),
        )
        setup = SETUP.read(blob, START)
        if setup["header"] != SIGNATURE:
            raise FormatError("no setup header", SIGNATURE_AT)
        kernel = (int(setup["setup_sects"] or 4) + 1) * SECTOR
        size = kernel - START
        # a part, so that the check sum follows from a version in it
        yield Member(
            "setup",
            blob.part(START, size),
            (START, size),
            "vmlinuz.setup",
            inside=Inside("vmlinuz", _setup),
        )
        payload, length = kernel + int(setup["payload_offset"]), int(setup["payload_length"])
        if payload < kernel or length < 4:
            raise FormatError("no payload", START)
        content = blob.part(payload, length)
        yield _code(blob, "decompressor", kernel, payload)
        # gzip ends with the unpacked size itself; behind other streams it is appended
        size = length if content.read(0, 3) == GZIP else length - 4
        yield Member("payload", content.part(0, size), (payload, size), "vmlinuz.payload")
        if size < length:
            raw = content.read(size)
            unpacked = int.from_bytes(raw, "little")
            yield Fact("vmlinuz.unpacked_size", unpacked, (payload + size, 4), derived=True)
        end = kernel + 16 * int(setup["syssize"])
        at = payload + length
        if at + 4 <= end <= blob.size:
            yield _code(blob, "code behind the payload", at, end - 4)
            crc = int.from_bytes(blob.read(end - 4, 4), "little")
            # of all before it, without the last step
            right = crc32_of(blob.part(0, end - 4)) ^ 0xFFFFFFFF == crc
            yield Fact("vmlinuz.crc32", f"{crc:08x}", (end - 4, 4), derived=right)
            at = end
        yield _code(blob, "trailing", at, blob.size)


def _setup(blob: Blob) -> Iterator[Fact | Member]:
    """The setup header, and the setup code with the version in it."""
    yield from SETUP.facts(blob, 0)
    version = SETUP.number(blob, 0, "kernel_version") + SECTOR - START
    if not SETUP.size <= version < blob.size:
        yield _code(blob, "setup code", SETUP.size, blob.size)
        return
    raw, end, _ = blob.read(version, LONGEST_VERSION).partition(b"\0")
    size = len(raw) + len(end)
    yield _code(blob, "setup code", SETUP.size, version)
    yield Fact("vmlinuz.version_text", text_of(raw), (version, size))
    yield _code(blob, "setup code behind the version", version + size, blob.size)


def _efi_headers(blob: Blob) -> Iterator[Fact | Member]:
    """The headers of the EFI stub, as far as they lie in the boot sector."""
    at = DOS.number(blob, 0, "pe_offset")
    if blob.read(0, 2) != b"MZ" or blob.read(at, 4) != b"PE\0\0":
        yield Member("code", blob, (0, blob.size), "vmlinuz.code", opaque=True)
        return
    yield from COFF.facts(blob, at)
    at += COFF.size
    optional = OPTIONALS.get(int.from_bytes(blob.read(at, 2), "little"))
    if optional and at + optional.size <= blob.size:
        yield from optional.facts(blob, at)


def _code(blob: Blob, name: str, start: int, end: int) -> Member:
    size = end - start
    return Member(name, blob.part(start, size), (start, size), "vmlinuz.code", opaque=True)
