"""The API over a daemon with fakes, called without a network."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from idleq.ids import AllocationId
from idleq.scheduler.api.app import make_app
from idleq.scheduler.api.auth import AgentTokens
from idleq.scheduler.api.bell import Bell
from idleq.scheduler.api.office import Office
from idleq.scheduler.outbox import Outbox
from support.asgi import Caller
from support.daemon import Bench, quiet_log

PEOPLE = "people's-token"


class WatchedBell(Bell):
    """A bell of which a test may await that somebody waits."""

    def begin(self) -> None:
        """Serve the running loop."""
        self.attach(asyncio.get_running_loop())
        self.is_waited_for = asyncio.Event()

    async def wait(self, topics: Iterable[str], timeout_ms: int) -> bool:
        if hasattr(self, "is_waited_for"):
            self.is_waited_for.set()
        return await super().wait(topics, timeout_ms)


@dataclass
class Desk:
    """The API and who may call it."""

    root: Path
    stops: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bench = Bench(self.root, agents=Outbox())
        self.bench.paths.create()
        self.bell = WatchedBell()
        self.tokens = AgentTokens(self.bench.paths)
        self.office = Office(
            mailbox=self.bench.mailbox,
            outbox=self.bench.agents,
            intake=self.bench.intake,
            leases=self.bench.leases,
            bell=self.bell,
            tokens=self.tokens,
            daemon_id="d1",
            epoch=1,
            shut_down=lambda: self.stops.append("stop"),
            mount_roots=("/data",),
        )
        self.app = make_app(self.office, PEOPLE, quiet_log())
        self.people = Caller(self.app, PEOPLE)

    def agent(self, allocation: str) -> Caller:
        """Return one who shows the token of *allocation*, which is made if there is none."""
        self.tokens.make(AllocationId(allocation))
        return Caller(self.app, self.bench.paths.allocation(AllocationId(allocation)).token.read_text())
