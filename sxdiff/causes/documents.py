"""What generators of documents, pages and pictures write of their run."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sxdiff.causes.cause import Cause, Evidence, Fix, NearMiss, Token
from sxdiff.causes.pattern import late
from sxdiff.causes.tokens import (
    any_two,
    epoch_numbers,
    joined,
    matches,
    seconds,
    time_field,
    times_behind,
    times_in,
    two_build_paths,
    two_times,
    whole,
)

TEXTS: Final = ("text", "xml")
_ALL = late(r"(?s)\A\s*(?P<v>.+?)\s*\Z")
_STAMPS = "https://reproducible-builds.org/docs/timestamps/"
_EPOCH = "https://reproducible-builds.org/docs/source-date-epoch/"
_LOCALES = "https://reproducible-builds.org/docs/locales/"
_PATHS = "https://reproducible-builds.org/docs/build-path/"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PDF_ID = late(
    r"\A\[(?:\s*(?:<[0-9A-Fa-f\s]{32,40}>|\((?:[^()\\]|\\.){16,64}\))){2}\s*\]\Z", re.DOTALL
)
_AUTOLOADS = late(r"\((?P<v>\d{5} \d{1,5} \d{1,6} \d{1,6})\)(?=\))")
_DVI = late(r"\A TeX output (?P<v>(\d{4})\.(\d\d)\.(\d\d):(\d\d)(\d\d))\Z")
_YEAR = late(
    r"(?i)(?:copyright|\u00a9|&copy;|&#169;|\(c\))[^\n]{0,60}?(?<![\w.-])"
    r"(?:(?:19|20)\d\d ?(?:-|\u2013|--|, ?|to) ?)*(?P<v>(?:19|20)\d\d)"
    r"(?![\w]|[.-]\d| ?[-\u2013,] ?\d)"
)
MOST_YEARS = 5
"""Years between two builds."""


def _pdf_id(text: str) -> Iterator[Token]:
    """Both parts of a file identifier (ISO 32000-1, 14.4): made from the time, the path and the
    size, or by chance."""
    if _PDF_ID.match(text):
        yield Token(0, len(text), text, "pdf id")


def _two_pdf(one: Token, two: Token) -> Evidence | None:
    if one.form in ("pdf id", "uuid"):
        return Evidence(one.value, two.value)
    return two_times(one, two)


def _autoloads(text: str) -> Iterator[Token]:
    """Emacs' (HIGH LOW MICROSECONDS PICOSECONDS) of a file's modification."""
    for found in _AUTOLOADS.finditer(text):
        high, low, *_ = map(int, found["v"].split())
        moment = seconds(high << 16 | low) if low < 1 << 16 else None
        if moment:
            yield Token(*found.span("v"), moment, "autoloads")


def _dvi(text: str) -> Iterator[Token]:
    """The comment of a DVI file's preamble."""
    if found := _DVI.match(text):
        year, month, day, hour, minute = map(int, found.groups()[1:])
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
        except ValueError:
            return
        yield Token(*found.span("v"), moment.strftime("%Y-%m-%dT%H:%M:%S"), "dvi")


def _two_years(one: Token, two: Token) -> Evidence | None:
    a, b = int(one.value), int(two.value)
    if min(a, b) < 1980 or not 0 < abs(a - b) <= MOST_YEARS:
        return None
    return Evidence(one.value, two.value)


def _cython(text: str) -> Iterator[Token]:
    """Names that Cython makes of a source's path: `__pyx_k_build_1st_m_pyx`."""
    for found in re.finditer(r"__pyx_(?:k|kp_[bsu]|n_[bsu])_(?P<v>[A-Za-z0-9_]+_pyx)\b", text):
        yield Token(*found.span("v"), "/" + found["v"].replace("_", "/"), "mangled")


_LINE = late(
    r"(?m)^(?:[ \t]*#[ \t]*(?:line[ \t]+)?\d+[ \t]+|[ \t]*/\* "
    r"|[ \t]*//[ \t]*(?:source|from):[ \t]*)"
    r"\"?(?P<v>/[^\"\s\0]+)"
)
_CYTHON_PATH = late(r"(?:\"|/\* \")(?P<v>/[^\"\s\0]+\.p(?:yx|xd))(?=\")")


def _two_sources(one: Token, two: Token) -> Evidence | None:
    found = two_build_paths(one, two)
    if found is None or not found.rest:
        return None  # two sources without one name are two sources
    return found


