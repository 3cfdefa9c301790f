"""A server directory with its real daemon, cluster, agents and guests, under a hand that kills them."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from idleq.bootstrap import stop_cluster
from idleq.ids import EntryId, JobId
from idleq.migration.ports import MARK
from idleq.processes import read_process, read_processes, read_variable
from idleq.scheduler.api.client import Client
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.errors import DaemonAway, JournalUnavailable
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from support import faults
from support.faults import Faults

T = TypeVar("T")

GIVE_UP_S = 100.0
GLANCE_S = 0.05
LEAVE_S = 10.0
"""A process that was told to go may still be on its way out."""

QUICK = """
[policy]
grace = "2s"
min_gap = "1s"
linger = "500ms"
retry = "100ms"
slow = "500ms"
progress = "200ms"
lease = "{lease}"
margin = "1s"
freeze = "1s"
thaw = "1s"

[cluster]
kind = "embedded"
nodes = {nodes}
cores = {cores}
load = {load}
speed = {speed}
seed = {seed}
"""


def quick(
    *, lease: str = "30s", nodes: int = 3, cores: int = 2, load: float = 0.001, speed: float = 1, seed: int = 1
) -> str:
    """Return a config.toml for short jobs; without a *load* to speak of there are no main jobs for hours."""
    return QUICK.format(lease=lease, nodes=nodes, cores=cores, load=load, speed=speed, seed=seed)


@dataclass(slots=True)
class RealServer:
    """One server directory; `clean` ends every process of it, whatever happened."""

    folder: Path
    config: str = field(default_factory=quick)
    paths: ServerPaths = field(init=False)
    faults: Faults = field(init=False)
    _daemon: "subprocess.Popen[bytes] | None" = None
    _client: Client | None = None
    _requests: int = 0

    def __post_init__(self) -> None:
        self.paths, self.faults = ServerPaths(self.folder / "d"), Faults(self.folder / "faults")
        self.paths.create()
        self.paths.config.write_text(self.config)
        self.faults.create()

    # The daemon's process.

    def spawn(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start `idleq` with *arguments*; the caller ends it."""
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                faults.own_argv(self.paths.root, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, faults.FOLDER: str(self.faults.root)},
                start_new_session=True,
            )

    def keep_up(self) -> Client:
        """Return a client of a living daemon; one that was killed is started again, as a person or systemd would."""
        give_up = time.monotonic() + GIVE_UP_S
        while True:
            assert time.monotonic() < give_up, self.log()
            if self._daemon is None or self._daemon.poll() is not None:
                assert self._daemon is None or self._daemon.returncode == -signal.SIGKILL, self.log()
                self.forget_client()
                self._daemon = self.spawn("daemon", "run")
            try:
                return self._connected()
            except DaemonAway:
                # Its predecessor's access.json lies there until it has written its own.
                time.sleep(GLANCE_S)

    def _connected(self) -> Client:
        if self._client is None:
            client = Client.for_directory(self.paths)
            if client.access.pid != self.daemon_pid:
                raise DaemonAway("that is the one that was killed")
            try:
                client.status()
            except JournalUnavailable:
                # It is up, and says what is wrong.
                pass
            except BaseException:
                client.close()
                raise
            self._client = client
        return self._client

    def forget_client(self) -> None:
        """Connect anew the next time."""
        if self._client is not None:
            self._client.close()
        self._client = None

    @property
    def daemon_pid(self) -> int:
        """The daemon's process."""
        assert self._daemon is not None
        return self._daemon.pid

    def kill_daemon(self) -> None:
        """End the daemon by SIGKILL; the next `ask` starts another."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()

    def stop_daemon(self) -> None:
        """End the daemon as a person does."""
        self.keep_up()
        self.forget_client()
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGTERM)
        assert self._daemon.wait(GIVE_UP_S) == 0, self.log()
        self._daemon = None

    # What people do.

    def ask(self, question: Callable[[Client], T]) -> T:
        """Ask the daemon, again and again while it is killed meanwhile."""
        give_up = time.monotonic() + GIVE_UP_S
        while True:
            client = self.keep_up()
            try:
                return question(client)
            except (DaemonAway, JournalUnavailable):
                assert time.monotonic() < give_up, self.log()
                self.forget_client()
                time.sleep(GLANCE_S)

    def submit(self, *submissions: Submission) -> list[EntryId]:
        """Submit; a request whose answer was lost is repeated, and is the same request."""
        self._requests += 1
        request = f"r{self._requests}"
        return [
            EntryId(entry) for entry in self.ask(lambda client: client.submit(submissions, request, "ada")["entries"])
        ]

    def until(self, what: Callable[[], T | None], meanwhile: Callable[[], object] = lambda: None) -> T:
        """Return what *what* returns as soon as it is something."""
        give_up = time.monotonic() + GIVE_UP_S
        while not (found := what()):
            assert time.monotonic() < give_up, self.log()
            meanwhile()
            time.sleep(GLANCE_S)
        return found

    def until_over(self, entries: list[EntryId]) -> None:
        """Wait until all jobs of *entries* are over."""
        jobs = [JobId(str(entry)) for entry in entries]
        self.until(lambda: self.ask(lambda client: client.wait(jobs, timeout_ms=2_000))["is_over"])

    # What can be seen.

    def facts(self) -> list[Fact]:
        """Return what the journal holds."""
        journal = Journal.open(sqlite_url(self.paths.journal), create=False)
        try:
            return [fact for _, fact in journal.facts()]
        finally:
            journal.close()

    def facts_of(self, kind: type[T]) -> list[T]:
        """Return the facts of one kind."""
        return [fact for fact in self.facts() if isinstance(fact, kind)]

    def members(self) -> dict[int, str]:
        """Return every living process of this server directory but the daemon, and what it is."""
        found: dict[int, str] = {}
        root = os.fsencode(self.paths.root)
        for pid, process in read_processes().items():
            if process.is_zombie or (self._daemon is not None and pid == self._daemon.pid) or pid == os.getpid():
                continue
            with contextlib.suppress(OSError):
                argv = Path(f"/proc/{pid}/cmdline").read_bytes()
                if (read_variable(pid, "IDLEQ_OUTPUT_DIR") or "").startswith(str(self.paths.root)):
                    found[pid] = "guest"
                elif root in argv:
                    found[pid] = next((word for word in faults.ROLES if f"\0{word}\0".encode() in argv), "other")
        return found

    def processes(self, kind: str) -> list[int]:
        """Return the living processes of one *kind*: agent, guest or cluster."""
        return sorted(pid for pid, what in self.members().items() if what == kind)

    def guest_of(self, job: str) -> int | None:
        """Return the process that runs *job*, if there is one."""
        for pid in self.processes("guest"):
            if (read_variable(pid, MARK) or "").split("/")[1:2] == [job]:
                return pid
        return None

    def await_end(self, pid: int) -> None:
        """Wait until *pid* has ended."""
        self.until(lambda: (process := read_process(pid)) is None or process.is_zombie)

    def kill_one(self, kind: str, chance: random.Random) -> bool:
        """End one process of a *kind* by SIGKILL; False if there is none."""
        found = self.processes(kind)
        if not found:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(found), signal.SIGKILL)
        return True

    def log(self) -> str:
        """What the daemon and the cluster said last, for failures."""
        places = [self.folder / "said", self.paths.log, self.paths.cluster.log]
        return "\n".join(f"== {place}\n{place.read_text()[-6000:]}" for place in places if place.exists())

    # The end.

    def end(self) -> dict[int, str]:
        """Stop everything as a person does, and return what lives all the same."""
        self.stop_daemon()
        stop_cluster(self.paths.root)
        give_up = time.monotonic() + LEAVE_S
        while (left := self.members()) and time.monotonic() < give_up:
            time.sleep(GLANCE_S)
        return left

    def clean(self) -> None:
        """End all that is left, by number."""
        self.forget_client()
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        # The cluster first: it starts the others.
        for kind in ("cluster", "agent", "guest", "other"):
            for pid in self.processes(kind):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
