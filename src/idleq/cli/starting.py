"""Starts the daemon as a process of its own, and waits until it answers."""

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import IO, TYPE_CHECKING, TypeVar

import typer

from idleq.cli.errors import DaemonDidNotStart
from idleq.errors import IdleqError
from idleq.scheduler.errors import DaemonAway

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from idleq.cli.client import Client
    from idleq.cli.session import Session
    from idleq.scheduler.paths import ServerPaths

PATIENCE_SECONDS = 90.0
"""A busy login node may take long to import everything; a daemon that fails says so earlier, by ending. One that has much to read
writes into its log while it does."""

WHILE_SECONDS = 10.0
"""Most daemons answer earlier, and nobody wonders."""

GLANCE_SECONDS = 0.1


Answer = TypeVar("Answer")


def ask_or_start(session: "Session", question: "Callable[[Client], Answer]", *, may_start: bool) -> Answer:
    """Return what the daemon answers; where none does start one, if that is wanted or a person agrees, and ask that.

    Raises:
        DaemonAway: nobody answers, and none was to be started.
    """
    try:
        return question(session.client())
    except DaemonAway as error:
        if session.holder() is not None:
            session.say("The daemon has begun, and does not answer yet ...")
            _await_answer(session, partial(_check_that_it_lives, session, error))
            return question(session.client())
        wanted = may_start or session.environment.get("IDLEQ_AUTOSTART") == "1"
        if not wanted and not (session.is_talking and session.can_ask):
            raise DaemonAway(f"{error} (or let this command do it: --start-daemon, or IDLEQ_AUTOSTART=1)") from error
        if not wanted and not typer.confirm(
            f"No daemon serves {session.paths.root}. Start one?", default=True, err=True
        ):
            raise
    start_daemon(session)
    return question(session.client())


def start_daemon(session: "Session", *, cluster: str | None = None) -> None:
    """Start the daemon of the session's server directory; it goes on when this process ends.

    *cluster* is what `idleq daemon run --cluster` is given; None leaves it to config.toml.

    Raises:
        BadConfig: config.toml cannot be understood.
        DaemonDidNotStart: with what it said.
    """
    from idleq.scheduler.config import load_config

    paths = session.paths
    paths.create()
    takeover_ms = load_config(paths.config).server.takeover_ms
    with tempfile.TemporaryFile("w+") as answer:
        with paths.log.open("a") as log:
            argv = [sys.executable, "-m", "idleq", "--json", "--server-dir", str(paths.root), "daemon", "run"]
            argv += [] if cluster is None else ["--cluster", cluster]
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=answer, stderr=log, cwd="/", start_new_session=True
            )
        session.say(f"Starting the daemon of {paths.root} ...")

        def check() -> None:
            if process.poll() is not None:
                raise _failure(answer, process.returncode, paths)

        try:
            _await_answer(session, check, takeover_ms)
        except DaemonDidNotStart:
            process.terminate()
            raise


def _check_that_it_lives(session: "Session", away: DaemonAway) -> None:
    if session.holder() is None:
        raise away


def _await_answer(session: "Session", check: "Callable[[], None]", takeover_ms: int = 0) -> None:
    """Return when the daemon answers; *check* raises what there is to say when it does not live any more.

    Raises:
        DaemonDidNotStart: it lives and gives no sign of life.
    """
    log = session.paths.log
    # A daemon of another login node that gives no sign of life is waited for before its place is taken.
    patience = Patience(PATIENCE_SECONDS + takeover_ms / 1000, _size(log), time.monotonic())
    while patience.lasts(_size(log), time.monotonic()):
        if patience.deserves_a_word:
            session.say(f"It is at work already, and does not answer yet; how far it is stands in {log} ...")
        try:
            session.client().status()
        except DaemonAway:
            pass
        else:
            return
        check()
        time.sleep(GLANCE_SECONDS)
    raise DaemonDidNotStart(
        f"the daemon neither answered nor wrote into its log for {patience.seconds:.0f} s; its log is {log}"
    )


class Patience:
    """Lasts for so many *seconds* since the last sign of life; *deserves_a_word* once there is one after a while."""

    def __init__(self, seconds: float, sign: object, now: float) -> None:
        self.seconds, self.deserves_a_word = seconds, False
        self._sign, self._since, self._silent_until = sign, now, now + WHILE_SECONDS

    def lasts(self, sign: object, now: float) -> bool:
        """Whether to go on waiting *now*, where the sign of life looks like this."""
        is_alive = sign != self._sign
        if is_alive:
            self._sign, self._since = sign, now
        self.deserves_a_word = is_alive and now >= self._silent_until
        if self.deserves_a_word:
            self._silent_until = float("inf")
        return now < self._since + self.seconds


def _size(log: "Path") -> int:
    return log.stat().st_size if log.exists() else 0


def _failure(answer: IO[str], code: int, paths: "ServerPaths") -> IdleqError:
    """Return the daemon's own error where it told one, so that the exit code is its own too."""
    from idleq.scheduler.api.client import error_of

    answer.seek(0)
    try:
        told = json.load(answer)
        known = error_of(told)
        if type(known).__name__ == told["error"]["kind"]:
            return known
        said = str(told["error"]["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        said = f"it ended with exit code {code}"
    return DaemonDidNotStart(f"the daemon did not start: {said}; its log is {paths.log}")
