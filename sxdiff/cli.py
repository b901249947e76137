"""The command line: options, outputs, exit codes and signals, nothing else.

`sxdiff --version` must be instant, so all but click is imported where it is used.
"""

# ruff: noqa: PLC0415 - late imports: see above

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import click

from sxdiff import __version__

if TYPE_CHECKING:
    from sxdiff.report.build import Report

_RUNGS: Final = ("archive", "index", "manifest", "config", "rootfs", "contents")
_MET, _NOT_MET, _NO_VERDICT, _INTERRUPTED = 0, 1, 2, 130
_MACHINE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EFBIG)
"""Errors of the machine, not of sxdiff, that may come from anywhere."""


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    options_metavar="[OPTION]...",
)
@click.argument("a")
@click.argument("b")
@click.option(
    "--require",
    type=click.Choice(_RUNGS),
    metavar="RUNG",
    help="archive, index, [manifest], config, rootfs, contents",
)
@click.option("--ref", metavar="NAME", help="Compare the image of this name in each input.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="P",
    help="Compare only OS/ARCH; may be repeated.",
)
@click.option("--json", metavar="FILE", help="Write the report as JSON.")
@click.option("--html", metavar="FILE", help="Write it as one HTML page.")
@click.option("--text", metavar="FILE", help="Write it as text [-, standard output].")
@click.option("-v", "--verbose", is_flag=True, help="List every difference in the text.")
@click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    metavar="WHEN",
    default="auto",
    help="auto, always or never.",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Work on N things at once.")
@click.option("--spool", metavar="DIR", help="Keep temporary files below DIR.")
@click.option(
    "--write-normalised",
    metavar="DIR",
    help="Write both images without what is explained.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, message="sxdiff %(version)s", help="Print the version.")
def command(
    a: str,
    b: str,
    require: str | None,
    ref: str | None,
    platforms: tuple[str, ...],
    json: str | None,
    html: str | None,
    text: str | None,
    verbose: bool,
    color: str,
    jobs: int | None,
    spool: str | None,
    write_normalised: str | None,
    debug: bool,
) -> int:
    """Compare two OCI container images: where do they differ, and why?

    \b
    sxdiff a.tar b.tar
    sxdiff --json report.json --html report.html out/core-bash out2/core-bash
    sxdiff --require config --platform linux/arm64 a.tar b.tar
    sxdiff explain [CAUSE]   what a cause is, what to change (an image: ./explain)
    """
    from sxdiff.report import write
    from sxdiff.run import Options, compare

    wanted = (("json", json), ("html", html), ("text", text))
    outputs = [(form, target) for form, target in wanted if target is not None]
    if not outputs:
        outputs = [("text", write.STDOUT)]
    _check_outputs([target for _, target in outputs], (a, b))
    options = Options(
        require=require,
        ref=ref,
        platforms=platforms,
        jobs=jobs,
        spool=spool,
        write_normalised=write_normalised,
        debug=debug,
    )
    progress = _Progress() if sys.stderr.isatty() else None
    try:
        with compare(a, b, options, progress) as report:
            if progress:
                progress.clear()
            code = _MET if report.header["met"] else _NOT_MET
            # files first: they must be whole even if nobody reads standard output to its end
            for form, target in sorted(outputs, key=lambda output: output[1] == write.STDOUT):
                colored = form == "text" and _is_colored(color, target == write.STDOUT)
                try:
                    write.write(target, _chunks(report, form, verbose, colored))
                except BrokenPipeError:
                    if target == write.STDOUT:
                        _drop_stdout()
    finally:
        if progress:
            progress.clear()
    return code


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one on purpose
            signal.signal(number, _on_signal)
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if words[:1] == ["explain"] and not any(word.startswith("-") for word in words):
            return _explain(words[1:])
        code: int = command.main(words, prog_name="sxdiff", standalone_mode=False)
        return code
    except click.ClickException as error:
        error.show()
        return _NO_VERDICT
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except _SignalError as error:
        return 128 + error.number
    except Exception as error:
        return _fail(error, "--debug" in words)


def _explain(names: Sequence[str]) -> int:
    """`sxdiff explain [CAUSE]`: the page of a cause, or the list of all."""
    from sxdiff.causes import page
    from sxdiff.report import write
    from sxdiff.report.escape import escape

    if len(names) > 1:
        raise click.UsageError(f"explain takes one cause, not {len(names)}.")
    parts = page.parts(names[0]) if names else []
    if names and not parts:
        near = page.nearest(names[0])
        hint = f"did you mean {' or '.join(near)}?" if near else "sxdiff explain lists all"
        click.echo(f"sxdiff: there is no cause {escape(names[0])}; {hint}", err=True)
        return _NO_VERDICT
    told = page.screen(parts, _columns()) if names else page.contents()
    try:
        write.write(write.STDOUT, [told])
    except BrokenPipeError:
        _drop_stdout()
    return _MET


def _columns() -> int:
    """How wide a text for people may be: as the terminal, but not so wide that lines get lost."""
    columns = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 80
    return min(max(columns, 40), 100)


def _fail(error: Exception, debug: bool) -> int:
    """One line on standard error for what ended the run without a verdict."""
    from sxdiff.model import InputError
    from sxdiff.report.escape import escape

    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, InputError):
        line = str(error)
    elif isinstance(error, OSError) and error.errno in _MACHINE:
        line = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    else:
        line = f"this is a bug in sxdiff, please report it: {type(error).__name__}: {error}"
        line += "" if debug else " (--debug shows where)"
    click.echo(f"sxdiff: {escape(line)}", err=True)
    return _NO_VERDICT


