"""One call of the command line: how it shall print, which server directory it means, and how it reaches the daemon."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from idleq.cli.result import Result
from idleq.ids import Millis

if TYPE_CHECKING:
    from idleq.cli.client import Client
    from idleq.scheduler.lock import Owner
    from idleq.scheduler.paths import ServerPaths


@dataclass(slots=True, kw_only=True)
class Session:
    """What the global options and the environment say; the options are filled in as they are read.

    Attributes:
        environment: the process's.
        now: the time.
        connect: returns the client for a server directory; raises DaemonAway where no daemon answers.
        stdout: where results go.
        stderr: where everything else goes.
        stdin: where answers come from.
        wants_json: exactly one JSON value on stdout.
        is_quiet: ids only.
        server_dir: the server directory, where an option names it.
    """

    environment: Mapping[str, str]
    now: Callable[[], Millis]
    connect: "Callable[[ServerPaths], Client]"
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    wants_json: bool = False
    is_quiet: bool = False
    server_dir: Path | None = None

    @property
    def paths(self) -> "ServerPaths":
        """The server directory's files."""
        from idleq.scheduler.paths import ServerPaths

        return (
            ServerPaths(self.server_dir.absolute())
            if self.server_dir
            else ServerPaths.from_environment(self.environment)
        )

    def client(self) -> "Client":
        """Return what speaks to the daemon, once the server directory is known to be ours alone."""
        from idleq.scheduler.errors import DaemonAway

        self.paths.check()
        try:
            return self.connect(self.paths)
        except DaemonAway as error:
            if (owner := self.holder()) is None:
                raise
            raise DaemonAway(
                f"the daemon of {self.paths.root} (process {owner.pid} on {owner.host}) has begun and does not answer yet:"
                f" it reads its journal, and {self.paths.log.name} says how far it is; try again in a while"
            ) from error

    def holder(self) -> "Owner | None":
        """Return the daemon that holds the server directory, be it on this host or on another, whether it answers or not."""
        from idleq.scheduler.lock import holder

        try:
            return holder(self.paths.lock)
        except OSError:  # no directory, or none of ours: others say so
            return None

    @property
    def has_colours(self) -> bool:
        """Whether colours reach somebody who wants them (no-color.org)."""
        return self.stdout.isatty() and not self.environment.get("NO_COLOR") and self.environment.get("TERM") != "dumb"

    @property
    def is_talking(self) -> bool:
        """Whether a person reads along: progress bars and questions make sense."""
        return self.stderr.isatty() and not self.wants_json and not self.is_quiet

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to answer."""
        return self.stdin.isatty()

    def say(self, line: str) -> None:
        """Tell a person something that is no result."""
        if not self.wants_json and not self.is_quiet:
            self.stderr.write(f"{line}\n")
            self.stderr.flush()

    def show(self, result: Result) -> None:
        """Print *result* as the global options say."""
        from idleq.cli import printer

        if self.wants_json:
            printer.print_json(result.value, self.stdout)
        elif self.is_quiet:
            printer.print_ids(result, self.stdout)
        else:
            printer.print_text(result, self.stdout, has_colours=self.has_colours)
        self.stdout.flush()
