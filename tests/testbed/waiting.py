"""Waiting for something of the outside world, with a limit."""

import time
from collections.abc import Callable
from typing import TypeVar

from testbed.errors import Impatient

T = TypeVar("T")

EVERY_SECONDS = 0.05


def wait_for(what: str, look: Callable[[], T | None], *, seconds: float, every: float = EVERY_SECONDS) -> T:
    """Return what *look* gives as soon as it is true.

    Raises:
        Impatient: it was not within *seconds*.
    """
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise Impatient(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)
    return found
