from pathlib import Path

import pytest

from idleq.ids import AllocationId, Millis
from idleq.scheduler import codec
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.rounds import SpoolRounds, pace_warning
from idleq.scheduler.spool import AgentSpool, Answer, DaemonSpool, Question
from support.daemon import FakeClock, quiet_log, ready

A1 = AllocationId("a1")


class Office:
    """The daemon's side and one agent's, over one folder."""

    def __init__(self, root: Path) -> None:
        self.paths = ServerPaths(root)
        self.folder = self.paths.allocation(A1)
        self.folder.root.mkdir(parents=True)
        self.clock = FakeClock(0)
        self.leases = Leases(self.clock, Millis(1000), Millis(0))
        self.leases.add(A1)
        self.intake = Intake(self.paths)
        self.rounds = SpoolRounds(DaemonSpool(self.paths, 0), self.intake, self.leases, "d1", quiet_log(), 0)
        self.agent = AgentSpool(self.folder)

    def record(self) -> None:
        body = codec.to_plain(ready(A1))
        self.folder.reports.write_bytes(codec.to_json({"number": 1, "kind": "AgentReady", "body": body}) + b"\n")

    def round(self, *, taken: bool = True) -> list[object]:
        readings = self.rounds.hear()
        for reading in readings:
            self.intake.settle_reading(reading, taken=taken)
        self.rounds.answer()
        return [said for reading in readings for said in reading.inputs]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def answer(beat: int, taken: int) -> Answer:
    return Answer(beat=beat, taken=taken, lease_ms=Millis(1000), leave=False, daemon="d1")


def test_an_agent_that_asks_is_heard_and_answered(office: Office) -> None:
    office.record()
    office.agent.ask(Question(beat=1))
    assert office.round() == [ready(A1)]
    assert office.agent.answer() == answer(beat=1, taken=1)


def test_an_agent_that_never_asked_is_not_answered(office: Office) -> None:
    assert office.round() == []
    assert (office.agent.answer(), office.leases.next_end_in()) == (None, None)


def test_a_new_question_renews_the_lease_and_an_old_one_does_not(office: Office) -> None:
    office.agent.ask(Question(beat=1))
    office.round()
    office.clock.advance(600)
    office.round()
    assert office.leases.next_end_in() == 400
    office.agent.ask(Question(beat=2))
    office.round()
    assert office.leases.next_end_in() == 1000


def test_an_agent_whose_lease_is_to_end_is_answered_and_told_what_is_left_of_it(office: Office) -> None:
    office.agent.ask(Question(beat=1))
    office.round()
    office.leases.let_end(A1)
    office.clock.advance(600)
    office.agent.ask(Question(beat=2))
    office.round()
    assert office.agent.answer() == Answer(beat=2, taken=0, lease_ms=Millis(400), leave=False, daemon="d1")


def test_while_the_journal_is_away_the_lease_goes_on_and_no_report_is_taken(office: Office) -> None:
    office.record()
    office.agent.ask(Question(beat=1))
    office.round(taken=False)
    assert office.agent.answer() == answer(beat=1, taken=0)
    office.agent.ask(Question(beat=2))
    assert office.round() == [ready(A1)]
    assert office.agent.answer() == answer(beat=2, taken=1)


def test_an_answer_that_finds_no_room_is_given_in_the_next_round(office: Office) -> None:
    office.agent.ask(Question(beat=1))
    spool, office.rounds._spool = office.rounds._spool, Full(office.paths, 0)
    office.round()
    office.rounds._spool = spool
    office.round()
    assert office.agent.answer() == answer(beat=1, taken=0)


class Full(DaemonSpool):
    """A disk without room."""

    def answer(self, allocation: AllocationId, answer: Answer) -> None:
        raise OSError(28, f"No space left on device for {allocation}'s {answer.beat}")


def test_a_question_that_cannot_be_read_is_passed_over(office: Office) -> None:
    office.folder.question.write_bytes(b"{")
    assert office.round() == []


def test_a_file_that_cannot_be_read_leaves_its_agent_answered_and_its_reports_for_later(office: Office) -> None:
    office.agent.ask(Question(beat=1))
    office.folder.reports.mkdir()
    assert office.round() == []
    assert office.agent.answer() == answer(beat=1, taken=0)
    office.folder.reports.rmdir()
    office.record()
    assert office.round() == [ready(A1)]


@pytest.mark.parametrize(("pause_s", "is_late"), [(0, False), (90, False), (91, True), (86_400, True)])
def test_cycles_that_come_so_rarely_that_agents_would_leave_are_told_of(pause_s: int, *, is_late: bool) -> None:
    warning = pace_warning(Millis(1000 * pause_s), Millis(120_000))
    assert bool(warning) == is_late
    assert not is_late or "for 2m: let cron come more often" in warning
