"""`idleq` as it is, but for places where the process kills itself: `python faults.py ...` takes what `idleq` takes.

The environment names a folder (FOLDER). A file in its `armed/`, like `append.before.3`, lets the process that comes to
that place for the third time from then on, whichever process it is, end itself by SIGKILL; `fired/` then tells its number.
What the daemon starts (the cluster), and what that starts (the agents), are started by this program too.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

FOLDER = "FAULTS_FOLDER"
"""The environment's variable with the folder."""

SAME = "same"
MOST_PAGES = 2**30

DAEMON = {
    "append": "idleq.scheduler.store.journal:Journal.append",
    "request": "idleq.simulator.embedded:EmbeddedCluster.request",
    "release": "idleq.simulator.embedded:EmbeddedCluster.release",
    "poll": "idleq.simulator.embedded:EmbeddedCluster.poll",
    "admit": "idleq.scheduler.api.auth:AgentTokens.make",
    "send": "idleq.scheduler.outbox:Outbox.send",
    "forget": "idleq.scheduler.outbox:Outbox.forget",
    "take": "idleq.scheduler.intake:Intake.settle",
    "publish": "idleq.scheduler.results:LinkedResults.publish",
}
AGENT = {
    "flush": "idleq.scheduler.agent.reports:Reports.flush",
    "exchange": "idleq.scheduler.agent.api_link:ApiLink.exchange",
    "start": "idleq.migration.process:ProcessRuntime.start",
    "signal": "idleq.migration.process:ProcessRuntime.signal",
    "freeze": "idleq.migration.snapshot:publish",
    "thaw": "idleq.migration.snapshot:restore",
    "keep": "idleq.migration.snapshot:publish_output",
}
CLUSTER = {
    "spawn": "idleq.simulator.host:Host.start",
    "end": "idleq.simulator.host:Host.end",
    "note": "idleq.simulator.book:Book.add",
    "answer": "idleq.simulator.livecluster:LiveCluster.answer",
}
ROLES = {"daemon": DAEMON, "agent": AGENT, "cluster": CLUSTER}
"""Where a process of each kind can be killed: before and after each of these calls."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The folder, seen from both sides: tests arm places, processes come to them."""

    root: Path

    @property
    def armed(self) -> Path:
        """One file for each place that waits for its victim."""
        return self.root / "armed"

    @property
    def fired(self) -> Path:
        """One file for each process that died; it holds the process's number."""
        return self.root / "fired"

    @property
    def disk_is_full(self) -> Path:
        """As long as this file is there the journal cannot grow."""
        return self.root / "disk-is-full"

    @property
    def verdict(self) -> Path:
        """What a daemon that was stopped says: whether its state is what its journal restores."""
        return self.root / "verdict"

    def create(self) -> None:
        """Make the folders."""
        for folder in (self.armed, self.fired):
            folder.mkdir(parents=True)

    def arm(self, place: str, count: int) -> None:
        """Let whoever comes to *place* for the *count*-th time from now on die there."""
        (self.armed / f"{place}.{count}").touch()

    def has_fired(self, place: str) -> bool:
        """Whether somebody has died at *place*."""
        return (self.fired / place).exists()

    def come_to(self, place: str) -> None:
        """Count this visit, and die if it is the one."""
        for file in self.armed.iterdir():
            there, _, count = file.name.rpartition(".")
            if there != place:
                continue
            try:
                if int(count) > 1:
                    file.rename(self.armed / f"{place}.{int(count) - 1}")
                    continue
                file.rename(self.fired / place)
            except FileNotFoundError:
                # Another process or thread came at the same time, and this visit was its.
                continue
            (self.fired / place).write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)


Call = Callable[..., Any]


def put_round(where: str, around: Callable[[Call], Call]) -> None:
    """Replace the function or method that *where* names by what *around* makes of it."""
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    call: Call = getattr(owner, name)
    setattr(owner, name, wraps(call)(around(call)))


def make_mortal(faults: Faults, place: str, where: str) -> None:
    """Let whoever calls *where* come to *place*.before and *place*.after."""

    def around(call: Call) -> Call:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            faults.come_to(f"{place}.before")
            result = call(*args, **kwargs)
            faults.come_to(f"{place}.after")
            return result

        return mortal

    put_round(where, around)


def own_argv(server_dir: Path, *arguments: str) -> tuple[str, ...]:
    """Return how this program starts itself for *server_dir*, in place of `bootstrap._idleq`."""
    return (sys.executable, str(Path(__file__).resolve()), "--server-dir", str(server_dir), *arguments)


def limit_journal(faults: Faults) -> None:
    """Give the journal a disk that is full whenever *faults* says so: SQLite itself then refuses to make it longer."""
    from sqlalchemy import event

    def fit(connection: Any) -> None:
        used = connection.exec_driver_sql("PRAGMA page_count").scalar()
        most = used if faults.disk_is_full.exists() else MOST_PAGES
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    def around(open_database: Call) -> Call:
        def limited(*args: Any, **kwargs: Any) -> Any:
            engine = open_database(*args, **kwargs)
            event.listen(engine, "begin", fit)
            return engine

        return limited

    put_round("idleq.scheduler.store.journal:open_database", around)


def compare_when_stopped(faults: Faults) -> None:
    """Let a daemon that is stopped say whether what it knows is what its journal restores."""
    from idleq.scheduler.core.engine import Engine

    def around(run: Call) -> Call:
        def watched(service: Any, *args: Any, **kwargs: Any) -> None:
            run(service, *args, **kwargs)
            live = service.daemon._engine.state
            restored = Engine.restore(service._parts.journal.facts()).state
            faults.verdict.write_text(SAME if restored == live else f"live: {live!r}\nrestored: {restored!r}")

        return watched

    put_round("idleq.scheduler.service:Service.run", around)


def main() -> None:
    """Be `idleq`, mortal."""
    from idleq import bootstrap
    from idleq.cli import main as idleq

    faults = Faults(Path(os.environ[FOLDER]))
    bootstrap._idleq = own_argv
    role = next(word for word in sys.argv if word in ROLES)
    for place, where in ROLES[role].items():
        make_mortal(faults, place, where)
    if role == "daemon":
        limit_journal(faults)
        compare_when_stopped(faults)
    idleq()


if __name__ == "__main__":
    main()
