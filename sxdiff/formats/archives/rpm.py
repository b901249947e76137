"""RPM packages: lead, signature header, header, payload.

Sources: rpm 4.18's docs/manual/format_v4.md, hregions.md and tags.md, and its rpmtag.h for the
numbers of tags; LSB 5.0 core, chapter 25 "Package Format" for the lead and the header structure.
All numbers are big-endian.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sxdiff.formats.digest import CHUNK, digest_of
from sxdiff.formats.record import Field, Record, hexadecimal, named, utc
from sxdiff.model import (
    Blob,
    Fact,
    FormatError,
    Inside,
    LimitError,
    Limits,
    Listing,
    Member,
    Row,
    Scalar,
    bytes_of,
    text_of,
)

MAGIC, HEADER_MAGIC = b"\xed\xab\xee\xdb", b"\x8e\xad\xe8"
LEAD = Record(
    "rpm.lead",
    ">",
    (
        Field("magic", "4s", hexadecimal),
        Field("major", "B"),
        Field("minor", "B"),
        Field("type", "H", named({0: "binary", 1: "source"})),
        Field("architecture", "H"),
        Field("name", "66s", derived=True),
        Field("os", "H"),
        Field("signature_type", "H"),
        Field("reserved", "16s", hexadecimal),
    ),
)
INTRO = Record(
    "rpm",
    ">",
    (
        Field("magic", "8s", hexadecimal),
        Field("entries", "I", derived=True),
        Field("store_size", "I", derived=True),
    ),
)
ENTRY = struct.Struct(">IIII")
LARGEST_STORE, MOST_ENTRIES = 64 << 20, 0xFFFF
"""Size of a header's store, and its entries, beyond what rpm itself makes."""
LONGEST = 64
"""Bytes of a binary value that are told as digits."""
STRING, BINARY, STRINGS, TRANSLATED = 6, 7, 8, 9
TYPES = {
    0: "null",
    1: "char",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    STRING: "string",
    BINARY: "binary",
    STRINGS: "strings",
    TRANSLATED: "translated strings",
}
NUMBERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}
"""Types of numbers, with the codes of their elements."""
TIMES = frozenset({"BUILDTIME", "INSTALLTIME", "CHANGELOGTIME", "FILEMTIMES"})
MODES = frozenset({"FILEMODES"})
REGIONS = frozenset({61, 62, 63, 64})
DERIVED = frozenset(
    "ARCHIVESIZE LONGARCHIVESIZE SIZE LONGSIZE PAYLOADDIGEST PAYLOADDIGESTALT FILEDIGESTS "  # noqa: SIM905
    "FILESIZES LONGFILESIZES FILEMTIMES FILEINODES FILECLASS FILECOLORS HEADERIMAGE "
    "HEADERSIGNATURES HEADERIMMUTABLE HEADERREGIONS".split()
)
"""What rpmbuild takes from the payload, whose own headers say the same, or counts and sums up."""
DIGESTS = {"MD5": "md5", "SIGMD5": "md5", "SHA1HEADER": "sha1", "SHA256HEADER": "sha256"}
"""Digests of the signature header: MD5 is of header and payload, the others of the header."""
LEADING = ("NAME", "VERSION", "RELEASE")
MOST_DIGESTED = 64 << 20
ARRAYS = tuple(
    "FILE LONGFILE DIR REQUIRE PROVIDE CONFLICT OBSOLETE RECOMMEND SUGGEST SUPPLEMENT ENHANCE "  # noqa: SIM905
    "CHANGELOG TRIGGER TRANSFILETRIGGER ORDER DEPENDS BUILDREQUIRES".split()
)
"""What the names of tags begin with that hold one number for each of several things."""
SIGNATURE_TAGS = {
    62: "HEADERSIGNATURES",
    257: "SIGSIZE",
    259: "SIGPGP",
    261: "SIGMD5",
    262: "SIGGPG",
    266: "PUBKEYS",
    267: "DSAHEADER",
    268: "RSAHEADER",
    269: "SHA1HEADER",
    270: "LONGSIGSIZE",
    271: "LONGARCHIVESIZE",
    273: "SHA256HEADER",
    274: "FILESIGNATURES",
    275: "FILESIGNATURELENGTH",
    276: "VERITYSIGNATURES",
    277: "VERITYSIGNATUREALGO",
    1000: "SIZE",
    1001: "LEMD5_1",
    1002: "PGP",
    1003: "LEMD5_2",
    1004: "MD5",
    1005: "GPG",
    1006: "PGP5",
    1007: "PAYLOADSIZE",
    1008: "RESERVEDSPACE",
}
_RUNS = {
    61: "HEADERIMAGE HEADERSIGNATURES HEADERIMMUTABLE HEADERREGIONS",
    100: "HEADERI18NTABLE",
    1000: (
        "NAME VERSION RELEASE EPOCH SUMMARY DESCRIPTION BUILDTIME BUILDHOST INSTALLTIME SIZE "
        "DISTRIBUTION VENDOR GIF XPM LICENSE PACKAGER GROUP CHANGELOG SOURCE PATCH URL OS "
        "ARCH PREIN POSTIN PREUN POSTUN OLDFILENAMES FILESIZES FILESTATES FILEMODES FILEUIDS "
        "FILEGIDS FILERDEVS FILEMTIMES FILEDIGESTS FILELINKTOS FILEFLAGS ROOT FILEUSERNAME "
        "FILEGROUPNAME EXCLUDE EXCLUSIVE ICON SOURCERPM FILEVERIFYFLAGS ARCHIVESIZE "
        "PROVIDENAME REQUIREFLAGS REQUIRENAME REQUIREVERSION NOSOURCE NOPATCH CONFLICTFLAGS "
        "CONFLICTNAME CONFLICTVERSION DEFAULTPREFIX BUILDROOT INSTALLPREFIX EXCLUDEARCH "
        "EXCLUDEOS EXCLUSIVEARCH EXCLUSIVEOS AUTOREQPROV RPMVERSION TRIGGERSCRIPTS "
        "TRIGGERNAME TRIGGERVERSION TRIGGERFLAGS TRIGGERINDEX"
    ),
    1079: (
        "VERIFYSCRIPT CHANGELOGTIME CHANGELOGNAME CHANGELOGTEXT BROKENMD5 PREREQ PREINPROG "
        "POSTINPROG PREUNPROG POSTUNPROG BUILDARCHS OBSOLETENAME VERIFYSCRIPTPROG "
        "TRIGGERSCRIPTPROG DOCDIR COOKIE FILEDEVICES FILEINODES FILELANGS PREFIXES "
        "INSTPREFIXES TRIGGERIN TRIGGERUN TRIGGERPOSTUN AUTOREQ AUTOPROV CAPABILITY "
        "SOURCEPACKAGE OLDORIGFILENAMES BUILDPREREQ BUILDREQUIRES BUILDCONFLICTS BUILDMACROS "
        "PROVIDEFLAGS PROVIDEVERSION OBSOLETEFLAGS OBSOLETEVERSION DIRINDEXES BASENAMES "
        "DIRNAMES ORIGDIRINDEXES ORIGBASENAMES ORIGDIRNAMES OPTFLAGS DISTURL PAYLOADFORMAT "
        "PAYLOADCOMPRESSOR PAYLOADFLAGS INSTALLCOLOR INSTALLTID REMOVETID SHA1RHN RHNPLATFORM "
        "PLATFORM PATCHESNAME PATCHESFLAGS PATCHESVERSION CACHECTIME CACHEPKGPATH "
        "CACHEPKGSIZE CACHEPKGMTIME FILECOLORS FILECLASS CLASSDICT FILEDEPENDSX FILEDEPENDSN "
        "DEPENDSDICT SOURCEPKGID FILECONTEXTS FSCONTEXTS RECONTEXTS POLICIES PRETRANS "
        "POSTTRANS PRETRANSPROG POSTTRANSPROG DISTTAG OLDSUGGESTSNAME OLDSUGGESTSVERSION "
        "OLDSUGGESTSFLAGS OLDENHANCESNAME OLDENHANCESVERSION OLDENHANCESFLAGS PRIORITY CVSID "
        "BLINKPKGID BLINKHDRID BLINKNEVRA FLINKPKGID FLINKHDRID FLINKNEVRA PACKAGEORIGIN "
        "TRIGGERPREIN BUILDSUGGESTS BUILDENHANCES SCRIPTSTATES SCRIPTMETRICS BUILDCPUCLOCK "
        "FILEDIGESTALGOS VARIANTS XMAJOR XMINOR REPOTAG KEYWORDS BUILDPLATFORMS PACKAGECOLOR "
        "PACKAGEPREFCOLOR XATTRSDICT FILEXATTRSX DEPATTRSDICT CONFLICTATTRSX OBSOLETEATTRSX "
        "PROVIDEATTRSX REQUIREATTRSX BUILDPROVIDES BUILDOBSOLETES DBINSTANCE NVRA"
    ),
    5000: (
        "FILENAMES FILEPROVIDE FILEREQUIRE FSNAMES FSSIZES TRIGGERCONDS TRIGGERTYPE "
        "ORIGFILENAMES LONGFILESIZES LONGSIZE FILECAPS FILEDIGESTALGO BUGURL EVR NVR NEVR "
        "NEVRA HEADERCOLOR VERBOSE EPOCHNUM PREINFLAGS POSTINFLAGS PREUNFLAGS POSTUNFLAGS "
        "PRETRANSFLAGS POSTTRANSFLAGS VERIFYSCRIPTFLAGS TRIGGERSCRIPTFLAGS"
    ),
    5029: (
        "COLLECTIONS POLICYNAMES POLICYTYPES POLICYTYPESINDEXES POLICYFLAGS VCS ORDERNAME "
        "ORDERVERSION ORDERFLAGS MSSFMANIFEST MSSFDOMAIN INSTFILENAMES REQUIRENEVRS "
        "PROVIDENEVRS OBSOLETENEVRS CONFLICTNEVRS FILENLINKS RECOMMENDNAME RECOMMENDVERSION "
        "RECOMMENDFLAGS SUGGESTNAME SUGGESTVERSION SUGGESTFLAGS SUPPLEMENTNAME "
        "SUPPLEMENTVERSION SUPPLEMENTFLAGS ENHANCENAME ENHANCEVERSION ENHANCEFLAGS "
        "RECOMMENDNEVRS SUGGESTNEVRS SUPPLEMENTNEVRS ENHANCENEVRS ENCODING FILETRIGGERIN "
        "FILETRIGGERUN FILETRIGGERPOSTUN FILETRIGGERSCRIPTS FILETRIGGERSCRIPTPROG "
        "FILETRIGGERSCRIPTFLAGS FILETRIGGERNAME FILETRIGGERINDEX FILETRIGGERVERSION "
        "FILETRIGGERFLAGS TRANSFILETRIGGERIN TRANSFILETRIGGERUN TRANSFILETRIGGERPOSTUN "
        "TRANSFILETRIGGERSCRIPTS TRANSFILETRIGGERSCRIPTPROG TRANSFILETRIGGERSCRIPTFLAGS "
        "TRANSFILETRIGGERNAME TRANSFILETRIGGERINDEX TRANSFILETRIGGERVERSION "
        "TRANSFILETRIGGERFLAGS REMOVEPATHPOSTFIXES FILETRIGGERPRIORITIES "
        "TRANSFILETRIGGERPRIORITIES FILETRIGGERCONDS FILETRIGGERTYPE TRANSFILETRIGGERCONDS "
        "TRANSFILETRIGGERTYPE FILESIGNATURES FILESIGNATURELENGTH PAYLOADDIGEST "
        "PAYLOADDIGESTALGO AUTOINSTALLED IDENTITY MODULARITYLABEL PAYLOADDIGESTALT ARCHSUFFIX "
        "SPEC TRANSLATIONURL UPSTREAMRELEASES SOURCELICENSE"
    ),
}
TAGS = {
    start + place: name
    for start, names in _RUNS.items()
    for place, name in enumerate(names.split())
}
"""Tags of the header by their numbers."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a header: where it stands, and where its data lies in the header."""

    at: int
    number: int
    name: str
    type: int
    offset: int
    count: int
    start: int
    size: int
    laid_out: bool


