"""What the routes work with."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from idleq.ids import AllocationId, Millis
from idleq.scheduler.api.answers import refused
from idleq.scheduler.api.auth import AgentTokens
from idleq.scheduler.api.bell import Bell
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.mailbox import Mailbox
from idleq.scheduler.outbox import Outbox

T = TypeVar("T")

GLANCE_MS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The daemon, as the API sees it.

    Attributes:
        mailbox: the way to the engine.
        outbox: commands that wait for their agents.
        intake: which reports are taken.
        leases: which allocations there are, and when their agents were heard.
        bell: wakes requests that wait.
        tokens: the agents'.
        daemon_id: a new one with each start of the daemon.
        epoch: higher than that of every daemon before it.
        shut_down: makes the daemon stop.
        first_view_ms: how long jobs wait to be taken in until the cluster has been seen, so that too large ones are refused.
        mount_roots: the folders of the nodes of which containers may see something.
    """

    mailbox: Mailbox
    outbox: Outbox
    intake: Intake
    leases: Leases
    bell: Bell
    tokens: AgentTokens
    daemon_id: str
    epoch: int
    shut_down: Callable[[], None]
    first_view_ms: int = 0
    mount_roots: tuple[str, ...] = ()

    async def ask(self, said: Input) -> Decision:
        """Have *said* decided and journalled.

        Raises:
            Refused, UnknownTarget, BadJobFile: the engine refused; nothing has changed.
            JournalUnavailable, DaemonAway: nothing has changed; later it may work.
        """
        (decision,) = await asyncio.wrap_future(self.mailbox.ask((said,)))
        if decision.refusal is not None:
            raise refused(decision.refusal)
        return decision

    async def await_first_view(self) -> None:
        """Return once any node is known, or when that has taken too long: the cluster may be away."""
        left = self.first_view_ms
        while left > 0 and not await self.look(lambda engine, _now: bool(engine.state.nodes)):
            await asyncio.sleep(GLANCE_MS / 1000)
            left -= GLANCE_MS

    async def tell(self, sender: AllocationId, said: Sequence[Input]) -> None:
        """Have what an agent said decided and journalled."""
        await asyncio.wrap_future(self.mailbox.ask(said, sender))

    async def look(self, question: Callable[[Engine, Millis], T]) -> T:
        """Have *question* answered from the state."""
        return await asyncio.wrap_future(self.mailbox.look(question))
