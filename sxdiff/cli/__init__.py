"""The command line: options, outputs, exit codes and signals, nothing else.

`sxdiff --version` must be instant, so a command's module is imported only where it is called.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem

from sxdiff import __version__, ending

MET, NOT_MET, NO_VERDICT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes, as docs/report.md has them."""

COMMANDS: Final = ("compare", "batch", "render", "explain")
"""Each is `command` of the module of its name. The first is meant where none is named."""


class _Commands(click.Group):
    """`sxdiff A B` is `sxdiff compare A B`: what it is for needs no verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002 - as click calls it
        if name not in COMMANDS:
            return None
        found: click.Command = import_module(f"sxdiff.cli.{name}").command
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What may come first: a command, or what may follow the one that is meant."""
        found = super().shell_complete(ctx, incomplete)
        meant = self.get_command(ctx, COMMANDS[0])
        if incomplete.startswith("-") and meant is not None:
            with click.Context(meant, parent=ctx, info_name=meant.name) as context:
                return found + meant.shell_complete(context, incomplete)
        return [CompletionItem(incomplete, type="file"), *found]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:  # a shell asks what may come first
            return super().parse_args(ctx, args)
        if args[:1] == ["--version"] and args[1:] in (["-v"], ["--verbose"]):
            from sxdiff.work.pool import isolation  # noqa: PLC0415 - see above

            lines, whole = isolation()
            click.echo("\n".join([f"sxdiff {__version__}", *lines]))
            ctx.exit(MET if whole else NOT_MET)
        if args != ["--version"] and args[:1] not in [[name] for name in COMMANDS]:
            args = [COMMANDS[0], *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Commands, context_settings={"max_content_width": 80}, add_help_option=False)
@click.version_option(__version__, message="sxdiff %(version)s")
def command() -> None:
    """Tells two builds of one container image apart."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with its code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup, and a shell for what it starts in the background, ignore one on purpose
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, ending.on_signal)
    _open_standard_files()
    sys.exit(_run(arguments))


def _open_standard_files() -> None:
    """No file of this run may get the number of one of these that the caller has closed."""
    while (number := os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code: int = command.main(words, prog_name="sxdiff", standalone_mode=False)
        _flush_stdout()
        return code
    except click.ClickException as error:
        _say(error.show)
        return NO_VERDICT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:
        _say(partial(_tell, error, "--debug" in words))
        return NO_VERDICT


def _flush_stdout() -> None:
    """What help and the like have said must have arrived; Python would find out too late."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()


def drop_stdout() -> None:
    """Nobody reads on: what Python still flushes at its end goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _say(say: Callable[[], object]) -> None:
    """Where not even standard error takes what is to be said, the exit code still says it."""
    try:
        _flush_stdout()
    except OSError:
        drop_stdout()
    with suppress(Exception):
        say()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _tell(error: Exception, debug: bool) -> None:
    """One line on standard error for what ended the run without a verdict."""
    from sxdiff.model import InputError  # noqa: PLC0415 - see above
    from sxdiff.report.escape import escape  # noqa: PLC0415 - see above
    from sxdiff.work.spool import machine_error  # noqa: PLC0415 - see above

    if debug:
        import traceback  # noqa: PLC0415 - rarely wanted

        traceback.print_exception(error)
    if isinstance(error, InputError):
        line = str(error)
    elif refused := machine_error(error):
        line = refused
    else:
        line = f"this is a bug in sxdiff, please report it: {type(error).__name__}: {error}"
        line += "" if debug else " (--debug shows where)"
    click.echo(f"sxdiff: {escape(line)}", err=True)