class Rpm:
    """Lead, both headers by their tags, and the payload."""

    name = "rpm"

    def recognises(self, head: bytes) -> bool:
        """The lead's magic number and a known version."""
        return head.startswith(MAGIC) and len(head) >= LEAD.size and head[4] in (3, 4)

    def dissect(self, blob: Blob, limits: Limits) -> Iterator[Fact | Member]:  # noqa: ARG002 - reads spans only
        """Lead, signature, header, payload: in this order, one behind the other."""
        for fact in LEAD.facts(blob, 0):
            named_by = fact.kind == "rpm.lead.name"
            yield replace(fact, check=partial(_names_it, blob)) if named_by else fact
        at = LEAD.size
        for name in ("signature", "header"):
            size = _header_size(blob, at)
            signature = name == "signature"
            yield Member(
                name,
                blob.part(at, size),
                (at, size),
                "rpm.header",
                inside=Inside("rpm", partial(_header, signature=signature, package=blob)),
            )
            at += size
            if signature and at % 8:
                padding = blob.part(at, -at % 8)
                told = padding.read().hex() if any(padding.read()) else "zeros"
                yield Fact("rpm.padding", told, (at, padding.size))
                at += padding.size
        if at < blob.size:
            yield Member("payload", blob.part(at, blob.size - at), (at, blob.size - at))


