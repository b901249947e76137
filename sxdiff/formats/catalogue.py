"""The formats: each describes one side of a comparison in facts and members, none compares.

A new format is one module with a class like `gzip.Gzip` and its line in `FORMATS`.
"""

from sxdiff.formats.archives.apk import Apk
from sxdiff.formats.archives.ar import Ar
from sxdiff.formats.archives.cab import Cab
from sxdiff.formats.archives.cpio import Cpio
from sxdiff.formats.archives.crx import Crx
from sxdiff.formats.archives.deb import Deb
from sxdiff.formats.archives.lha import Lha
from sxdiff.formats.archives.rar import Rar
from sxdiff.formats.archives.rpm import Rpm
from sxdiff.formats.archives.sevenzip import SevenZip
from sxdiff.formats.archives.tar import Tar
from sxdiff.formats.archives.xar import Xar
from sxdiff.formats.archives.zip import Zip
from sxdiff.formats.bytecode.beam import Beam
from sxdiff.formats.bytecode.elc import Elc
from sxdiff.formats.bytecode.haskell_interface import HaskellInterface
from sxdiff.formats.bytecode.java_class import JavaClass
from sxdiff.formats.bytecode.llvm_bitcode import LlvmBitcode
from sxdiff.formats.bytecode.luac import Luac
from sxdiff.formats.bytecode.ocaml import Ocaml
from sxdiff.formats.bytecode.ppu import Ppu
from sxdiff.formats.bytecode.pyc import Pyc
from sxdiff.formats.bytecode.rmeta import Rmeta
from sxdiff.formats.bytecode.wasm import Wasm
from sxdiff.formats.compression.bzip2 import Bzip2
from sxdiff.formats.compression.gzip import Gzip
from sxdiff.formats.compression.lz4 import Lz4
from sxdiff.formats.compression.lzip import Lzip
from sxdiff.formats.compression.lzma import Lzma
from sxdiff.formats.compression.xz import Xz
from sxdiff.formats.compression.zlib import Zlib
from sxdiff.formats.compression.zstd import Zstd
from sxdiff.formats.data.berkeley_db import BerkeleyDb
from sxdiff.formats.data.fontconfig_cache import FontconfigCache
from sxdiff.formats.data.gcov import Gcov
from sxdiff.formats.data.gdbm import Gdbm
from sxdiff.formats.data.gettext_mo import GettextMo
from sxdiff.formats.data.git_index import GitIndex
from sxdiff.formats.data.git_pack import GitPack, GitPackIndex
from sxdiff.formats.data.gvariant import Gvariant
from sxdiff.formats.data.hdf5 import Hdf5
from sxdiff.formats.data.hwdb import Hwdb
from sxdiff.formats.data.icon_theme_cache import IconThemeCache
from sxdiff.formats.data.java_serialized import JavaSerialized
from sxdiff.formats.data.journal_catalog import JournalCatalog
from sxdiff.formats.data.kmod_index import KmodIndex
from sxdiff.formats.data.ld_so_cache import LdSoCache
from sxdiff.formats.data.ldconfig_aux_cache import LdconfigAuxCache
from sxdiff.formats.data.locale import Locale
from sxdiff.formats.data.mime_cache import MimeCache
from sxdiff.formats.data.numpy import Numpy
from sxdiff.formats.data.pcap import Pcap, Pcapng
from sxdiff.formats.data.pickle import Pickle
from sxdiff.formats.data.r_rdb import RRdb
from sxdiff.formats.data.r_rds import RRds
from sxdiff.formats.data.sqlite import Sqlite
from sxdiff.formats.data.terminfo import Terminfo
from sxdiff.formats.data.tzif import Tzif
from sxdiff.formats.data.utmp import Lastlog, Utmp
from sxdiff.formats.documents.font import Font
from sxdiff.formats.documents.gif import Gif
from sxdiff.formats.documents.icc import Icc
from sxdiff.formats.documents.ico import Ico
from sxdiff.formats.documents.jpeg import Jpeg
from sxdiff.formats.documents.ogg import Ogg
from sxdiff.formats.documents.pdf import Pdf
from sxdiff.formats.documents.png import Png
from sxdiff.formats.documents.riff import Riff
from sxdiff.formats.documents.tiff import Tiff
from sxdiff.formats.elf.file import Elf
from sxdiff.formats.executables.device_tree import DeviceTree
from sxdiff.formats.executables.macho import Macho
from sxdiff.formats.executables.pe import Pe
from sxdiff.formats.executables.uimage import Uimage
from sxdiff.formats.executables.vmlinuz import Vmlinuz
from sxdiff.formats.filesystems.cramfs import Cramfs
from sxdiff.formats.filesystems.erofs import Erofs
from sxdiff.formats.filesystems.ext import Ext
from sxdiff.formats.filesystems.fat import Fat
from sxdiff.formats.filesystems.iso9660 import Iso9660
from sxdiff.formats.filesystems.squashfs import Squashfs
from sxdiff.formats.texts.checksums import Checksums
from sxdiff.formats.texts.ini import Ini
from sxdiff.formats.texts.json import CycloneDx, InToto, Json, Spdx
from sxdiff.formats.texts.stanza import Stanzas
from sxdiff.formats.texts.xml import Xml
from sxdiff.formats.trust.accounts import Accounts
from sxdiff.formats.trust.der import Der
from sxdiff.formats.trust.jks import Jks
from sxdiff.formats.trust.minisign import Minisign
from sxdiff.formats.trust.openssh import OpenSsh
from sxdiff.formats.trust.pem import Pem
from sxdiff.formats.trust.pgp import Pgp
from sxdiff.formats.trust.pkcs import Pkcs7, Pkcs12
from sxdiff.formats.trust.private_key import PrivateKey
from sxdiff.formats.trust.x509 import X509, Request, Revocations
from sxdiff.model import Format

