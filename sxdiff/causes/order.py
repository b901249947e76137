"""The same things in another order."""

from typing import Final

from sxdiff.causes.cause import Cause, Fix, NearMiss
from sxdiff.causes.tokens import another_order, permutation

CAUSES: Final = (
    Cause(
        id="line-ordering",
        title="Lines in another order",
        family="order",
        kinds=("text.order",),
        tokens=permutation(lambda text: text.removesuffix("\n").split("\n")),
        judge=another_order,
        why="The generator took names in the order of a directory, a hash table or a thread.",
        fixes=(Fix("sort in the generator: LC_ALL=C sort, sorted(os.listdir(…)), $(sort …)"),),
        references=("https://reproducible-builds.org/docs/stable-inputs/",),
        example=NearMiss("text.order", "b\na\n", "a\nb\n"),
        near_miss=NearMiss("text.order", "b\na\n", "a\nc\n"),
        composes=False,
    ),
)
