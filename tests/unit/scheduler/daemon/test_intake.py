from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler import codec
from idleq.scheduler.core.inputs import Exited, Input, Launched, Tick
from idleq.scheduler.errors import BadMessage
from idleq.scheduler.intake import Intake, Report, inputs_of
from idleq.scheduler.paths import ServerPaths
from support.daemon import NOON, ready

A1 = AllocationId("a1")


def launched(job: int) -> Launched:
    return Launched(job=JobId(str(job)), fence=Fence(1), at=NOON, thaw_ms=Millis(0))


def exited(job: int) -> Exited:
    return Exited(job=JobId(str(job)), fence=Fence(1), code=0, at=NOON, cause="workload")


def line(number: int, said: Input) -> bytes:
    kind, body = codec.encode(said)
    return b'{"number":%d,"kind":"%s","body":%s}\n' % (number, kind.encode(), body)


def report(number: int, said: Input) -> Report:
    return codec.from_json(line(number, said), Report)


def numbers(reports: list[Report] | tuple[Report, ...]) -> list[int]:
    return [one.number for one in reports]


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    intake = Intake(ServerPaths(tmp_path))
    intake.paths.allocation(A1).root.mkdir(parents=True)
    return intake


def write(intake: Intake, *lines: bytes) -> None:
    with intake.paths.allocation(A1).reports.open("ab") as file:
        file.write(b"".join(lines))


def test_a_report_is_claimed_once_and_taken_when_it_is_settled(intake: Intake) -> None:
    told = [report(1, launched(1)), report(2, exited(1))]
    claim = intake.claim(A1, told)
    assert (numbers(claim.reports), numbers(intake.claim(A1, told).reports), intake.taken(A1)) == ([1, 2], [], 0)
    intake.settle(claim, taken=True)
    assert intake.taken(A1) == 2


def test_what_was_not_journalled_can_be_claimed_again(intake: Intake) -> None:
    told = [report(1, launched(1))]
    intake.settle(intake.claim(A1, told), taken=False)
    assert (intake.taken(A1), numbers(intake.claim(A1, told).reports)) == (0, [1])


def test_nothing_counts_as_taken_while_something_before_it_is_not(intake: Intake) -> None:
    first, second = intake.claim(A1, [report(1, launched(1))]), intake.claim(A1, [report(2, exited(1))])
    intake.settle(first, taken=False)
    intake.settle(second, taken=True)
    assert intake.taken(A1) == 0
    assert numbers(intake.claim(A1, [report(1, launched(1)), report(2, exited(1))]).reports) == [1, 2]


def test_what_is_settled_after_its_allocation_was_forgotten_is_not_remembered(intake: Intake) -> None:
    write(intake, line(1, launched(1)))
    reading = intake.read_file(A1)
    intake.forget(A1)
    intake.settle_reading(reading, taken=True)
    assert (intake.taken(A1), intake._progress) == (0, {})


def read(intake: Intake, allocation: AllocationId = A1, *, taken: bool = True) -> list[int]:
    """Read the file and settle it at once; return the numbers found."""
    reading = intake.read_file(allocation)
    intake.settle_reading(reading, taken=taken)
    return numbers(reading.claim.reports)


def test_the_file_is_read_from_what_is_taken_on(intake: Intake) -> None:
    write(intake, line(1, ready(A1)), line(2, launched(1)))
    intake.settle(intake.claim(A1, [report(1, ready(A1))]), taken=True)
    assert read(intake) == [2]
    write(intake, line(3, exited(1)))
    assert (read(intake), read(intake), intake.taken(A1)) == ([3], [], 3)


def test_what_was_read_and_not_journalled_is_read_again(intake: Intake) -> None:
    write(intake, line(1, launched(1)))
    assert read(intake, taken=False) == [1]
    assert read(intake) == [1]


def test_a_line_that_is_still_being_written_waits(intake: Intake) -> None:
    half = line(2, exited(1))
    write(intake, line(1, launched(1)), half[:20])
    assert read(intake) == [1]
    write(intake, half[20:])
    assert read(intake) == [2]


def test_lines_that_cannot_be_read_are_passed_over(intake: Intake) -> None:
    write(intake, b"\0\0\0\n", b'{"number":1}\n', line(2, Tick()), b"\xff\n", line(3, exited(1)))
    assert read(intake) == [3]


def test_a_line_that_speaks_for_another_allocation_is_passed_over(intake: Intake) -> None:
    write(intake, line(1, ready(AllocationId("a2"))), line(2, exited(1)))
    assert read(intake) == [2]


def test_an_allocation_without_a_file_says_nothing(intake: Intake) -> None:
    assert read(intake, AllocationId("a9")) == []


def test_after_a_restart_the_file_says_all_but_what_agents_hosted_back_then(intake: Intake) -> None:
    write(intake, line(1, ready(A1)), line(2, launched(1)), line(3, ready(A1, ((JobId("1"), Fence(1)),))))
    intake.settle(intake.claim(A1, [report(1, ready(A1))]), taken=True)
    intake.restart(arrived=[A1])
    assert (intake.taken(A1), read(intake)) == (0, [2])


def test_an_agent_never_heard_before_the_restart_is_greeted_from_its_file(intake: Intake) -> None:
    write(intake, line(1, ready(A1)), line(2, launched(1)))
    intake.restart(arrived=[])
    assert read(intake) == [1, 2]


def test_inputs_are_what_the_reports_say() -> None:
    assert inputs_of(A1, [report(1, ready(A1)), report(2, exited(1))]) == (ready(A1), exited(1))


def test_an_agent_speaks_for_its_own_allocation_only() -> None:
    with pytest.raises(BadMessage, match="the agent of a1 cannot speak for a2"):
        inputs_of(A1, [report(1, ready(AllocationId("a2")))])


@given(st.data())
def test_whatever_fails_and_comes_again_everything_is_told_in_order_and_nothing_left_out(data: st.DataObject) -> None:
    """An agent that tells all it is not known to be rid of, over lines that overtake each other and a journal that fails."""
    intake, count = Intake(ServerPaths(Path("/nowhere"))), data.draw(st.integers(1, 8))
    told = [report(number, exited(number)) for number in range(1, count + 1)]
    journal: list[int] = []
    for _ in range(data.draw(st.integers(0, 12))):
        written = told[: data.draw(st.integers(0, count))]
        untaken = [one for one in written if one.number > intake.taken(A1)]
        claims = [intake.claim(A1, untaken[: data.draw(st.integers(0, count))]), intake.claim(A1, untaken)]
        for claim in claims:
            works = data.draw(st.booleans())
            journal += numbers(claim.reports) if works else []
            intake.settle(claim, taken=works)
        assert set(range(1, intake.taken(A1) + 1)) <= set(journal)
    intake.settle(intake.claim(A1, [one for one in told if one.number > intake.taken(A1)]), taken=True)
    assert intake.taken(A1) == count
