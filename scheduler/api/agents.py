"""What agents say to the daemon and hear from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from idleq.ids import AllocationId, CommandId
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


def agent_routes(office: Office) -> APIRouter:
    """Return the routes for agents."""
    router = APIRouter(prefix="/v1/agents")

    @router.post("/{allocation}/sync")
    async def sync(allocation: str, request: Request) -> Response:
        return await exchange(office, AllocationId(allocation), await read_as(request, Sync, limit=LARGEST_SYNC))

    return router


async def exchange(office: Office, allocation: AllocationId, said: Sync) -> Response:
    """Take the agent's reports, and give it what waits for it; with nothing to give, wait for something."""
    office.leases.renew(allocation)
    office.outbox.acknowledge(allocation, said.have)
    is_taken = await _take(office, allocation, said.reports)
    commands = office.outbox.owed(allocation)
    if not commands and allocation in office.leases:
        wait_ms = min(said.wait_ms, LONGEST_WAIT_MS)
        # Reports that could not be taken come again at once otherwise.
        await office.bell.wait((allocation_topic(allocation),), wait_ms if is_taken else max(wait_ms, 1000))
        commands = office.outbox.owed(allocation)
    return _reply(office, allocation, commands)


async def _take(office: Office, allocation: AllocationId, reports: Sequence[Report]) -> bool:
    """Have what is new in *reports* journalled; while the journal is away nothing is lost, the agent keeps them."""
    inputs_of(allocation, reports)  # one that is wrong spoils them all, before any is claimed
    fresh = office.intake.claim(allocation, reports)
    if not fresh:
        return True
    is_taken = False
    try:
        await office.tell(allocation, inputs_of(allocation, fresh))
        is_taken = True
    except JournalUnavailable:
        pass
    finally:
        office.intake.settle(allocation, fresh, taken=is_taken)
    return is_taken


def _reply(office: Office, allocation: AllocationId, commands: Sequence[Envelope]) -> Response:
    """Write the reply; the commands are JSON already."""
    body = b'{"taken":%d,"commands":[%s],"lease_ms":%d,"leave":%s,"daemon":"%s"}' % (
        office.intake.taken(allocation),
        b",".join(command.payload for command in commands),
        office.leases.lease_ms,
        b"false" if allocation in office.leases else b"true",
        office.daemon_id.encode(),
    )
    return Response(body, media_type="application/json")
