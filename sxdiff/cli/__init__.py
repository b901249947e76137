"""The command line: options, outputs, exit codes and signals, nothing else.

`sxdiff --version` must be instant, so a command's module is imported only where it is called.
"""

import errno
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

import click
from click.shell_completion import CompletionItem

from sxdiff import __version__

MET, NOT_MET, NO_VERDICT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes, as docs/report.md has them."""

COMMANDS: Final = ("compare", "batch", "render", "explain")
"""Each is `command` of the module of its name. The first is meant where none is named."""

_MACHINE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EFBIG)
"""Errors of the machine, not of sxdiff, that may come from anywhere."""


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
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one on purpose
            signal.signal(number, _on_signal)
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        code: int = command.main(words, prog_name="sxdiff", standalone_mode=False)
        return code
    except click.ClickException as error:
        error.show()
        return NO_VERDICT
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except _SignalError as error:
        return 128 + error.number
    except Exception as error:
        return _fail(error, "--debug" in words)


def _fail(error: Exception, debug: bool) -> int:
    """One line on standard error for what ended the run without a verdict."""
    from sxdiff.model import InputError  # noqa: PLC0415 - see above
    from sxdiff.report.escape import escape  # noqa: PLC0415 - see above

    if debug:
        import traceback  # noqa: PLC0415 - rarely wanted

        traceback.print_exception(error)
    if isinstance(error, InputError):
        line = str(error)
    elif isinstance(error, OSError) and error.errno in _MACHINE:
        line = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    else:
        line = f"this is a bug in sxdiff, please report it: {type(error).__name__}: {error}"
        line += "" if debug else " (--debug shows where)"
    click.echo(f"sxdiff: {escape(line)}", err=True)
    return NO_VERDICT


class _SignalError(BaseException):
    """A signal asks to end: unwinds everything, so that temporary files go."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _on_signal(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # the clean-up is not to be interrupted in turn
    raise _SignalError(number)
