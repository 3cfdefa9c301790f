"""Where a call begins and ends: no traceback reaches a person, and every error has its exit code."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from idleq.errors import IdleqError

if TYPE_CHECKING:
    from typer import TyperException

    from idleq.cli.session import Session

USAGE = 2
UNEXPECTED = 70
INTERRUPTED = 130
PIPE_CLOSED = 141  # as in idleq.cli.options


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process."""
    try:
        code = _run_here()
    except KeyboardInterrupt:  # while it was still being imported
        code = INTERRUPTED
    if code == PIPE_CLOSED:  # nobody reads any more: let Python's last flush go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run_here() -> int:
    from idleq.cli.connection import connect
    from idleq.cli.session import Session
    from idleq.scheduler.clock import SystemClock

    return run(sys.argv[1:], Session(environment=os.environ, now=SystemClock().now, connect=connect))


def run(arguments: Sequence[str], session: "Session") -> int:
    """Run one command, print what it returns, and return the exit code."""
    from typer import Abort, TyperException
    from typer.main import get_command

    from idleq.cli.app import as_much_as
    from idleq.cli.result import Result

    try:
        result = get_command(as_much_as(arguments)).main(
            list(arguments), prog_name="idleq", standalone_mode=False, obj=session
        )
        if isinstance(result, Result):
            session.show(result)
            return result.code
        code = result if isinstance(result, int) else 0
        return _interrupted(session) if code == INTERRUPTED else code
    except IdleqError as error:
        return _told(error, session)
    except Abort:
        return _interrupted(session)
    except TyperException as error:
        return _misused(error, arguments, session)
    except KeyboardInterrupt:
        return _interrupted(session)
    except BrokenPipeError:
        return PIPE_CLOSED
    except Exception as error:
        if session.environment.get("IDLEQ_DEBUG") == "1":
            raise
        return _unexpected(error, session)


def _interrupted(session: "Session") -> int:
    """Whoever pressed Ctrl-C knows why it ended; whoever reads JSON is told."""
    from idleq.cli import printer

    if session.wants_json:
        what = {"kind": "Interrupted", "message": "it was interrupted", "hint": "", "exit_code": INTERRUPTED}
        printer.print_json({"error": what}, session.stdout)
    return INTERRUPTED


def _told(error: IdleqError, session: "Session") -> int:
    from idleq.cli import printer

    hint = str(getattr(error, "hint", ""))
    if session.wants_json:
        printer.print_json(printer.error_value(error, error.exit_code, hint), session.stdout)
    else:
        printer.print_error(printer.message_of(error), hint, session.stderr)
    return error.exit_code


def _misused(error: "TyperException", arguments: Sequence[str], session: "Session") -> int:
    """A wrong option may stand before --json, so the words are looked at, not what was parsed of them."""
    from idleq.cli import printer

    if session.wants_json or "--json" in arguments:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if message.startswith("Usage: "):  # the whole page of help, for people who gave no command
            message = "a command is missing"
        what = {"kind": "UsageError", "message": message, "hint": "see `idleq --help`", "exit_code": USAGE}
        printer.print_json({"error": what}, session.stdout)
    elif hasattr(error, "show"):
        error.show(file=session.stderr)
    else:
        printer.print_error(str(error), "", session.stderr)
    return USAGE


def _unexpected(error: Exception, session: "Session") -> int:
    import tempfile
    import traceback

    from idleq.cli import printer

    with tempfile.NamedTemporaryFile("w", prefix="idleq-crash-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    message = f"this should not have happened ({type(error).__name__}: {error}); the full story is in {file.name}"
    if session.wants_json:
        what = {"kind": "Unexpected", "message": message, "hint": "", "exit_code": UNEXPECTED}
        printer.print_json({"error": what}, session.stdout)
    else:
        printer.print_error(message, "", session.stderr)
    return UNEXPECTED