class _SignalError(BaseException):
    """A signal asks to end: unwinds everything, so that temporary files go."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _on_signal(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # the clean-up is not to be interrupted in turn
    raise _SignalError(number)


def _check_outputs(targets: list[str], inputs: tuple[str, str]) -> None:
    """Wrong outputs are told at once, not after the long work."""
    from sxdiff.report import write

    if targets.count(write.STDOUT) > 1:
        raise click.UsageError("Only one output can go to standard output.")
    paths = [os.path.realpath(target) for target in targets if target != write.STDOUT]
    if len(set(paths)) < len(paths):
        raise click.UsageError("Two outputs go to the same file.")
    if not set(paths).isdisjoint(map(os.path.realpath, inputs)):
        raise click.UsageError("An output would overwrite an input.")
    for target in targets:
        write.check(target)


def _chunks(report: "Report", form: str, verbose: bool, colored: bool) -> Iterator[str]:
    """The report in one form. Only the modules of that form are loaded."""
    if form == "json":
        from sxdiff.report import json

        return json.chunks(report)
    if form == "html":
        from sxdiff.report import html

        return html.chunks(report)
    from sxdiff.report import text

    columns = 80
    if verbose and sys.stdout.isatty():
        columns = os.get_terminal_size(sys.stdout.fileno()).columns or columns
    return text.chunks(report, verbose=verbose, color=colored, width=columns)


def _is_colored(color: str, to_stdout: bool) -> bool:
    if color != "auto":
        return color == "always"
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return to_stdout and not plain and sys.stdout.isatty()


def _drop_stdout() -> None:
    """Nobody reads on: what Python still flushes at its end goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Progress:
    """One line on the terminal's standard error, drawn over and over."""

    _SECONDS = 0.1

    def __init__(self) -> None:
        self._next = 0.0
        self._drawn = False

    def __call__(self, done_bytes: int, total_bytes: int, what: str) -> None:
        from time import monotonic

        from sxdiff.report.escape import escape

        now = monotonic()
        if now < self._next:
            return
        self._next, self._drawn = now + self._SECONDS, True
        share = f"{min(100, done_bytes * 100 // total_bytes):3}% " if total_bytes else ""
        sys.stderr.write(f"\r\x1b[K{share}{escape(what)[:70]}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False


if __name__ == "__main__":
    main()
