"""How long silence is borne."""

from idleq.ids import Millis
from idleq.scheduler.agent.lease import Lease

FIRST = Lease(Millis(1000), Millis(120_000))


def test_a_lease_counts_from_when_it_was_asked_for() -> None:
    given = FIRST.renewed(Millis(5000), Millis(8000))
    assert (given.until, given.freeze_at) == (13_000, 11_000)


def test_the_daemons_word_counts_even_if_it_is_shorter_than_the_time_the_agent_gave_itself() -> None:
    assert FIRST.until == 121_000
    assert FIRST.renewed(Millis(1000), Millis(8000)).until == 9000


def test_a_late_answer_to_an_earlier_question_changes_nothing() -> None:
    given = FIRST.renewed(Millis(5000), Millis(8000))
    assert given.renewed(Millis(4000), Millis(90_000)) == given