def _names_it(package: Blob) -> bool:
    """Whether the lead's name is name, version and release of the header, and zeros behind it."""
    at = LEAD.size + _header_size(package, LEAD.size)
    at += -at % 8
    header = package.part(at, _header_size(package, at))
    known = {tag.name: _scalar(header, tag) for tag in _tags(header, TAGS) if tag.name in LEADING}
    name = bytes_of("-".join(str(known.get(part, "")) for part in LEADING))[:65]
    return LEAD.read(package, 0)["name"] == name.ljust(66, b"\0")


def _header_size(blob: Blob, at: int) -> int:
    if blob.read(at, 3) != HEADER_MAGIC:
        raise FormatError("no rpm header", at)
    entries, store = struct.unpack(">II", blob.part(at + 8, 8).read())
    if entries > MOST_ENTRIES or store > LARGEST_STORE:
        raise LimitError(f"header of {entries} entries and {store} bytes", at)
    return INTRO.size + int(entries) * ENTRY.size + int(store)


def _is_right(package: Blob, tag: Tag, value: Scalar) -> bool:
    """Whether a tag of the signature header says what the package bears out. Of signatures, and
    of digests of what is packed, nothing is said."""
    at = LEAD.size
    at += _header_size(package, at)
    at += -at % 8
    if tag.name in ("SIZE", "SIGSIZE", "LONGSIGSIZE"):
        return bool(value == package.size - at)
    size = package.size - at if tag.name in ("MD5", "SIGMD5") else _header_size(package, at)
    algorithm = DIGESTS.get(tag.name)
    if algorithm is None or size > MOST_DIGESTED:
        return True
    digest = hashlib.new(algorithm, usedforsecurity=False)
    for place in range(at, at + size, CHUNK):
        digest.update(package.read(place, min(CHUNK, at + size - place)))
    return bool(value == digest.hexdigest())


