from dataclasses import dataclass

import pytest
from msgspec import structs

from idleq.cli.client import JobView
from idleq.ids import Fence, JobId, Millis
from support.command_line import DETAIL, ENTRY, FAILED, NOW, RUNNING, CommandLine, FakeWire, Outcome, outlook


@dataclass(slots=True)
class Clock:
    """Each look at it takes a second."""

    at: int = NOW

    def __call__(self) -> Millis:
        self.at += 1000
        return Millis(self.at)


def leave_errors(idleq: CommandLine, job: str, text: str = "oops") -> None:
    """The job's only segment has printed that."""
    idleq.paths.create()
    file = idleq.paths.job(JobId(job)).segment(Fence(1)).stderr
    file.parent.mkdir(parents=True)
    file.write_text(text)


def test_it_asks_until_the_job_is_over(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(outlooks=[(outlook("17"),), (outlook("17"),), (outlook("17", done=1),)])

    result = idleq.server_dir / "jobs" / "17" / "result"
    assert idleq("wait", "17") == Outcome(0, f"17 done: its result is in {result}\n", "")


@pytest.mark.parametrize(("code", "exit_code"), [(3, 3), (-9, 137), (None, 1)])
def test_the_exit_code_is_the_jobs_own(idleq: CommandLine, code: int | None, exit_code: int) -> None:
    detail = structs.replace(DETAIL, row=structs.replace(FAILED, code=code))
    idleq.wire = FakeWire(view=JobView(ENTRY, detail), outlooks=[(outlook("15", failed=1),)])
    leave_errors(idleq, "15")

    assert idleq("wait", "15") == Outcome(
        exit_code, "15 failed: exit code 3 (`idleq logs --stderr 15` shows what it said)\n", ""
    )


def test_where_a_failed_job_printed_no_errors_nobody_is_sent_to_look_for_them(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(
        view=JobView(ENTRY, structs.replace(DETAIL, row=FAILED)), outlooks=[(outlook("15", failed=1),)]
    )
    leave_errors(idleq, "15", text="")

    assert idleq("wait", "15").out == "15 failed: exit code 3\n"


def test_a_cancelled_job_is_exit_code_1(idleq: CommandLine) -> None:
    detail = structs.replace(DETAIL, row=structs.replace(RUNNING, state="cancelled", reason="cancelled by its user"))
    idleq.wire = FakeWire(view=JobView(ENTRY, detail), outlooks=[(outlook("17", cancelled=1),)])

    assert idleq("wait", "17") == Outcome(1, "17 cancelled: cancelled by its user\n", "")


def test_an_array_is_told_in_numbers_and_fails_with_its_first_failure(idleq: CommandLine) -> None:
    ended = outlook("19", jobs=5, done=2, failed=2, cancelled=1)
    cancelled = structs.replace(FAILED, id="19_0", state="cancelled", reason="cancelled by its user", code=None)
    rows = (
        cancelled,
        structs.replace(FAILED, id="19_1", reason="exit code 7", code=7),
        structs.replace(FAILED, id="19_2", reason="exit code 8", code=8),
    )
    idleq.wire = FakeWire(view=JobView(ENTRY, None, rows), outlooks=[(outlook("18", jobs=2, done=2), ended)])
    leave_errors(idleq, "19_1")

    outcome = idleq("wait", "18", "19")

    jobs = idleq.server_dir / "jobs"
    assert outcome == Outcome(
        7,
        f"18 is over: 2 of 2 done, 0 failed, 0 cancelled\nIts results are in {jobs}/18/*/result\n"
        "19 is over: 2 of 5 done, 2 failed, 1 cancelled\n"
        "19_1 failed: exit code 7 (`idleq logs --stderr 19_1` shows what it said)\n"
        f"Its results are in {jobs}/19/*/result\n",
        "",
    )


def test_an_array_of_one_task_has_its_result_where_an_arrays_is(idleq: CommandLine) -> None:
    idleq.wire = FakeWire(view=JobView(ENTRY, None, (RUNNING,)), outlooks=[(outlook("17", done=1),)])

    results = idleq("wait", "17", "--json").json["jobs"][0]["results"]

    assert results == str(idleq.server_dir / "jobs" / "17" / "*" / "result")


def test_scripts_are_told_where_results_are_and_what_failed(idleq: CommandLine) -> None:
    detail = structs.replace(DETAIL, row=structs.replace(FAILED, code=3))
    idleq.wire = FakeWire(
        view=JobView(ENTRY, detail),
        outlooks=[(outlook("15", failed=1), outlook("17", done=1), outlook("19", jobs=3, done=3))],
    )

    jobs = idleq("wait", "15", "17", "19", "--json").json["jobs"]

    folder = idleq.server_dir / "jobs"
    assert [one["results"] for one in jobs] == [
        None,
        str(folder / "17" / "result"),
        str(folder / "19" / "*" / "result"),
    ]
    assert [one["bad"] for one in jobs] == [
        [{"id": "15", "state": "failed", "reason": "exit code 3", "code": 3}],
        [],
        [],
    ]


def test_patience_has_an_end(idleq: CommandLine) -> None:
    idleq.now = Clock()
    idleq.wire = FakeWire(outlooks=[(outlook("17", done=1), outlook("18"))])

    assert idleq("wait", "17", "18", "--timeout", "5s") == Outcome(
        64, "", "idleq: after 5 s these were not over: 18; they go on\n"
    )
