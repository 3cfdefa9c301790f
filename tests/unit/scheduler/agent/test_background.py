"""What is done in the background is noted in the loop's thread, whatever becomes of it."""

import threading
from collections.abc import Callable

import pytest

from idleq.scheduler.agent.background import NORMAL, URGENT, Background

PATIENCE_SECONDS = 30


def fail() -> int:
    raise ZeroDivisionError("by zero")


def refuse(result: int) -> None:
    raise KeyError(result)


@pytest.mark.parametrize(
    ("work", "then", "failure"), [(fail, [].append, "ZeroDivisionError('by zero')"), (lambda: 7, refuse, "KeyError(7)")]
)
def test_what_fails_is_told_to_who_asked_for_it_and_holds_up_no_other(
    work: Callable[[], int], then: Callable[[int], None], failure: str
) -> None:
    done = threading.Semaphore(0)
    background, noted = Background(done.release), list[object]()
    background.submit(URGENT, work, then, lambda error: noted.append(repr(error)))
    background.submit(NORMAL, lambda: 3, noted.append, lambda error: noted.append(repr(error)))
    for _ in range(2):
        assert done.acquire(timeout=PATIENCE_SECONDS)
    background.drain()

    assert (noted, background.is_idle) == ([failure, 3], True)
