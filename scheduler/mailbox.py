"""How every other thread reaches the engine's: questions go in, answers come back once they are in the journal."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.errors import DaemonAway

T = TypeVar("T")

Decisions = tuple[Decision, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """Inputs to decide about, together; the reply comes when what was decided is in the journal.

    What an agent says counts only as far as it is about its own allocation, *sender*.
    """

    inputs: tuple[Input, ...]
    reply: "Future[Decisions]"
    sender: AllocationId | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A question about the state; asked between turns, so it sees only what is in the journal."""

    question: Callable[[Engine, Millis], Any]
    reply: "Future[Any]"


Letter = Ask | Look


class Mailbox:
    """Letters for the engine's thread, in the order in which they came."""

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[Letter | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False

    def ask(self, inputs: Sequence[Input], sender: AllocationId | None = None) -> "Future[Decisions]":
        """Have *inputs* decided; the future fails with JournalUnavailable if nothing came of it."""
        reply: Future[Decisions] = Future()
        self._put(Ask(tuple(inputs), reply, sender))
        return reply

    def look(self, question: Callable[[Engine, Millis], T]) -> "Future[T]":
        """Have *question* answered; it must change nothing and return nothing that the engine still holds on to."""
        reply: Future[T] = Future()
        self._put(Look(question, reply))
        return reply

    def wake(self) -> None:
        """Let `take` return even if there is no letter; may be called in a signal handler."""
        self._letters.put(None)

    def take(self, timeout_ms: Millis) -> list[Letter]:
        """Wait for a letter and return all that lie here; none if it was woken or the time is up."""
        try:
            first = self._letters.get(timeout=timeout_ms / 1000)
        except queue.Empty:
            return []
        return [letter for letter in (first, *self._rest()) if letter is not None]

    def close(self) -> list[Letter]:
        """Take no more letters, and return those that nobody has taken."""
        with self._closing:
            self._is_closed = True
        return [letter for letter in self._rest() if letter is not None]

    def _put(self, letter: Letter) -> None:
        with self._closing:
            if not self._is_closed:
                self._letters.put(letter)
                return
        letter.reply.set_exception(DaemonAway("the daemon is stopping; start it again with `idleq daemon start`"))

    def _rest(self) -> list[Letter | None]:
        rest: list[Letter | None] = []
        while True:
            try:
                rest.append(self._letters.get_nowait())
            except queue.Empty:
                return rest
