"""Carries reports and answers between the agent's loop and the daemon, in threads, so that no daemon holds up a freeze.

There are two lines. The main one asks for commands and may be kept waiting for them; the side line tells what has
happened in the meantime. After commands have come the main line lingers a moment before it asks again: the guests of
very short jobs have ended by then, and their ends and the next commands travel in one exchange.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from idleq.ids import CommandId, Millis
from idleq.scheduler.agent.link import Answer, Link, LinkDown
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.agent.settings import Pace
from idleq.scheduler.ports import Clock

LINGER_SECONDS = 0.02

MOST_REPORTS = 2000
"""Told at once; the rest follows."""

NO_WAIT = Millis(0)


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, and when its question was asked."""

    answer: Answer
    asked_at: Millis


class Courier:
    """A thread for each link (files need no side line); *on_news* is called in one of them when there is something for `news`."""

    def __init__(self, main: Link, side: Link | None, clock: Clock, pace: Pace, on_news: Callable[[], None]) -> None:
        self._clock, self._pace, self._on_news = clock, pace, on_news
        self._changed = threading.Condition()
        self._reports: Sequence[Report] = ()
        self._told = self._taken = 0
        self._have: list[CommandId] = []
        self._heard: list[Heard] = []
        self._lingers = False
        self._is_waiting = False
        self._is_stopped = False
        self._trouble = ""
        self._epoch = 0
        self._threads = [self._thread(main, self._main_may_go, pace.wait_ms)]
        if side is not None:
            self._threads.append(self._thread(side, self._side_may_go, NO_WAIT))

    def start(self) -> None:
        """Begin to talk."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Say nothing more; an exchange under way is left to itself."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def offer(self, reports: Sequence[Report]) -> None:
        """These are all that the daemon is not known to have; they must be on the disk."""
        with self._changed:
            self._reports = reports
            if self._has_untold():
                self._changed.notify_all()

    def news(self) -> list[Heard]:
        """Return what was heard since the last call."""
        with self._changed:
            heard, self._heard = self._heard, []
            return heard

    @property
    def trouble(self) -> str:
        """Why the last exchange failed; empty if it did not."""
        return self._trouble

    def _thread(self, link: Link, may_go: Callable[[], bool], wait_ms: Millis) -> threading.Thread:
        return threading.Thread(target=self._run, args=(link, may_go, wait_ms), name="courier", daemon=True)

    def _main_may_go(self) -> bool:
        return not self._lingers or self._has_untold()

    def _side_may_go(self) -> bool:
        return self._is_waiting and self._has_untold()

    def _has_untold(self) -> bool:
        return bool(self._reports) and self._reports[-1].number > self._told

    def _run(self, link: Link, may_go: Callable[[], bool], wait_ms: Millis) -> None:
        pause_ms = self._pace.retry_ms
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_stopped or may_go(), timeout=LINGER_SECONDS if self._lingers and wait_ms else None
                )
                if self._is_stopped:
                    return
                self._lingers &= wait_ms == 0
            if self._exchange(link, wait_ms):
                pause_ms = self._pace.retry_ms
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_stopped, timeout=pause_ms / 1000)
                pause_ms = min(Millis(2 * pause_ms), self._pace.retry_most_ms)

    def _exchange(self, link: Link, wait_ms: Millis) -> bool:
        with self._changed:
            untaken = [report for report in self._reports if report.number > self._taken]
            reports, have = untaken[:MOST_REPORTS], tuple(self._have)
            self._have.clear()
            self._told = max(self._told, reports[-1].number) if reports else self._told
            self._is_waiting |= wait_ms > 0
            asked_at = self._clock.now()
        answer, trouble = None, ""
        try:
            answer = link.exchange(reports, have, wait_ms)
        except LinkDown as error:
            trouble = str(error)
        except Exception as error:  # noqa: BLE001 - this thread must not end silently: the loop logs the trouble, and it is tried again
            trouble = f"{type(error).__name__}: {error}"
        with self._changed:
            if answer is not None and answer.epoch < self._epoch:
                trouble = f"that is an older daemon (epoch {answer.epoch}, we have heard {self._epoch})"
                answer = None
            self._is_waiting &= wait_ms == 0
            self._trouble = trouble
            if answer is None:
                self._have[:0] = have
                self._told = 0
            else:
                self._take(Heard(answer, asked_at))
        if answer is not None:
            self._on_news()
        return answer is not None

    def _take(self, heard: Heard) -> None:
        self._heard.append(heard)
        self._epoch = heard.answer.epoch
        self._taken = max(self._taken, heard.answer.taken)
        self._have.extend(command.id for command in heard.answer.commands)
        self._lingers = bool(heard.answer.commands)
