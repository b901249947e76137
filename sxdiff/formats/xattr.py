"""Extended attributes in a tar header: who writes them how, and what the known ones say.

Sources: star(5) and libarchive's tar(5) for the PAX records; capability.h and posix_acl_xattr.h
of Linux for `security.capability` and `system.posix_acl_*`.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping

from sxdiff.model import bytes_of, text_of

STAR, LIBARCHIVE = "SCHILY.xattr.", "LIBARCHIVE.xattr."
ACL_KEYS: Mapping[str, str] = {
    "SCHILY.acl.access": "system.posix_acl_access",
    "SCHILY.acl.default": "system.posix_acl_default",
    "SCHILY.acl.ace": "",
}
"""ACLs that tar keeps as text, and the attribute that says the same ("" where none does)."""
_URL_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def xattrs(records: Mapping[str, bytes], mode: int) -> tuple[tuple[str, bytes], ...]:
    """Extended attributes, then ACLs that are kept as text, by name.

    libarchive writes each attribute twice: as star does, and in records of its own, in base64 and
    with the name escaped as in a URL. Only where star's record lacks does its own count.
    """
    found: dict[str, bytes] = {}
    for key, content in records.items():
        if key.startswith(STAR):
            found[key[len(STAR) :]] = content
    for key, content in records.items():
        bare = key.removeprefix(LIBARCHIVE)
        if bare != key and STAR + bare not in records:
            found.setdefault(*libarchive_xattr(key, content))
    acls = []
    for key, content in records.items():
        name = ACL_KEYS.get(key)
        if name is None or name in found:
            continue
        binary = acl_binary(content) if name else None
        if binary is None:
            acls.append((key, content))
        elif binary != _acl_of_mode(mode) or not name.endswith("_access"):
            found[name] = binary
    return (*sorted(found.items()), *sorted(acls))


def libarchive_xattr(key: str, content: bytes) -> tuple[str, bytes]:
    escaped = bytes_of(key[len(LIBARCHIVE) :])
    name = text_of(_URL_ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), escaped))
    try:
        return name, a2b_base64(content + b"=" * (-len(content) % 4))
    except Base64Error:
        return name, content


_CAPABILITIES = (  # noqa: SIM905 - the bits in their order, as capability.h lists them
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
    "net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio "
    "sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time "
    "sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog "
    "wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
).split()


def capability_text(value: bytes) -> str:
    """security.capability (struct vfs_cap_data, revisions 1 to 3) in getcap's notation."""
    words = [int.from_bytes(value[i : i + 4], "little") for i in range(0, len(value) - 3, 4)]
    revision = words[0] >> 24 if words else 0
    lengths = {1: 3, 2: 5, 3: 6}
    if len(value) != 4 * lengths.get(revision, -1):
        return value.hex()
    effective = words[0] & 1
    permitted = words[1] | (words[3] << 32 if revision > 1 else 0)
    inheritable = words[2] | (words[4] << 32 if revision > 1 else 0)
    groups: dict[str, list[str]] = {}
    for bit in range(64):
        flags = ("e" if effective else "") * bool((permitted | inheritable) >> bit & 1)
        flags += "i" * (inheritable >> bit & 1) + "p" * (permitted >> bit & 1)
        if flags:
            known = bit < len(_CAPABILITIES)
            name = f"cap_{_CAPABILITIES[bit]}" if known else f"cap_{bit}"
            groups.setdefault(flags, []).append(name)
    said = " ".join(f"{','.join(names)}={flags}" for flags, names in groups.items()) or "="
    return said + (f" rootid={words[5]}" if revision == 3 else "")


_ACL_TAGS = {1: "user:", 2: "user:{}", 4: "group:", 8: "group:{}", 16: "mask:", 32: "other:"}


_ACL_ENTRY = re.compile(
    rb"(u|user|g|group|m|mask|o|other):([^:]*):([r-][w-][x-])(?::([0-9]{1,10}))?\Z"
)


def acl_binary(text: bytes) -> bytes | None:
    """An ACL that star or GNU tar wrote as text, as the kernel's xattr has it.

    None where an entry is not understood, or names a user or group without a number.
    """
    entries = []
    for line in re.split(rb"[,\n]", text):
        entry = line.partition(b"#")[0].strip()
        if not entry:
            continue
        found = _ACL_ENTRY.match(entry)
        if not found:
            return None
        letter, qualifier = found[1][:1], found[4] or found[2]
        if found[2] and (not qualifier.isdigit() or len(qualifier) > 10):
            return None
        tag = {b"u": 1, b"g": 4, b"m": 16, b"o": 32}[letter] << bool(found[2])
        identity = int(qualifier) if found[2] else 0xFFFFFFFF
        bits = sum(bit for right, bit in zip(found[3], (4, 2, 1), strict=True) if right != 0x2D)
        if identity > 0xFFFFFFFF:
            return None
        entries.append((tag, identity, bits))
    packed = [
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + identity.to_bytes(4, "little")
        for tag, identity, bits in sorted(entries)
    ]
    return b"\2\0\0\0" + b"".join(packed)


def _acl_of_mode(mode: int) -> bytes:
    """The basic ACL, which says what the mode says and is no attribute of its own."""
    said = [b"ugo"[i : i + 1] + b"::" + _RIGHTS[mode >> 6 - 3 * i & 7] for i in range(3)]
    return acl_binary(b",".join(said)) or b""


_RIGHTS = tuple(
    bytes(c if bits & m else 0x2D for c, m in zip(b"rwx", (4, 2, 1), strict=True))
    for bits in range(8)
)


def acl_text(value: bytes) -> str:
    """system.posix_acl_* (version 2, little endian entries) in getfacl's short notation."""
    if len(value) % 8 != 4 or value[:4] != b"\2\0\0\0":
        return value.hex()
    entries = []
    for at in range(4, len(value), 8):
        tag = int.from_bytes(value[at : at + 2], "little")
        bits = int.from_bytes(value[at + 2 : at + 4], "little")
        identity = int.from_bytes(value[at + 4 : at + 8], "little")
        if tag not in _ACL_TAGS or bits > 7:
            return value.hex()
        rights = "".join(c if bits & m else "-" for c, m in zip("rwx", (4, 2, 1), strict=True))
        entries.append(f"{_ACL_TAGS[tag].format(identity)}:{rights}")
    return ",".join(entries)


def xattr_value(name: str, value: bytes) -> str:
    """An extended attribute as the report says it: decoded, as text, else as hexadecimal."""
    if name == "security.capability":
        return capability_text(value)
    if name.startswith("system.posix_acl_"):
        return acl_text(value)
    if name.startswith("SCHILY.acl."):
        return ",".join(text_of(value).split())
    stripped = value.rstrip(b"\0") if value.count(b"\0") == 1 else value
    return text_of(stripped) if stripped.decode(errors="replace").isprintable() else value.hex()