_GENERATED = late(
    r"(?i)(?:\b(?:generated|created|built|rendered|produced|last[ -](?:updated?|modified|generated|"
    r"build)|page (?:generated|updated|built)|build[ -]date(?: \(?utc\)?)?)"
    r"(?: (?:by|with|using) [^\n<>]{1,60}?)?(?: ?(?:automatically))?(?: (?:on|at|the))?:?|^date:) "
    r"(?:<[a-z]+[^<>]*>)?"
)
_MAN_GENERATORS = late(
    r"(?i)generated (?:by|with|from)|\\\" +Generator:|Pod::Man|help2man|txt2man|pandoc|ronn|md2man|"
    r"docbook|asciidoctor|Sphinx|reStructuredText|scdoc|texi2man|gtk-doc|mandoc"
)
_TH = r"(?m)^\.TH (?:\"[^\"\n]*\"|[^\s\"]+) +\"?[0-9][\w]*\"? +"
_QUOTED_TH = late(_TH + r"\"(?P<v>[^\"\n]+)\"")
_BARE_TH = late(_TH + r"(?P<v>[^\s\"]+)")
_MAN_DATE = late(r"(?m)^\.\\\" +Date: +(?P<v>[^\n]+?) *$")
_DD = late(r"(?m)^\.Dd (?P<v>[^\n]+?) *$")
_XMP = late(
    r"xmp:(?:Create|Modify|Metadata)Date(?:>|=[\"'])(?P<v>[^<\"'\n]+)(?=[<\"'])|"
    r"(?:stEvt:when)(?:>|=[\"'])(?:[^<\"'\n]+)(?=[<\"'])"
)
_XMP_ID = late(
    rf"(?:Document|Instance)ID(?:>|=[\"'])(?:uuid:|xmp\.[id]id:)(?P<v>{_UUID})(?=[<\"'])"
)

