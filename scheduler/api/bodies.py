"""Bodies of requests: read up to a limit, decoded by the codec, never trusted."""

from typing import TypeVar

from starlette.requests import Request

from idleq.scheduler import codec
from idleq.scheduler.errors import BadMessage

T = TypeVar("T")

MIB = 2**20

LONGEST_NUMBER = 18
"""Digits; enough for any time in milliseconds."""

LARGEST_BODY = 32 * MIB
"""Some ten thousands of jobs that have nothing in common; an array of any length is one of them."""


class TooLarge(BadMessage):
    """The body is larger than the daemon is willing to read."""


async def read(request: Request, limit: int = LARGEST_BODY) -> bytes:
    """Return the body of *request*.

    Raises:
        TooLarge: it has more than *limit* bytes; the rest of it was not read.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


async def read_as(request: Request, cls: type[T], default: T | None = None, limit: int = LARGEST_BODY) -> T:
    """Return the *cls* that the body describes; *default*, if there is one, for an empty body.

    Raises:
        TooLarge: see `read`.
        BadMessage: it describes none.
    """
    body = await read(request, limit)
    if not body and default is not None:
        return default
    try:
        return codec.from_json(body, cls)
    except RecursionError:
        raise BadMessage("the body is nested too deeply") from None


def whole_number(request: Request, name: str, default: int, most: int) -> int:
    """Return the query's *name* as a number from 0 to *most*; what is more is cut to *most*."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) <= LONGEST_NUMBER):
        message = f"{name} must be a whole number, not {given[:40]!r}"
        raise BadMessage(message)
    return min(int(given), most)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; submit fewer jobs at once, or use an array")
