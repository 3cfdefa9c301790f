"""The shell round the engine: takes what happened, has it decided, journals it, and only then has it done.

What a process that dies leaves undone is found again by what the journal says: see `Daemon.restore`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

from structlog.typing import FilteringBoundLogger

from idleq.ids import Millis
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import Input, LeaseExpired, Tick
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.errors import DaemonAway, JournalUnavailable
from idleq.scheduler.faults import Faults
from idleq.scheduler.hands import Hands
from idleq.scheduler.intake import is_foreign
from idleq.scheduler.leases import Leases
from idleq.scheduler.mailbox import Ask, Decisions, Letter, Look, Mailbox
from idleq.scheduler.ports import Clock, Journal, Turn

T = TypeVar("T")

FIRST_PAUSE_MS = Millis(500)
LONGEST_PAUSE_MS = Millis(30_000)
"""Between two tries of what failed, to reach the journal or to do what was due: doubled from the first, up to the longest."""

SHORTEST_NAP_MS = Millis(5)
"""Between two ticks, so that an engine that wants one at once again takes no whole core."""

LONGEST_NAP_MS = Millis(3_600_000)
"""However far away the next thing is; waiting functions do not take every number."""

TRY_AGAIN_MS = Millis(5_000)
"""Between two tries to write what the disk did not take."""

AT_ONCE = 1000
"""So many facts or jobs are gone through before the clock is looked at again."""

RESTORING_MS = Millis(5_000)
"""Between two words on how far the journal is read: `idleq daemon start` waits as long as some come."""


def with_word(items: Iterable[T], what: str, steady: Clock, log: FilteringBoundLogger) -> Iterator[T]:
    """Yield *items*, and log now and then how many there were of *what*: of a long journal they take minutes."""
    next_at = steady.now() + RESTORING_MS
    for number, item in enumerate(items, start=1):
        yield item
        if number % AT_ONCE == 0 and steady.now() >= next_at:
            log.info("daemon.restoring", **{what: number})
            next_at = steady.now() + RESTORING_MS


class Daemon:
    """Runs the engine; the thread that calls `run` is the only one that ever touches it.

    *on_restored* is told each time that the engine was made anew, since then it has to be told what exists in the world.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        on_restored: Callable[[], None],
        journal: Journal,
        clock: Clock,
        steady: Clock,
        mailbox: Mailbox,
        leases: Leases,
        hands: Hands,
        log: FilteringBoundLogger,
    ) -> None:
        self._policy, self._on_restored, self._journal, self._clock = policy, on_restored, journal, clock
        self._steady, self._mailbox, self._leases, self._hands, self._log = steady, mailbox, leases, hands, log
        self._engine: Engine | None = None
        self._silent: dict[LeaseExpired, None] = {}
        self._faults = Faults()
        self._pause_ms, self._try_again_at = FIRST_PAUSE_MS, Millis(0)
        self._due_pause_ms, self._due_again_at = FIRST_PAUSE_MS, Millis(0)
        self._left_again_at = Millis(0)
        self._is_stopping = False

    def run(self) -> None:
        """Take turns until `stop`; the first may come before the journal can be read."""
        while not self._is_stopping:
            self.turn(self._mailbox.take(self._nap()))

    def stop(self) -> None:
        """Finish the turn and return from `run`; may be called in a signal handler or another thread."""
        self._is_stopping = True
        self._mailbox.wake()

    def turn(self, letters: Sequence[Letter]) -> None:
        """Decide all that was asked and all that is due, in one transaction of the journal; then do it, then reply."""
        try:
            engine = self._engine or self.restore()
            self._decide(engine, [*(letter for letter in letters if isinstance(letter, Ask)), *self._due(engine)])
        except JournalUnavailable as error:
            self._put_off(error)
            _fail(letters, error)
        except BaseException:
            _fail(letters, DaemonAway("the daemon stops; daemon.log in the server directory says why"))
            raise
        for letter in letters:
            if isinstance(letter, Look) and not letter.reply.done():
                self._answer(letter)

    def restore(self) -> Engine:
        """Make the engine from the journal: at the start, and after each failure that may have left them unlike.

        A journal that failed may have kept the turn all the same; its commands were then never carried out. That is as after
        a crash, so the same is done about it.

        Raises:
            JournalUnavailable: it cannot be read yet.
        """
        if self._steady.now() < self._try_again_at:
            raise JournalUnavailable("the journal cannot be read or written; the daemon tries again by itself")
        engine = Engine.restore(with_word(self._journal.facts(), "facts", self._steady, self._log))
        self._hands.restart(engine.state, with_word(engine.state.jobs.values(), "jobs", self._steady, self._log))
        self._journal_all([engine.configure(self._policy, self._clock.now())])
        self._engine = engine
        self._on_restored()
        self._log.info("daemon.restored", entries=len(engine.state.entries), allocations=len(engine.state.allocations))
        return engine

    def _decide(self, engine: Engine, asks: Sequence[Ask]) -> None:
        now, decided = self._clock.now(), list[tuple[Ask, Decisions]]()
        for ask in asks:
            decisions: list[Decision] = []
            for said in self._counting(engine, ask):
                try:
                    decisions.append(engine.handle(said, now))
                except Exception as fault:  # noqa: BLE001 - a fault of the engine, of whatever kind; it is logged and told
                    # The state may be half changed: only the journal knows the truth.
                    self._engine = None
                    self._isolate(asks, ask, said, fault)
                    return
            decided.append((ask, tuple(decisions)))
        self._journal_all([decision for _, decisions in decided for decision in decisions])
        for ask, made in decided:
            ask.reply.set_result(made)
            if any(isinstance(said, Tick) for said in ask.inputs):
                self._due_pause_ms = FIRST_PAUSE_MS

    def _counting(self, engine: Engine, ask: Ask) -> Iterator[Input]:
        """Yield the inputs of *ask*, but for what its sender has no say in, and what the engine has failed on too often."""
        for said in ask.inputs:
            if self._faults.is_set_aside(said) or (ask.sender and is_foreign(said, ask.sender, engine.state)):
                continue
            yield said

    def _journal_all(self, decisions: Sequence[Decision]) -> None:
        """Write what was decided, then do it; a decision without facts only repeats what is written already."""
        turns = [Turn(decision.at, decision.facts, decision.commands) for decision in decisions if decision.facts]
        facts = [fact for turn in turns for fact in turn.facts]
        commands = [command for decision in decisions for command in decision.commands]
        if turns:
            self._journal.append(turns)
            self._pause_ms = FIRST_PAUSE_MS
            self._log.info("daemon.turn_journalled", at=turns[-1].at, facts=_counts(facts), commands=_counts(commands))
        self._silent.clear()
        self._hands.follow(facts, commands)

    def _isolate(self, asks: Sequence[Ask], failed: Ask, culprit: Input, fault: Exception) -> None:
        """The engine failed on *culprit*: that ask is refused, the others are decided one by one."""
        if len(asks) > 1:
            for ask in asks:
                self._decide(self._engine or self.restore(), [ask])
            return
        is_set_aside = self._faults.note(culprit)
        self._log.error("daemon.input_failed", input=repr(culprit), is_set_aside=is_set_aside, exc_info=fault)
        failed.reply.set_exception(fault)
        if isinstance(culprit, Tick | LeaseExpired):
            self._put_off_due()

    def _put_off_due(self) -> None:
        """What time asks for failed, and would fail again at once: leave it for a while, and serve the others."""
        self._due_again_at = Millis(self._steady.now() + self._due_pause_ms)
        self._due_pause_ms = min(Millis(2 * self._due_pause_ms), LONGEST_PAUSE_MS)

    def _put_off(self, error: JournalUnavailable) -> None:
        """Nothing came of this turn: make the engine anew before the next, after a pause."""
        if self._steady.now() >= self._try_again_at:
            self._try_again_at = Millis(self._steady.now() + self._pause_ms)
            self._pause_ms = min(Millis(2 * self._pause_ms), LONGEST_PAUSE_MS)
            self._log.error("daemon.journal_unavailable", reason=str(error), again_in_ms=self._pause_ms)
        self._engine = None

    def _answer(self, look: Look) -> None:
        if self._engine is None:
            look.reply.set_exception(JournalUnavailable("the journal cannot be read; the daemon tries again by itself"))
            return
        try:
            look.reply.set_result(look.question(self._engine, self._clock.now()))
        except Exception as error:  # noqa: BLE001 - whatever the question raises is its answer
            look.reply.set_exception(error)

    def _due(self, engine: Engine) -> Iterator[Ask]:
        """Yield what nobody asks, but time does."""
        if self._steady.now() < self._due_again_at:
            return
        self._silent |= {LeaseExpired(allocation=allocation): None for allocation in self._leases.take_expired()}
        inputs: list[Input] = list(self._silent)
        wanted = engine.wake_at()
        if wanted is not None and wanted <= self._clock.now():
            inputs.append(Tick())
        # One by one, so that one on which the engine fails keeps back no other.
        yield from (Ask((said,), Future()) for said in inputs)

    def _nap(self) -> Millis:
        """Return how long nothing is due."""
        if self._engine is None:
            return Millis(max(0, self._try_again_at - self._steady.now()))
        ends = [LONGEST_NAP_MS, self._do_what_is_left()]
        rest = Millis(max(0, self._due_again_at - self._steady.now()))
        wanted, silent_in = self._engine.wake_at(), self._leases.next_end_in()
        if wanted is not None:
            ends.append(max(SHORTEST_NAP_MS, rest, Millis(wanted - self._clock.now())))
        if silent_in is not None:
            ends.append(max(rest, silent_in))
        return min(end for end in ends if end is not None)

    def _do_what_is_left(self) -> Millis | None:
        """Try again what could not be done, if its pause is over; return how long the next try is away, None if nothing is left."""
        now = self._steady.now()
        if self._hands.has_undone and now >= self._left_again_at:
            self._hands.try_again()
            self._left_again_at = Millis(now + TRY_AGAIN_MS)
        return Millis(self._left_again_at - now) if self._hands.has_undone else None


def _fail(letters: Sequence[Letter], error: Exception) -> None:
    for letter in letters:
        if not letter.reply.done():
            letter.reply.set_exception(error)


def _counts(values: Sequence[Fact] | Sequence[Command]) -> dict[str, int]:
    return dict(Counter(type(value).__name__ for value in values))
