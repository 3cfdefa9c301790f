"""A whole daemon in this process: real HTTPS, a real journal in a file, a made-up cluster."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from idleq.ids import AllocationId, Millis
from idleq.scheduler import codec
from idleq.scheduler.api.access import Access, read_access
from idleq.scheduler.api.client import Client
from idleq.scheduler.clock import SteadyClock, SystemClock
from idleq.scheduler.config import Config, ServerSettings
from idleq.scheduler.core.commands import AgentCommand
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.results import LinkedResults
from idleq.scheduler.service import Parts, Service
from idleq.scheduler.store.journal import Journal
from support.daemon import POLICY, FakeCluster, quiet_log


@dataclass
class Site:
    """One server directory and what outlives its daemon."""

    root: Path
    cluster: FakeCluster = field(default_factory=FakeCluster)
    server: ServerSettings = field(default_factory=ServerSettings)
    clients: list[Client] = field(default_factory=list)

    def connect(self, access: Access) -> Client:
        """Return a client that is closed when the daemon stops."""
        self.clients.append(Client(access))
        return self.clients[-1]

    @property
    def paths(self) -> ServerPaths:
        return ServerPaths(self.root)

    @contextmanager
    def service(self) -> Iterator[Service]:
        """Return a daemon that has not started."""
        self.paths.create()
        journal = Journal.open(f"sqlite:///{self.paths.journal}")
        try:
            yield Service(
                Parts(
                    paths=self.paths,
                    config=Config(server=self.server, policy=POLICY),
                    journal=journal,
                    cluster=self.cluster,
                    results=LinkedResults(self.paths),
                    clock=SystemClock(),
                    steady=SteadyClock(),
                    log=quiet_log(),
                    poll_ms=Millis(20),
                    calm_ms=Millis(20),
                    epoch=1,
                    check=lambda: None,
                )
            )
        finally:
            journal.close()

    @contextmanager
    def daemon(self) -> Iterator[Client]:
        """Run a daemon, from where it listens to its clean stop."""
        self.cluster.is_first = True
        with self.service() as service:
            up = threading.Event()
            thread = threading.Thread(target=service.run, kwargs={"on_up": up.set})
            thread.start()
            try:
                assert up.wait(30)
                yield self.connect(read_access(self.paths))
            finally:
                service.stop()
                thread.join(30)
                for client in self.clients:
                    client.close()
                assert not thread.is_alive()

    def agent(self, client: Client, allocation: str) -> "Agent":
        """Return the agent of *allocation*, which has to exist."""
        token = self.paths.allocation(AllocationId(allocation)).token.read_text()
        return Agent(self.connect(replace(client.access, token=token)), allocation)


@dataclass
class Agent:
    """Speaks for one allocation."""

    client: Client
    allocation: str
    told: int = 0

    def sync(self, *said: Input, have: Sequence[int] = (), wait_ms: int = 0) -> Any:
        reports = []
        for one in said:
            self.told += 1
            reports.append({"number": self.told, "kind": type(one).__name__, "body": codec.to_plain(one)})
        body = {"boot": "b", "reports": reports, "have": list(have), "wait_ms": wait_ms}
        return self.client._call("POST", f"/v1/agents/{self.allocation}/sync", body)

    def commands(self, *said: Input, have: Sequence[int] = (), wait_ms: int = 0) -> list[AgentCommand]:
        """Exchange, and return the commands that came."""
        answer = self.sync(*said, have=have, wait_ms=wait_ms)
        return [codec.decode_plain(told["kind"], told["body"], AgentCommand) for told in answer["commands"]]
