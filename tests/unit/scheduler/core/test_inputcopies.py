"""Which copies of inputs may go: those that only jobs have which are done."""

import pytest
from msgspec import structs

from idleq.ids import Fence, JobId
from idleq.scheduler.core.inputcopies import input_copies
from idleq.scheduler.core.inputs import Exited, JobCancelled, JobReleased, JobsSubmitted
from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.core.submission import Inputs, Submission
from support.engines import Told, report, spec


@pytest.fixture
def told() -> Told:
    """An engine with room on a node."""
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    return told


def given(*copies: str, user: str) -> JobsSubmitted:
    """A submit of *user*: one held job for each copy."""
    specs = [structs.replace(spec(), inputs=Inputs(sources=("/x",), id=copy)) for copy in copies]
    submissions = tuple(Submission(spec=one, held=True) for one in specs)
    return JobsSubmitted(request=f"{user}-{copies}", user=user, submissions=submissions)


def done(told: Told, job: str) -> None:
    """Run a held job to its end."""
    told.tell(JobReleased(target=JobId(job)))
    told.launched(job)
    told.tell(Exited(job=JobId(job), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert told.state_of(job) == "Done"


def test_a_copy_is_spent_once_every_job_that_has_it_is_done(told: Told) -> None:
    told.tell(given("both", "both", "alone", user="ada"))
    told.tell(given("hers", user="bob"))  # jobs 2 to 4, and 5
    state = told.engine.state

    assert input_copies(state).spent == frozenset()
    for entry in ("2", "4"):
        done(told, entry)
    assert input_copies(state) == InputCopies(frozenset({"both", "hers"}), frozenset({"alone"}))
    assert input_copies(state, user="bob") == InputCopies(frozenset({"hers"}), frozenset())
    assert input_copies(state, {"alone", "none"}) == InputCopies(frozenset(), frozenset({"alone"}))
    done(told, "3")
    assert input_copies(state, user="ada") == InputCopies(frozenset(), frozenset({"both", "alone"}))


def test_a_copy_that_a_job_has_which_was_cancelled_is_neither_wanted_nor_spent(told: Told) -> None:
    told.tell(given("x", "x", user="ada"))
    told.tell(JobCancelled(target=JobId("2")))
    done(told, "3")
    assert input_copies(told.engine.state) == InputCopies(frozenset(), frozenset())
