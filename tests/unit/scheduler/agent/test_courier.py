"""Who carries what to the daemon, and when."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler.agent.courier import Courier, Heard
from idleq.scheduler.agent.link import Answer, LinkDown
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.agent.settings import Pace
from idleq.scheduler.core.commands import Kill

KILL = Kill(id=CommandId(9), allocation=AllocationId("a1"), job=JobId("1"), fence=Fence(1), reason="x")
PACE = Pace(wait_ms=Millis(1000), retry_ms=Millis(1), retry_most_ms=Millis(2))


class Said(NamedTuple):
    """One exchange as the daemon sees it."""

    line: str
    reports: list[int]
    have: list[int]


class Daemon:
    """Answers by hand: each exchange waits until the test answers it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.open: dict[str, Said] = {}
        self.answers: dict[str, Answer | Exception] = {}

    def next_said(self, line: str) -> Said:
        with self.changed:
            assert self.changed.wait_for(lambda: line in self.open, timeout=30)
            return self.open[line]

    def answer(self, line: str, answer: Answer | Exception) -> None:
        with self.changed:
            del self.open[line]
            self.answers[line] = answer
            self.changed.notify_all()


class FakeLink:
    """Implements Link."""

    def __init__(self, daemon: Daemon, line: str) -> None:
        self._daemon, self._line = daemon, line

    def exchange(self, reports: Sequence[Report], have: Sequence[CommandId], wait_ms: Millis) -> Answer:
        assert (wait_ms > 0) == (self._line == "main")
        daemon = self._daemon
        with daemon.changed:
            daemon.open[self._line] = Said(self._line, [report.number for report in reports], list(have))
            daemon.changed.notify_all()
            daemon.changed.wait_for(lambda: self._line in daemon.answers, timeout=30)
            answer = daemon.answers.pop(self._line)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeClock:
    """Implements Clock."""

    def now(self) -> Millis:
        return Millis(7)


class Story(NamedTuple):
    """A courier between the test's agent and the test's daemon."""

    daemon: Daemon
    courier: Courier
    news: threading.Semaphore

    def heard(self) -> list[Heard]:
        assert self.news.acquire(timeout=30)
        return self.courier.news()


@pytest.fixture
def story() -> Iterator[Story]:
    daemon, news = Daemon(), threading.Semaphore(0)
    courier = Courier(FakeLink(daemon, "main"), FakeLink(daemon, "side"), FakeClock(), PACE, news.release)
    courier.start()
    yield Story(daemon, courier, news)
    courier.stop()
    with daemon.changed:
        daemon.answers |= {"main": LinkDown("over"), "side": LinkDown("over")}
        daemon.changed.notify_all()


def reports(*numbers: int) -> list[Report]:
    return [Report(number, b"{}") for number in numbers]


def answer(taken: int = 0, *commands: Kill) -> Answer:
    return Answer(taken=taken, commands=commands, lease_ms=Millis(1000), leave=False, daemon="d")


def test_while_the_main_line_waits_news_go_by_the_side_line(story: Story) -> None:
    assert story.daemon.next_said("main") == Said("main", [], [])
    story.courier.offer(reports(1, 2))
    assert story.daemon.next_said("side") == Said("side", [1, 2], [])
    story.daemon.answer("side", answer(2))
    assert story.heard() == [Heard(answer(2), Millis(7))]


def test_a_command_is_confirmed_with_the_next_question(story: Story) -> None:
    story.daemon.next_said("main")
    story.daemon.answer("main", answer(0, KILL))
    assert story.heard() == [Heard(answer(0, KILL), Millis(7))]
    assert story.daemon.next_said("main") == Said("main", [], [9])


def test_a_daemon_that_others_have_replaced_is_not_heard_whatever_it_says(story: Story) -> None:
    old, new = replace(answer(0, KILL), epoch=1, leave=True), replace(answer(), epoch=2)
    story.daemon.next_said("main")
    story.daemon.answer("main", new)
    assert story.heard() == [Heard(new, Millis(7))]
    story.daemon.next_said("main")
    story.daemon.answer("main", old)
    assert story.daemon.next_said("main") == Said("main", [], []), "it has confirmed nothing"
    assert story.courier.news() == []
    assert story.courier.trouble == "that is an older daemon (epoch 1, we have heard 2)"


@pytest.mark.parametrize(
    ("failure", "trouble"),
    [
        pytest.param(LinkDown("cut"), "cut", id="the line is down"),
        pytest.param(RuntimeError("odd"), "RuntimeError: odd", id="what nobody foresaw"),
    ],
)
def test_after_a_failure_everything_is_said_again(story: Story, failure: Exception, trouble: str) -> None:
    story.daemon.next_said("main")
    story.daemon.answer("main", answer(0, KILL))
    story.heard()
    story.courier.offer(reports(1))
    first = story.daemon.next_said("main")
    assert first.have == [9]
    story.daemon.answer("main", failure)
    again = story.daemon.next_said("main")
    assert again == Said("main", [1], [9])
    assert story.courier.trouble == trouble


def test_what_the_daemon_could_not_take_is_told_again(story: Story) -> None:
    story.daemon.next_said("main")
    story.courier.offer(reports(1))
    story.daemon.next_said("side")
    story.daemon.answer("side", answer(0))
    story.heard()
    story.daemon.answer("main", answer(0))
    story.heard()
    assert story.daemon.next_said("main") == Said("main", [1], [])
