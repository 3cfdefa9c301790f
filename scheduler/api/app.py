"""The HTTPS API as a whole: gate, routes, and what becomes of errors."""

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from structlog.typing import FilteringBoundLogger

from idleq.errors import IdleqError
from idleq.scheduler.api.agents import agent_routes
from idleq.scheduler.api.answers import failure
from idleq.scheduler.api.auth import Gate, Identify
from idleq.scheduler.api.bodies import TooLarge
from idleq.scheduler.api.inputs import input_routes
from idleq.scheduler.api.office import Office
from idleq.scheduler.api.people import people_routes
from idleq.scheduler.api.snapshots import snapshot_routes
from idleq.scheduler.api.steering import steering_routes
from idleq.scheduler.api.views import view_routes
from idleq.scheduler.errors import BadMessage, SchedulerError


def make_app(office: Office, people_token: str, log: FilteringBoundLogger, identify: Identify | None = None) -> FastAPI:
    """Return the API; it shows no description of itself, since without a token there is no answer. *identify*: see Gate."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(agent_routes(office))
    app.include_router(people_routes(office))
    app.include_router(steering_routes(office))
    app.include_router(view_routes(office))
    app.include_router(snapshot_routes(office))
    app.include_router(input_routes(office))
    app.add_middleware(Gate, people=people_token, agents=office.tokens, identify=identify)

    @app.exception_handler(IdleqError)
    async def refuse(_request: Request, error: Exception) -> Response:
        assert isinstance(error, IdleqError)
        if isinstance(error, TooLarge):
            # The rest of the body was not read, so the connection is of no more use.
            too_large = failure(BadMessage(str(error)), 413)
            too_large.headers["connection"] = "close"
            return too_large
        return failure(error)

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"there is no {request.method} {request.url.path[:80]!r}"
        return failure(BadMessage(message), error.status_code)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        log.error("api.request_failed", method=request.method, path=request.url.path, exc_info=error)
        return failure(SchedulerError("the daemon has a fault; daemon.log in the server directory says which"), 500)

    return app
