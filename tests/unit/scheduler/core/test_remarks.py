"""What is said of jobs as they are submitted."""

from idleq.ids import EntryId
from idleq.scheduler.core.policy import HOUR
from idleq.scheduler.core.remarks import remarks
from idleq.scheduler.core.submission import FreezeMethod
from support.engines import Told


def entries(*names: int) -> tuple[EntryId, ...]:
    """The entries of these numbers."""
    return tuple(map(EntryId, names))


def test_a_job_that_can_be_frozen_or_fits_an_allocation_calls_for_no_remark() -> None:
    told = Told()
    told.submit_job()
    told.submit_job(expected_ms=5 * HOUR)
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=4 * HOUR - 3_000)

    assert remarks(told.engine.state, entries(1, 2, 3, 99)) == ()


def test_a_job_that_cannot_be_frozen_is_told_what_will_not_do_for_it() -> None:
    told = Told()
    told.submit_job(freeze=FreezeMethod.NONE)
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * HOUR)

    assert remarks(told.engine.state, entries(1, 2)) == (
        "Job 1 cannot be frozen, and begins anew where a gap ends first: with --expected idleq chooses gaps that are long enough.",
        "Job 2 cannot be frozen, and jobs have at most 3 h 59 min of an allocation here (policy.max_allocation), less than the 5 h 0 min that are expected: it never begins.",
    )


def test_what_is_to_be_said_of_many_is_said_once() -> None:
    told = Told()
    for _ in range(5):
        told.submit_job(freeze=FreezeMethod.NONE)

    (remark,) = remarks(told.engine.state, entries(1, 2, 3, 4, 5))

    assert remark.startswith(
        "Each of the jobs 1, 2, 3 and 2 more cannot be frozen, and begins anew where a gap ends first"
    )