def _is_region(tag: Tag, data: bytes) -> bool:
    """Whether a region's last entry says that the region holds all entries up to it."""
    if len(data) != 16:
        return False
    number, kind, offset, count = struct.unpack(">IIiI", data)
    return bool((number, kind, count, offset % 16) == (tag.number, BINARY, 16, 0))


def _header(blob: Blob, *, signature: bool, package: Blob) -> Iterator[Fact | Member]:
    """Each tag: how it is stored, and what it says."""
    if _header_size(blob, 0) != blob.size:
        raise FormatError("header of another size", 0)
    yield from INTRO.facts(blob, 0)
    tags = list(_tags(blob, SIGNATURE_TAGS if signature else TAGS))
    # one value for another: the cookie is nearly always host and time of the build
    known = {tag.name: _scalar(blob, tag) for tag in tags if tag.name in ("BUILDHOST", "BUILDTIME")}
    paths = partial(_paths, blob, tags)
    for tag in tags:
        derived = signature or tag.name in DERIVED
        if tag.name == "RESERVEDSPACE":
            derived = not any(blob.read(tag.start, tag.size))
        elif tag.number in REGIONS:
            derived = _is_region(tag, blob.read(tag.start, tag.size))
        yield Fact("rpm.type", TYPES.get(tag.type, tag.type), (tag.at, 8), tag.name)
        offset = "as laid out" if tag.laid_out else tag.offset
        yield Fact("rpm.offset", offset, (tag.at + 8, 4), tag.name, derived=True)
        yield Fact("rpm.count", tag.count, (tag.at + 12, 4), tag.name, derived=True)
        kind = f"rpm.{tag.name.lower()}" if not tag.name.startswith("tag ") else "rpm.tag"
        span = (tag.start, tag.size)
        if not tag.size:
            continue
        if _is_array(tag):
            rows = partial(_rows, tag, paths if tag.name.startswith(("FILE", "LONGFILE")) else None)
            yield Member(
                tag.name,
                blob.part(*span),
                span,
                kind,
                inside=Listing(kind, rows),
                derived=derived,
            )
            continue
        value = _scalar(blob, tag)
        if tag.name == "COOKIE" and value == f"{known.get('BUILDHOST')} {_seconds(blob, tags)}":
            value = "BUILDHOST and BUILDTIME"
        right = partial(_is_right, package, tag, value) if signature else None
        yield Fact(kind, value, span, tag.name, derived, check=right)