CAUSES: Final[tuple[Cause, ...]] = (
    Cause(
        id="timestamp-added-by-java-util-properties",
        title="The date that java.util.Properties writes",
        family="time",
        kinds=("text",),
        tokens=times_in(late(r"(?m)^#(?P<v>[A-Z][a-z]{2} [A-Z][a-z]{2} [^\n]{12,24}?)\r?$")),
        judge=two_times,
        paths=late(r"\.properties$"),
        why="java.util.Properties.store() writes the time of day as a comment.",
        fixes=(
            Fix(
                "set SOURCE_DATE_EPOCH with Debian's JDK, or -Djava.properties.date=… with JDK 18"
                " and later; for pom.properties maven-archiver 3.4 and later with"
                " project.build.outputTimestamp"
            ),
        ),
        references=(_STAMPS,),
        example=NearMiss(
            "text",
            "#Sat Jan 10 10:00:00 UTC 2026\n",
            "#Sun Mar 15 12:34:56 UTC 2026\n",
            path="o.properties",
        ),
        near_miss=NearMiss(
            "text",
            "#Sat Jan 10 10:00:00 UTC 2026\nk=v\n",
            "#Sun Mar 15 12:34:56 UTC 2026\nk=w\n",
            path="o.properties",
        ),
    ),
    Cause(
        id="timestamps-in-documentation-generated-by-javadoc",
        title="Dates that javadoc writes",
        family="time",
        kinds=TEXTS,
        tokens=joined(
            times_in(late(r"<!-- Generated by javadoc (?:\([^)\n]*\) )?on (?P<v>[^\n]*?) -->")),
            times_in(
                late(
                    r"(?:\A\s*|<meta name=\"(?:dc\.created|date)\" )"
                    r"content=\"(?P<v>\d{4}-\d\d-\d\d)\""
                )
            ),
        ),
        judge=two_times,
        symbol=late(r"^$|(?:^|/)(?:html|head|meta\[(?:dc\.created|date)\])$"),
        context=late("Generated by javadoc"),
        why="javadoc writes the time of day into a comment and a meta tag of each page.",
        fixes=(
            Fix(
                "javadoc -notimestamp; with Maven <notimestamp>true</notimestamp>"
                " (SOURCE_DATE_EPOCH"
                " alone does nothing in JDK 17)"
            ),
        ),
        references=(
            _STAMPS,
            "https://docs.oracle.com/en/java/javase/17/docs/specs/man/javadoc.html",
        ),
        example=NearMiss(
            "xml",
            "<!-- Generated by javadoc (17) on Sat Jan 10 10:00:03 UTC 2026 -->",
            "<!-- Generated by javadoc (17) on Sun Mar 15 12:34:59 UTC 2026 -->",
            symbol="html/head",
        ),
        near_miss=NearMiss(
            "xml",
            "<!-- Generated by javadoc (17) on Sat Jan 10 10:00:03 UTC 2026 -->",
            "<!-- Generated by javadoc (21) on Sun Mar 15 12:34:59 UTC 2026 -->",
            symbol="html/head",
        ),
    ),
    Cause(
        id="locale-in-documentation-generated-by-javadoc",
        title="The language of javadoc's pages",
        family="locale",
        kinds=("xml",),
        tokens=matches(late(r"\A<html lang=\"(?P<v>[a-z]{2,3}(?:[-_][A-Z]{2})?)\">\Z"), "language"),
        judge=any_two,
        context=late("Generated by javadoc"),
        why="javadoc writes pages in the language of the locale it runs in.",
        fixes=(Fix("javadoc -locale en, or LC_ALL=C.UTF-8"),),
        references=(_LOCALES,),
        example=NearMiss(
            "xml",
            '<html lang="en">',
            '<html lang="de">',
            head="<!-- Generated by javadoc (17) on",
        ),
        near_miss=NearMiss(
            "xml",
            '<html lang="en">',
            '<html lang="en" dir="rtl">',
            head="<!-- Generated by javadoc (17) on",
        ),
    ),
    Cause(
        id="pot-creation-date",
        title="Dates in catalogues of messages",
        family="time",
        kinds=("text", "gettext_mo.field"),
        tokens=joined(
            times_in(
                late(
                    r"(?:POT-Creation-Date|PO-Revision-Date): (?P<v>\d{4}-\d\d-\d\d"
                    r" \d\d:\d\d(?:[+-]\d{4})?)(?=\\n|\n|\Z)"
                )
            ),
            times_in(late(r"\A(?P<v>\d{4}-\d\d-\d\d \d\d:\d\d(?:[+-]\d{4})?)\Z")),
        ),
        judge=two_times,
        paths=late(r"(?i)\.(?:po|pot|mo|gmo)(?:\.gz)?$"),
        where=late(r"\A(?!.*messages/(?!POT-Creation-Date|PO-Revision-Date))"),
        why="xgettext and msgmerge write the time of day into the catalogue's header.",
        fixes=(
            Fix(
                "ship the .pot from version control, or sed the field; msgfmt 0.20 and later leaves"
                " it out of .mo files (xgettext 0.21 does not read SOURCE_DATE_EPOCH)"
            ),
        ),
        references=(
            _STAMPS,
            "https://www.gnu.org/software/gettext/manual/gettext.html#Header-Entry",
        ),
        example=NearMiss(
            "text",
            '"POT-Creation-Date: 2026-01-10 10:00+0000\\n"\n',
            '"POT-Creation-Date: 2026-03-15 12:34+0000\\n"\n',
            path="usr/share/locale/m.pot",
        ),
        near_miss=NearMiss(
            "text",
            '"POT-Creation-Date: 2026-01-10 10:00+0000\\n"\n"Last-Translator: A\\n"\n',
            '"POT-Creation-Date: 2026-03-15 12:34+0000\\n"\n"Last-Translator: B\\n"\n',
            path="usr/share/locale/m.pot",
        ),
    ),
    Cause(
        id="manpage-date",
        title="The date of a generated manual page",
        family="time",
        kinds=("text",),
        tokens=joined(times_in(_QUOTED_TH), times_in(_BARE_TH), times_in(_MAN_DATE), times_in(_DD)),
        judge=two_times,
        paths=late(r"(?:^|/)[^/]+\.[1-9n][a-z]*(?:\.(?:gz|bz2|xz|zst))?$"),
        context=_MAN_GENERATORS,
        why="The generator of the page took the date of the day, or of the source's modification.",
        fixes=(
            Fix(
                "set SOURCE_DATE_EPOCH (help2man, pod2man, docbook-xsl, Sphinx; txt2man -d DATE;"
                " ronn --date=…)"
            ),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "text",
            '.TH TOOL "1" "January 2026" "tool 1.0" "User Commands"\n',
            '.TH TOOL "1" "March 2026" "tool 1.0" "User Commands"\n',
            path="usr/share/man/man1/tool.1",
            head='.\\" DO NOT MODIFY THIS FILE!  It was generated by help2man 1.49.3.\n',
        ),
        near_miss=NearMiss(
            "text",
            '.TH TOOL "1" "January 2026" "tool 1.0" "User Commands"\n',
            '.TH TOOL "1" "March 2026" "tool 1.1" "User Commands"\n',
            path="usr/share/man/man1/tool.1",
            head='.\\" DO NOT MODIFY THIS FILE!  It was generated by help2man 1.49.3.\n',
        ),
    ),
    Cause(
        id="html-doc-generator-date",
        title="The date that a generator of documents writes",
        family="time",
        kinds=TEXTS,
        tokens=times_behind(_GENERATED),
        judge=two_times,
        paths=late(r"(?i)\.(?:x?html?|svg|xml|tex|texi|info(?:-\d+)?)(?:\.gz)?$"),
        why="The generator writes when it ran, or when the source was changed, into each page.",
        fixes=(
            Fix("doxygen: HTML_TIMESTAMP=NO, or SOURCE_DATE_EPOCH", late("(?i)doxygen")),
            Fix("sphinx: SOURCE_DATE_EPOCH, or no html_last_updated_fmt", late("(?i)sphinx")),
            Fix("asciidoctor -a reproducible, or SOURCE_DATE_EPOCH", late("(?i)asciidoctor")),
            Fix("docutils: run it without --date", late("(?i)docutils|rst2")),
            Fix(
                "set SOURCE_DATE_EPOCH (doxygen, sphinx, asciidoctor, texi2any), or turn the date"
                " off"
            ),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "xml",
            "Generated on Sat Jan 10 2026 10:00:00 for My Project by&#160;",
            "Generated on Sun Mar 15 2026 12:34:56 for My Project by&#160;",
            path="html/index.html",
        ),
        near_miss=NearMiss(
            "xml",
            "Generated on Sat Jan 10 2026 10:00:00 for My Project 1.0 by&#160;",
            "Generated on Sun Mar 15 2026 12:34:56 for My Project 1.1 by&#160;",
            path="html/index.html",
        ),
    ),
    Cause(
        id="html-doc-generator-date",
        title="The date that a generator of documents writes",
        family="time",
        kinds=("file.content",),
        tokens=times_in(_ALL),
        judge=two_times,
        paths=late(r"\.info(?:-\d+)?(?:\.gz)?$"),
        context=late(r"\AThis is [^\n]+, produced by (?:makeinfo|texi2any)"),
        why="texi2any writes the date of the day where the source says @today{}.",
        fixes=(Fix("set SOURCE_DATE_EPOCH (texi2any 6.8 and later)"),),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "file.content",
            "January 10, 2026",
            "March 15, 2026",
            path="usr/share/info/x.info",
            head="This is x.info, produced by makeinfo version 6.8 from x.texi.\n",
        ),
        near_miss=NearMiss(
            "file.content",
            "January 10, 2026, edition 1",
            "March 15, 2026, edition 2",
            path="usr/share/info/x.info",
            head="This is x.info, produced by makeinfo version 6.8 from x.texi.\n",
        ),
    ),
    Cause(
        id="pdf-dates-and-id",
        title="Dates and file identifier of a PDF",
        family="time",
        kinds=("pdf.entry", "pdf.value"),
        tokens=joined(_pdf_id, times_in(late(r"\A\((?P<v>D:[^()\\]+)\)\Z"))),
        judge=_two_pdf,
        where=late(r"/(?:CreationDate|ModDate|ID|M)(?: #\d+)?$"),
        why="The writer of the PDF puts the time of day, and an identifier made from it, into the"
        " document (ISO 32000-1, 14.3.3 and 14.4).",
        fixes=(
            Fix(
                "SOURCE_DATE_EPOCH and FORCE_SOURCE_DATE=1; \\pdfsuppressptexinfo=-1 and"
                " \\pdftrailerid{} leave the rest out",
                late("(?i)tex"),
            ),
            Fix("SOURCE_DATE_EPOCH with cairo 1.15.8 and later", late("(?i)cairo|inkscape")),
            Fix(
                "SOURCE_DATE_EPOCH with Ghostscript 9.50 and later;"
                " -dOmitID=true -dOmitInfoDate=true with 10.01 and later",
                late("(?i)ghostscript"),
            ),
            Fix("set SOURCE_DATE_EPOCH (pdfTeX, cairo, Ghostscript, LibreOffice 7.2 and later)"),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "pdf.entry",
            "(D:20260110100000Z)",
            "(D:20260315123456Z)",
            where=("object 12 Info", "/CreationDate"),
        ),
        near_miss=NearMiss(
            "pdf.entry", "(Report 1)", "(Report 2)", where=("object 12 Info", "/Title")
        ),
    ),
    Cause(
        id="pdf-dates-and-id",
        title="Dates and file identifier of a PDF",
        family="time",
        kinds=TEXTS,
        tokens=joined(times_in(_XMP), matches(_XMP_ID, "uuid")),
        judge=_two_pdf,
        context=late(r"<\?xpacket begin|<x:xmpmeta"),
        why="The metadata (XMP) of the document says when it was written, and which instance"
        " it is.",
        fixes=(Fix("set SOURCE_DATE_EPOCH; Ghostscript: -dOmitXMP=true (10.01 and later)"),),
        references=(_STAMPS,),
        example=NearMiss(
            "text",
            "<xmp:ModifyDate>2026-01-10T10:00:00Z</xmp:ModifyDate>\n",
            "<xmp:ModifyDate>2026-03-15T12:34:56Z</xmp:ModifyDate>\n",
            head="<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>",
        ),
        near_miss=NearMiss(
            "text",
            "<xmp:ModifyDate>2026-01-10T10:00:00Z</xmp:ModifyDate>\n<dc:title>A</dc:title>\n",
            "<xmp:ModifyDate>2026-03-15T12:34:56Z</xmp:ModifyDate>\n<dc:title>B</dc:title>\n",
            head="<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>",
        ),
    ),
    Cause(
        id="font-subset-tag",
        title="The tag of a font's subset in a PDF",
        family="randomness",
        kinds=("pdf.entry",),
        tokens=matches(late(r"\A/(?P<v>[A-Z]{6})(?=\+[^\s/+]+\Z)"), "tag"),
        judge=any_two,
        where=late(r"/(?:BaseFont|FontName)$"),
        why="A subset's six letters may be any (ISO 32000-1, 9.6.4): some writers take them from"
        " chance or the time.",
        fixes=(Fix("set SOURCE_DATE_EPOCH, or use a newer writer"),),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss(
            "pdf.entry", "/ABCDEF+CMR10", "/QWERTZ+CMR10", where=("object 7", "/BaseFont")
        ),
        near_miss=NearMiss(
            "pdf.entry", "/ABCDEF+CMR10", "/QWERTZ+CMR12", where=("object 7", "/BaseFont")
        ),
    ),
    Cause(
        id="timestamps-in-png",
        title="Times in pictures",
        family="time",
        kinds=("png.time", "png.text", "tiff.tag", "icc.date"),
        tokens=times_in(_ALL),
        judge=two_times,
        where=late(
            r"(?i)(?:^|/)(?:tIME|(?:[tiz][EXT]{2}t )?(?:date:(?:create|modify|timestamp)|"
            r"creation time|create-date|modify-date|exif:datetime\w*)|DateTime\w*|header)"
            r"(?: #\d+)?$"
        ),
        why="The converter wrote the time of day, or the source's times, into the picture.",
        fixes=(
            Fix(
                "ImageMagick: SOURCE_DATE_EPOCH, -strip, or -define png:exclude-chunks=date,tIME;"
                " optipng -strip all"
            ),
        ),
        references=(_STAMPS,),
        example=NearMiss(
            "png.text",
            "2026-01-10T10:00:00+00:00",
            "2026-03-15T12:34:56+00:00",
            where=("tEXt date:create",),
        ),
        near_miss=NearMiss(
            "png.text",
            "seen 2026-01-10T10:00:00, red",
            "seen 2026-03-15T12:34:56, blue",
            where=("tEXt Comment",),
        ),
    ),
    Cause(
        id="font-head-modified",
        title="Times in a font",
        family="time",
        kinds=(
            "font.head.created",
            "font.head.modified",
            "font.fftm.created",
            "font.fftm.modified",
        ),
        tokens=time_field,
        judge=two_times,
        why="The font's head table says when it was made and changed, FFTM when FontForge was.",
        fixes=(
            Fix(
                "set SOURCE_DATE_EPOCH (fontforge, fontTools); fontTools:"
                " TTFont(recalcTimestamp=False)"
            ),
        ),
        references=(_STAMPS, "https://learn.microsoft.com/typography/opentype/spec/head"),
        example=NearMiss("font.head.modified", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z"),
        near_miss=NearMiss("font.head.fontRevision", "1.0", "1.1"),
    ),
    Cause(
        id="font-head-modified",
        title="Times in a font",
        family="time",
        kinds=("font.name",),
        tokens=times_in(late(r"\AFontForge(?: [\d.]+)? : [^\n]* : (?P<v>\d{1,2}-\d{1,2}-\d{4})\Z")),
        judge=two_times,
        where=late(r"/unique id [^/]*/[^/]*/[^/]*$"),
        why="FontForge writes the day into the name of the font that is to be unique.",
        fixes=(Fix("set SOURCE_DATE_EPOCH (fontforge)"),),
        references=(_STAMPS,),
        example=NearMiss(
            "font.name",
            "FontForge 2.0 : T : 10-1-2026",
            "FontForge 2.0 : T : 15-3-2026",
            where=("name", "unique id 1/0/0x0"),
        ),
        near_miss=NearMiss(
            "font.name",
            "FontForge 2.0 : T : 10-1-2026",
            "FontForge 2.0 : U : 15-3-2026",
            where=("name", "unique id 1/0/0x0"),
        ),
    ),
    Cause(
        id="r-package-built-stamp",
        title="When an R package was built",
        family="time",
        kinds=("stanza.value", "r_rds.object", "text"),
        tokens=joined(
            times_in(late(r"R \d+\.\d+\.\d+; [^;\n]*; (?P<v>[^;\n]+)(?=; (?:unix|windows))")),
            times_in(late(r"(?:\A|Packaged: )(?P<v>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)(?=;|\Z)")),
        ),
        judge=two_times,
        paths=late(r"(?:^|/)(?:DESCRIPTION|Meta/(?:package|hsearch|links)\.rds)$"),
        where=late(r"\A(?:content/.*|content||.*/?(?:Built|Packaged))\Z"),
        why="R CMD build and R CMD INSTALL write the time of day into DESCRIPTION and package.rds.",
        fixes=(
            Fix(
                "R CMD INSTALL --built-timestamp=… (a fixed date); SOURCE_DATE_EPOCH for Debian's R"
            ),
        ),
        references=(_STAMPS,),
        example=NearMiss(
            "stanza.value",
            "R 4.2.2; ; 2026-01-10 10:00:00 UTC; unix",
            "R 4.2.2; ; 2026-03-15 12:34:56 UTC; unix",
            path="usr/lib/R/library/p/DESCRIPTION",
            where=("p", "Built"),
        ),
        near_miss=NearMiss(
            "stanza.value",
            "R 4.2.2; ; 2026-01-10 10:00:00 UTC; unix",
            "R 4.2.3; ; 2026-03-15 12:34:56 UTC; unix",
            path="usr/lib/R/library/p/DESCRIPTION",
            where=("p", "Built"),
        ),
    ),
    Cause(
        id="ps-dvi-dates",
        title="The date of a PostScript or DVI file",
        family="time",
        kinds=("text", "file.content"),
        tokens=joined(times_in(late(r"(?m)^%%CreationDate: \(?(?P<v>[^\n()]+)\)?\r?$")), _dvi),
        judge=two_times,
        context=late(r"\A(?:%!PS|\udcf7\x02)"),
        why="The writer puts the time of day into a comment at the start of the document.",
        fixes=(
            Fix("LaTeX's DVI: FORCE_SOURCE_DATE=1 with SOURCE_DATE_EPOCH", late("TeX")),
            Fix(
                "set SOURCE_DATE_EPOCH (groff, cairo, dvips; for LaTeX's DVI with"
                " FORCE_SOURCE_DATE=1)"
            ),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "text",
            "%%CreationDate: Sat Jan 10 10:00:00 2026\n",
            "%%CreationDate: Sun Mar 15 12:34:56 2026\n",
            head="%!PS-Adobe-3.0\n",
        ),
        near_miss=NearMiss(
            "text",
            "%%CreationDate: Sat Jan 10 10:00:00 2026\n%%Pages: 1\n",
            "%%CreationDate: Sun Mar 15 12:34:56 2026\n%%Pages: 2\n",
            head="%!PS-Adobe-3.0\n",
        ),
    ),
    Cause(
        id="repository-metadata-timestamp",
        title="Times of a package repository's index",
        family="time",
        kinds=("xml",),
        tokens=times_in(_ALL, epoch_numbers),
        judge=two_times,
        paths=late(r"(?:^|/)repodata/repomd\.xml$"),
        symbol=late(r"(?:^|/)(?:revision|timestamp)$"),
        why="createrepo_c writes when it ran, and when the files of the index were changed.",
        fixes=(Fix("createrepo_c --revision=$SOURCE_DATE_EPOCH --set-timestamp-to-revision"),),
        references=(_STAMPS,),
        example=NearMiss(
            "xml",
            "1768039200",
            "1773578096",
            path="r/repodata/repomd.xml",
            symbol="repomd/data/timestamp",
        ),
        near_miss=NearMiss(
            "xml",
            "2768039200",
            "273578",
            path="r/repodata/repomd.xml",
            symbol="repomd/data/open-size",
        ),
    ),
    Cause(
        id="repository-metadata-timestamp",
        title="Times of a package repository's index",
        family="time",
        kinds=("xml", "stanza.value", "text"),
        tokens=joined(
            times_in(late(r"(?m)(?:\A|^Date: |^Valid-Until: )(?P<v>[A-Z][a-z]{2}, [^\n]+?)$")),
            times_in(late(r"\A(?:<lastUpdated>)?(?P<v>\d{14})(?:</lastUpdated>)?\Z")),
        ),
        judge=two_times,
        paths=late(r"(?:^|/)(?:In)?Release$|(?:^|/)maven-metadata[\w.-]*\.xml$"),
        why="The index of a repository says when it was written.",
        fixes=(
            Fix(
                "set SOURCE_DATE_EPOCH (apt-ftparchive); leave maven-metadata-local.xml out of the"
                " image"
            ),
        ),
        references=(_STAMPS,),
        example=NearMiss(
            "xml",
            "20260110100000",
            "20260315123456",
            path="root/.m2/repository/g/a/maven-metadata-local.xml",
            symbol="metadata/versioning/lastUpdated",
        ),
        near_miss=NearMiss(
            "xml",
            "1.20260110100000",
            "1.20260315123456",
            path="root/.m2/repository/g/a/maven-metadata-local.xml",
            symbol="metadata/versioning/latest",
        ),
    ),
    Cause(
        id="emacs-autoload-timestamps",
        title="Times of sources in Emacs' autoloads",
        family="time",
        kinds=("text",),
        tokens=_autoloads,
        judge=two_times,
        context=late(r"(?m)^;;;\s?### \(autoloads "),
        why="Emacs before 29 writes the source's modification time in front of its autoloads.",
        fixes=(
            Fix(
                "Emacs 29 and later; before that (setq autoload-timestamps nil), or touch the"
                " sources with $SOURCE_DATE_EPOCH"
            ),
        ),
        references=(_STAMPS,),
        example=NearMiss(
            "text",
            ';;;### (autoloads nil "m" "m.el" (26978 8992 0 0))\n',
            ';;;### (autoloads nil "m" "m.el" (27062 42864 0 0))\n',
        ),
        near_miss=NearMiss(
            "text",
            ';;;### (autoloads nil "m" "m.el" (26978 8992 0 0))\n',
            ';;;### (autoloads nil "m" "n.el" (27062 42864 0 0))\n',
        ),
    ),
    Cause(
        id="epub-office-metadata",
        title="Times of an e-book or office document",
        family="time",
        kinds=("xml",),
        tokens=joined(
            times_in(_ALL),
            times_in(
                late(
                    r">(?P<v>\d{4}-\d\d-\d\dT[^<>\n]+)"
                    r"(?=</(?:dcterms:|dc:|meta:)?(?:modified|created|date|meta))"
                )
            ),
        ),
        judge=two_times,
        where=late(r"(?i)(?:^|/)(?:[\w-]+\.opf|docProps/core\.xml|meta\.xml)(?:/|$)"),
        symbol=late(
            r"(?:^|/)(?:dcterms:modified|dcterms:created|dc:date|meta:creation-date|meta)"
            r"(?:\[[^/]*\])?$"
        ),
        why="The document's metadata say when it was written.",
        fixes=(Fix("set SOURCE_DATE_EPOCH (pandoc, calibre, LibreOffice 7.2 and later)"),),
        references=(_STAMPS,),
        example=NearMiss(
            "xml",
            "2026-01-10T10:00:00Z",
            "2026-03-15T12:34:56Z",
            path="book.epub",
            where=("EPUB/content.opf", "document"),
            symbol="package/metadata/meta",
        ),
        near_miss=NearMiss(
            "xml",
            "1-2026-01-10T10:00:00Z-a",
            "1-2026-03-15T12:34:56Z-b",
            path="book.epub",
            where=("EPUB/content.opf", "document"),
            symbol="package/metadata/dc:title",
        ),
    ),
    Cause(
        id="generated-source-line-directives",
        title="Paths of sources in generated code",
        family="path",
        kinds=("text",),
        tokens=joined(matches(_LINE, "path"), matches(_CYTHON_PATH, "path"), _cython),
        judge=_two_sources,
        bound=True,
        why="The generator writes the path of its input, as it was given, into #line directives,"
        " comments and names.",
        fixes=(
            Fix("bison -l, or give it a relative path", late("(?i)bison")),
            Fix("flex -L, or give it a relative path", late("(?i)flex")),
            Fix(
                "run cython from the source's directory, with relative paths",
                late("(?i)cython"),
            ),
            Fix("give the generator relative paths (bison -l and flex -L leave the lines out)"),
        ),
        references=(_PATHS,),
        example=NearMiss("text", '#line 1 "/build/1st/p.l"\n', '#line 1 "/build/2nd/p.l"\n'),
        near_miss=NearMiss("text", '#line 1 "/build/1st/p.l"\n', '#line 2 "/build/2nd/p.l"\n'),
    ),
    Cause(
        id="random-id-in-generated-html",
        title="Identifiers that the address of a node gave",
        family="randomness",
        kinds=TEXTS,
        tokens=matches(
            late(r"(?:(?:\bid|\bname|\bfor)=\"|\bhref=\"[^\"#\n]*#)(?P<v>id[mp]\d{5,20})(?=\")"),
            "id",
        ),
        judge=any_two,
        bound=True,
        paths=late(r"(?i)\.(?:x?html?|xml|svg|fo)$"),
        why="XSLT's generate-id() made identifiers from addresses in memory (libxslt before"
        " 1.1.35).",
        fixes=(
            Fix(
                "xsltproc --stringparam generate.consistent.ids 1 (docbook-xsl), or libxslt 1.1.35"
                " and later"
            ),
        ),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss(
            "xml",
            '<a id="idm140234880352"></a>',
            '<a id="idm139889120672"></a>',
            path="d.html",
        ),
        near_miss=NearMiss("xml", '<a id="idm1"></a>', '<a id="intro"></a>', path="d.html"),
    ),
    Cause(
        id="serial-numbers-in-media",
        title="The serial number of an Ogg stream",
        family="randomness",
        kinds=("ogg.serial",),
        tokens=whole("serial"),
        judge=any_two,
        why="An Ogg stream has a number taken by chance (RFC 3533, section 4).",
        fixes=(Fix("oggenc -s 0; ffmpeg -fflags +bitexact"),),
        references=("https://www.rfc-editor.org/rfc/rfc3533#section-4",),
        example=NearMiss("ogg.serial", "1", "2"),
        near_miss=NearMiss("ogg.comment", "take 1", "take 2"),
    ),
    Cause(
        id="copyright-year",
        title="The year of the build behind a copyright",
        family="time",
        kinds=TEXTS,
        tokens=matches(_YEAR, "year"),
        judge=_two_years,
        why="The build wrote the year of the day into a line of copyright.",
        fixes=(
            Fix(
                "take the year from SOURCE_DATE_EPOCH: date -u -d @$SOURCE_DATE_EPOCH +%Y; sphinx:"
                " 4.5 and later do"
            ),
        ),
        references=(_STAMPS, _EPOCH),
        example=NearMiss(
            "text", "/* Copyright (C) 2019-2026 ACME */\n", "/* Copyright (C) 2019-2027 ACME */\n"
        ),
        near_miss=NearMiss(
            "text", "/* Copyright (C) 2019-2026 ACME */\n", "/* Copyright (C) 2018-2027 ACME */\n"
        ),
    ),
)
