"""What people may know of the copies of inputs that lie in their folder, so that they remove what no job wants any more."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from idleq.scheduler.api.answers import answer
from idleq.scheduler.api.bodies import read_as
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.owners import user_of
from idleq.scheduler.core.inputcopies import input_copies


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Copies, by what they are called."""

    names: frozenset[str]


def input_routes(office: Office) -> APIRouter:
    """Return the route about copies of inputs; it changes nothing."""
    router = APIRouter(prefix="/v1")

    @router.post("/inputs")
    async def inputs(request: Request) -> Response:
        asked, user = await read_as(request, Asked), user_of(request)
        return answer(await office.look(lambda engine, _now: input_copies(engine.state, asked.names, user)))

    return router
