"""What people ask of jobs that run or wait already."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from idleq.ids import NodeName
from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import read_as
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.people import Accepted, Reason, own
from idleq.scheduler.core.wishes import Changes, ChangeWished, FreezeWished, MoveWished


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a job is to be moved; anywhere else if *to* is not given."""

    to: NodeName | None = None


def steering_routes(office: Office) -> APIRouter:
    """Return the routes by which people steer their jobs."""
    router = APIRouter(prefix="/v1/jobs/{job}")

    @router.post("/freeze")
    async def freeze(job: str, request: Request) -> Response:
        why, target = await read_as(request, Reason, Reason()), await own(office, job, request)
        await office.ask(FreezeWished(target=target, reason=why.reason or "frozen by its user"))
        return answer(Accepted())

    @router.post("/move")
    async def move(job: str, request: Request) -> Response:
        where, target = await read_as(request, Where, Where()), await own(office, job, request)
        await office.ask(MoveWished(target=target, to=where.to))
        return answer(Accepted())

    @router.post("/modify")
    async def modify(job: str, request: Request) -> Response:
        changes, target = await read_as(request, Changes, Changes()), await own(office, job, request)
        await office.ask(ChangeWished(target=target, changes=changes))
        return answer(Accepted())

    return router
