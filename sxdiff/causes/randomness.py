"""Random values and identities."""

from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.tokens import two_random_uuids, uuids

CAUSES: Final = (
    Cause(
        id="random-uuid",
        title="Random UUIDs",
        family="randomness",
        kinds=("*",),
        tokens=uuids,
        judge=two_random_uuids,
        why="The build made a UUID by chance or from the time.",
        fixes=(Fix("make it from a name (uuid5), set it by hand, or make it at the first start"),),
        references=("https://reproducible-builds.org/docs/randomness/",),
        example=NearMiss(
            "text",
            "id=0f8fad5b-d9cb-469f-a165-70867728950e\n",
            "id=7c9e6679-7425-40de-944b-e07fc1f90ae7\n",
        ),
        near_miss=NearMiss(
            "text",
            "id=0f8fad5b-d9cb-569f-a165-70867728950e\n",
            "id=7c9e6679-7425-50de-944b-e07fc1f90ae7\n",
        ),
    ),
)