HEAD = 36 << 10
"""Bytes of a stream that `sniff` wants to see; fewer where the stream is shorter. ISO 9660
has its magic number behind 32 KiB."""


FORMATS: tuple[Format, ...] = (
    Elf(),
    Deb(),
    Ar(),
    Lha(),
    Rar(),
    Xar(),
    Cab(),
    SevenZip(),
    Crx(),
    Rpm(),
    Cpio(),
    Tar(),
    Zip(),
    Apk(),
    Gzip(),
    Xz(),
    Bzip2(),
    Zstd(),
    Lz4(),
    Lzip(),
    Squashfs(),
    Iso9660(),
    Ext(),
    Fat(),
    Erofs(),
    Cramfs(),
    Png(),
    Font(),
    Gif(),
    Icc(),
    Ico(),
    Jpeg(),
    Ogg(),
    Riff(),
    Tiff(),
    Sqlite(),
    GettextMo(),
    Pdf(),
    BerkeleyDb(),
    FontconfigCache(),
    Gcov(),
    Gdbm(),
    GitIndex(),
    GitPack(),
    GitPackIndex(),
    Gvariant(),
    Hdf5(),
    Hwdb(),
    IconThemeCache(),
    JavaSerialized(),
    JournalCatalog(),
    KmodIndex(),
    LdSoCache(),
    LdconfigAuxCache(),
    Locale(),
    MimeCache(),
    Numpy(),
    Pcap(),
    Pcapng(),
    RRdb(),
    RRds(),
    Terminfo(),
    Tzif(),
    Lastlog(),
    Utmp(),
    Pem(),
    PrivateKey(),
    X509(),
    Request(),
    Revocations(),
    Pkcs7(),
    Pkcs12(),
    Jks(),
    Minisign(),
    Accounts(),
    Pyc(),
    Der(),
    Pgp(),
    Lzma(),
    Zlib(),
    JavaClass(),
    Wasm(),
    Beam(),
    Elc(),
    Luac(),
    Ocaml(),
    Ppu(),
    LlvmBitcode(),
    HaskellInterface(),
    Rmeta(),
    Vmlinuz(),
    Pe(),
    Macho(),
    Uimage(),
    DeviceTree(),
    Pickle(),
)

TEXTS: tuple[Format, ...] = (
    Spdx(),
    CycloneDx(),
    InToto(),
    Json(),
    OpenSsh(),
    Stanzas(),
    Checksums(),
    Xml(),
    Ini(),
)
"""Formats of texts in UTF-8, looked for where `FORMATS` knows none and both sides are text. Every
byte of a text lies in one of its facts: a fact is a piece of the text with its separators."""

_STREAMS = frozenset({"bzip2", "gzip", "lz4", "lzip", "lzma", "xz", "zlib", "zstd"})
STREAMS: tuple[Format, ...] = tuple(known for known in FORMATS if known.name in _STREAMS)
"""Formats that hold one stream, packed, as their member `CONTENT`: two of them with one content
differ in compression only."""
CONTENT = "content"


def sniff(head: bytes, size: int) -> Format | None:
    """The first format that knows a stream of `size` bytes by its first `HEAD` bytes."""
    head = head[:size]
    return next((known for known in FORMATS if known.recognises(head)), None)


def sniff_text(head: bytes) -> Format | None:
    """The first text format that knows a text by its first `HEAD` bytes."""
    return next((known for known in TEXTS if known.recognises(head)), None)
