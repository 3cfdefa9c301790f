"""What is done in the background is noted in the loop's thread, whatever becomes of it."""

import threading
from collections.abc import Callable

import pytest

from idleq.scheduler.agent.background import AT_ONCE, NORMAL, URGENT, Background

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


def test_what_stands_still_is_put_away_before_the_next_is_frozen() -> None:
    done = threading.Semaphore(0)
    background, order = Background(done.release), list[str]()

    def noted(error: Exception) -> None:
        order.append(repr(error))

    def freeze(name: str) -> None:
        background.submit(URGENT, lambda: order.append(f"freeze {name}"), lambda _: put_away(name), noted)

    def put_away(name: str) -> None:
        background.submit(AT_ONCE, lambda: order.append(f"put away {name}"), lambda _: None, noted)

    held = threading.Event()
    background.submit(URGENT, lambda: held.wait(PATIENCE_SECONDS), lambda _: None, noted)
    freeze("a")
    freeze("b")
    put_away("c")
    held.set()
    while not background.is_idle:
        assert done.acquire(timeout=PATIENCE_SECONDS)
        background.drain()

    assert order[:2] == ["put away c", "freeze a"]
    assert sorted(order[2:]) == ["freeze b", "put away a", "put away b"]
