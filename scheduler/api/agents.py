"""What agents say to the daemon and hear from it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from fastapi import APIRouter, Request, Response

from idleq.ids import AllocationId, CommandId
from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import MIB, read_as
from idleq.scheduler.api.office import Office
from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.hands import allocation_topic
from idleq.scheduler.intake import Report, inputs_of
from idleq.scheduler.outbox import Envelope

LARGEST_SYNC = 8 * MIB
"""Some ten thousand reports; an agent that has more sends them in turns."""

LONGEST_WAIT_MS = 30_000
"""Shorter than the idle limits of what may stand between a node and the login node."""

REPEAT_MS = 1_000
"""An agent whose reports could not be taken waits at least this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """What an agent says.

    Attributes:
        boot: the boot id of its node.
        reports: what is new, in order, from the first that was not yet taken on.
        have: commands that it has; they are not told again.
        wait_ms: how long it waits for a command if there is none.
    """

    boot: str = ""
    reports: tuple[Report, ...] = ()
    have: tuple[CommandId, ...] = ()
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Renewed:
    """The token by which the agent is let in from now on."""

    token: str


def agent_routes(office: Office) -> APIRouter:
    """Return the routes for agents."""
    router, desk = APIRouter(prefix="/v1/agents"), AgentDesk(office)

    @router.post("/{allocation}/sync")
    async def sync(allocation: str, request: Request) -> Response:
        return await desk.exchange(AllocationId(allocation), await read_as(request, Sync, limit=LARGEST_SYNC))

    @router.post("/{allocation}/token")
    async def renew(allocation: str) -> Response:
        return answer(Renewed(office.tokens.renew(AllocationId(allocation))))

    return router


class AgentDesk:
    """Speaks with agents; one agent may have several requests under way, but its reports are taken one after another."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._turns: WeakValueDictionary[AllocationId, asyncio.Lock] = WeakValueDictionary()

    async def exchange(self, allocation: AllocationId, said: Sync) -> Response:
        """Take the agent's reports, and give it what waits for it; with nothing to give, wait for something."""
        office = self._office
        office.leases.renew(allocation)
        office.outbox.acknowledge(allocation, said.have)
        async with self._turns.setdefault(allocation, asyncio.Lock()):
            is_taken = await self._take(allocation, said.reports)
        commands = office.outbox.owed(allocation)
        if not commands and allocation in office.leases:
            wait_ms = min(said.wait_ms, LONGEST_WAIT_MS)
            # Reports that could not be taken would come again at once.
            wait_ms = wait_ms if is_taken else max(wait_ms, REPEAT_MS)
            await office.bell.wait((allocation_topic(allocation),), wait_ms)
            commands = office.outbox.owed(allocation)
        return self._reply(allocation, commands)

    async def _take(self, allocation: AllocationId, reports: Sequence[Report]) -> bool:
        """Have what is new in *reports* journalled; while the journal is away nothing is lost, the agent keeps them."""
        inputs_of(allocation, reports)  # one that is wrong spoils them all, before any is claimed
        claim = self._office.intake.claim(allocation, reports)
        if not claim.reports:
            return True
        is_taken = False
        try:
            await self._office.tell(allocation, inputs_of(allocation, claim.reports))
            is_taken = True
        except JournalUnavailable:
            pass
        finally:
            self._office.intake.settle(claim, taken=is_taken)
        return is_taken

    def _reply(self, allocation: AllocationId, commands: Sequence[Envelope]) -> Response:
        """Write the reply; the commands are JSON already."""
        office = self._office
        body = b'{"taken":%d,"commands":[%s],"lease_ms":%d,"leave":%s,"daemon":"%s","epoch":%d}' % (
            office.intake.taken(allocation),
            b",".join(command.payload for command in commands),
            office.leases.left_ms(allocation),
            b"false" if allocation in office.leases else b"true",
            office.daemon_id.encode(),
            office.epoch,
        )
        return Response(body, media_type="application/json")
