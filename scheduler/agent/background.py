"""A thread for what takes long: an engine's work, copying snapshots and results. Other guests are still frozen in time."""

import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE, URGENT, NORMAL, IDLE = range(4)
"""What stands still is put away first: nothing of it is saved before. Then come freezes; what others wait for; tidying up."""


@dataclass(order=True, slots=True)
class Task:
    """Something to do, and what to do in the loop's thread with what came of it, or with what went wrong."""

    rank: int
    number: int
    work: Callable[[], Any] = field(compare=False)
    then: Callable[[Any], None] = field(compare=False)
    failed: Callable[[Exception], None] = field(compare=False)


class Background:
    """Does one task after the other, by rank, then in the order of asking; *on_done* is called in its thread."""

    def __init__(self, on_done: Callable[[], None]) -> None:
        self._on_done = on_done
        self._numbers = itertools.count()
        self._tasks: queue.PriorityQueue[Task] = queue.PriorityQueue()
        self._done: queue.SimpleQueue[tuple[Task, Callable[[], None]]] = queue.SimpleQueue()
        self._open = 0
        self._thread: threading.Thread | None = None

    def submit(
        self, rank: int, work: Callable[[], T], then: Callable[[T], None], failed: Callable[[Exception], None]
    ) -> None:
        """Do *work* in the background; `drain` calls *then* with what it returned, and *failed* with what either has raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()
        self._open += 1
        self._tasks.put(Task(rank, next(self._numbers), work, then, failed))

    def drain(self) -> None:
        """Take note of what is done; one that fails holds up no other."""
        while not self._done.empty():
            self._open -= 1
            task, outcome = self._done.get()
            try:
                outcome()
            except Exception as error:  # noqa: BLE001 - whoever asked for it knows whom it concerns
                task.failed(error)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do or to take note of."""
        return self._open == 0

    def _run(self) -> None:
        while True:
            task = self._tasks.get()
            self._done.put((task, _outcome(task)))
            self._on_done()


def _outcome(task: Task) -> Callable[[], None]:
    try:
        result = task.work()
    except BaseException as error:  # noqa: BLE001 - raised again in the loop's thread, which is told of everything
        failure = error

        def fail() -> None:
            raise failure

        return fail
    return lambda: task.then(result)
