"""Times of the build that went into the result."""

import re
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.tokens import (
    epoch_numbers,
    time_field,
    times,
    two_times,
)

CAUSES: Final = (
    Cause(
        id="tar-mtime",
        title="Modification times of tar members",
        family="time",
        kinds=("tar.mtime", "tar.pax"),
        tokens=time_field,
        judge=two_times,
        where=re.compile(r"^(?!.*(?:atime|ctime)$)"),
        why="tar keeps the modification time of every file; files that the build writes get the"
        " clock's time.",
        fixes=(
            Fix(
                "BuildKit: SOURCE_DATE_EPOCH as a build argument and --output"
                " type=oci,rewrite-timestamp=true (BuildKit 0.13 and later)",
                re.compile("buildkit", re.IGNORECASE),
            ),
            Fix(
                "buildah: --source-date-epoch N --rewrite-timestamp (1.41 and later), or"
                " --timestamp N",
                re.compile("buildah|podman", re.IGNORECASE),
            ),
            Fix(
                "tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --clamp-mtime; for image layers"
                " rewrite-timestamp=true with BuildKit, --source-date-epoch N"
                " --rewrite-timestamp with buildah 1.41"
            ),
        ),
        references=("https://reproducible-builds.org/docs/archives/",),
        example=NearMiss("tar.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("tar.mode", "0644", "0600"),
    ),
    Cause(
        id="gzip-header-mtime",
        title="Time in the header of a gzip file",
        family="time",
        kinds=("gzip.mtime",),
        tokens=time_field,
        judge=two_times,
        why="gzip writes the input's modification time, or the time of day, into bytes 4 to 7"
        " (RFC 1952, section 2.3.1).",
        fixes=(Fix("gzip -n; in Python gzip.compress(data, mtime=0)"),),
        references=("https://reproducible-builds.org/docs/archives/",),
        example=NearMiss("gzip.mtime", "1768039200", "1773578096"),
        near_miss=NearMiss("gzip.xfl", "2", "4"),
    ),
    Cause(
        id="timestamp-in-text",
        title="Times in text",
        family="time",
        kinds=("*",),
        tokens=times,
        judge=two_times,
        why="The build wrote the date or the time of day into a file.",
        fixes=(
            Fix(
                "use SOURCE_DATE_EPOCH instead of the clock: date -u -d @$SOURCE_DATE_EPOCH, with"
                " LC_ALL=C TZ=UTC; or leave the date out"
            ),
        ),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss("text", "Built on 2026-01-10.\n", "Built on 2026-03-15.\n"),
        near_miss=NearMiss("text", "Built on 2026-01-10, v2\n", "Built on 2026-03-15, v3\n"),
    ),
    Cause(
        id="timestamp-unix-epoch-text",
        title="Seconds since 1970 in text",
        family="time",
        kinds=("*",),
        tokens=epoch_numbers,
        judge=two_times,
        why="The build wrote the number of seconds (or parts of them) since 1970 into a file.",
        fixes=(Fix("use SOURCE_DATE_EPOCH instead of the clock, or leave the number out"),),
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss("text", "build=1768039200\n", "build=1773578096\n"),
        near_miss=NearMiss("text", "size=0000039200\n", "size=1773578096\n"),
    ),
)