def _seconds(blob: Blob, tags: Sequence[Tag]) -> int | None:
    for tag in tags:
        if tag.name == "BUILDTIME" and tag.type == 4 and tag.count == 1:
            return int.from_bytes(blob.read(tag.start, 4), "big")
    return None


def _tags(blob: Blob, names: dict[int, str]) -> Iterator[Tag]:
    """Each index entry with its data's place. Raises `FormatError` where it lies outside."""
    entries, store_size = struct.unpack(">II", blob.read(8, 8))
    store_at = INTRO.size + entries * ENTRY.size
    store = blob.part(store_at, store_size).read()
    index = blob.read(INTRO.size, entries * ENTRY.size)
    met: dict[str, int] = {}
    expected = told = 0
    for place, (number, kind, offset, count) in enumerate(ENTRY.iter_unpack(index)):
        at = INTRO.size + place * ENTRY.size
        name = names.get(number, f"tag {number}")
        met[name] = met.get(name, 0) + 1
        if met[name] > 1:
            name = f"{name} #{met[name]}"
        size = _size(store, kind, offset, count, at)
        told += size
        if told > 2 * store_size:
            raise FormatError("tags of more bytes than the header has", at)
        width = struct.calcsize(NUMBERS.get(kind, "B"))
        if number in REGIONS:
            laid_out = offset == store_size - 16
        else:
            laid_out = offset == expected + -expected % width
            expected = offset + size
        yield Tag(at, number, name, kind, offset, count, store_at + offset, size, laid_out)


def _size(store: bytes, kind: int, offset: int, count: int, at: int) -> int:
    """Bytes of a tag's data, which starts at `offset` of the store."""
    if kind in NUMBERS or kind == BINARY:
        size = count * struct.calcsize(NUMBERS.get(kind, "B"))
    elif kind in (STRING, STRINGS, TRANSLATED):
        end = offset
        for _ in range(1 if kind == STRING else count):
            end = store.find(b"\0", end) + 1
            if not end:
                raise FormatError("string without an end", at)
        size = end - offset
    else:
        size = 0
    if offset + size > len(store):
        raise FormatError(f"tag of {size} bytes lies outside the header", at)
    return size


def _is_array(tag: Tag) -> bool:
    if tag.number in REGIONS or tag.type == BINARY:
        return False
    several = tag.count != 1 and tag.type != STRING
    return several or tag.type == STRINGS or (tag.type in NUMBERS and tag.name.startswith(ARRAYS))


def _scalar(blob: Blob, tag: Tag) -> Scalar:
    data = blob.part(tag.start, tag.size)
    if tag.type in (STRING, TRANSLATED):
        return text_of(data.read()[:-1])
    if tag.type in NUMBERS and tag.size:
        return _number(tag.name, int.from_bytes(data.read(), "big"))
    return data.read().hex() if tag.size <= LONGEST else digest_of(data)


def _number(name: str, value: int) -> Scalar:
    if name in TIMES:
        return utc(value)
    return f"{value:06o}" if name in MODES else value


def _rows(tag: Tag, paths: Callable[[], Sequence[str]] | None, blob: Blob) -> Iterator[Row]:
    """The values of an array; one of a file belongs to the file's path."""
    labels = paths() if paths else ()
    if len(labels) != tag.count:
        labels = [""] * tag.count
    at = 0
    data = blob.read()
    if tag.type in NUMBERS:
        width = struct.calcsize(NUMBERS[tag.type])
        for label in labels:
            value = int.from_bytes(data[at : at + width], "big")
            yield Row((at, width), f"{_number(tag.name, value)}", label=label)
            at += width
        return
    for label in labels:
        end = data.find(b"\0", at) + 1
        yield Row((at, end - at), text_of(data[at : end - 1]), label=label)
        at = end


def _paths(blob: Blob, tags: Sequence[Tag]) -> Sequence[str]:
    """The paths of the package's files: directories, and names with a directory's number."""
    known = {tag.name: blob.read(tag.start, tag.size) for tag in tags if tag.name in PATHS}
    if len(known) != len(PATHS) or len(known["DIRINDEXES"]) % 4:
        return ()
    directories = [text_of(name) for name in known["DIRNAMES"].split(b"\0")]
    names = [text_of(name) for name in known["BASENAMES"].split(b"\0")[:-1]]
    indexes = [number for (number,) in struct.iter_unpack(">I", known["DIRINDEXES"])]
    if len(names) != len(indexes) or max(indexes, default=0) >= len(directories):
        return ()
    return [directories[index] + name for index, name in zip(indexes, names, strict=True)]


PATHS = ("BASENAMES", "DIRNAMES", "DIRINDEXES")
