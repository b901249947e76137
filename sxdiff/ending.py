"""What a signal must not leave behind: workers, the spool, half an output.

An exception would be no sure way to end on a signal. Python raises it between any two steps: in a
finaliser, where it is swallowed, in the middle of cleaning up, or where a directory is made and
nobody knows its name yet. So the handler cleans up by itself and ends the process. What a run has
made and not yet taken away is listed here, and is made and listed `together`.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_left: dict[int, Callable[[], object]] = {}
_next = 0
_held = 0
_came: int | None = None


@contextmanager
def together() -> Iterator[None]:
    """A signal that comes while the body runs ends the process after it."""
    global _held  # noqa: PLW0603 - a process ends once
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        if _came is not None and not _held:
            _end(_came)


def leave_to(remove: Callable[[], object]) -> int:
    """Have `remove` called should a signal end the run; the number by which to `forget` it."""
    global _next  # noqa: PLW0603 - see above
    _next += 1
    _left[_next] = remove
    return _next


def forget(number: int) -> None:
    """It is gone, or is to stay."""
    _left.pop(number, None)


def on_signal(number: int, _: FrameType | None) -> None:
    """The handler: leaves nothing, and ends the process with 128 and the signal's number."""
    global _came  # noqa: PLW0603 - see above
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # not SIG_IGN: of one that has come already Python would say so, on standard error
        signal.signal(other, _nothing)
    if _held:
        _came = number
    else:
        _end(number)


def _nothing(_number: int, _: FrameType | None) -> None:
    """What another signal does while the process ends."""


def _end(number: int) -> None:
    for remove in reversed([*_left.values()]):
        with suppress(Exception):  # the others are to go all the same
            remove()
    os._exit(128 + number)
