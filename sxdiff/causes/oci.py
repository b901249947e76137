"""What the builder writes into the image's own documents and layers."""

import re
from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.tokens import time_field, two_times

_FIXES: Final = (
    Fix(
        "buildah build --timestamp N, or --source-date-epoch N (1.41 and later)",
        re.compile("buildah|podman"),
    ),
    Fix(
        "SOURCE_DATE_EPOCH as a build argument (buildx 0.10, BuildKit 0.11 and later); buildah"
        " --timestamp N, or --source-date-epoch N (1.41 and later); kaniko --reproducible"
    ),
)

CAUSES: Final = (
    Cause(
        id="oci-config-created",
        title="Time of creation in the image config",
        family="time",
        kinds=("config.value",),
        tokens=time_field,
        judge=two_times,
        where=re.compile(r"/created$"),
        why="The builder writes the time of day into `created` (OCI image-spec, config).",
        fixes=_FIXES,
        references=("https://reproducible-builds.org/docs/source-date-epoch/",),
        example=NearMiss(
            "config.value", "2026-01-10T10:00:00Z", "2026-03-15T12:34:56Z", where=("/created",)
        ),
        near_miss=NearMiss("config.value", "amd64", "arm64", where=("/architecture",)),
    ),
)
