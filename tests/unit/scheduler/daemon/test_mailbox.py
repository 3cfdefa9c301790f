import pytest

from idleq.ids import AllocationId, Millis
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.mailbox import Ask, Look, Mailbox
from support.daemon import a_job

NO_WAIT = Millis(0)


def test_letters_are_taken_all_at_once_in_the_order_in_which_they_came() -> None:
    mailbox = Mailbox()
    mailbox.ask([a_job("r1")])
    mailbox.look(lambda _engine, now: now)
    mailbox.ask([a_job("r2"), a_job("r3")], AllocationId("a1"))
    first, second, third = mailbox.take(NO_WAIT)
    assert isinstance(first, Ask)
    assert isinstance(second, Look)
    assert isinstance(third, Ask)
    assert (first.inputs, first.sender) == ((a_job("r1"),), None)
    assert (third.inputs, third.sender) == ((a_job("r2"), a_job("r3")), "a1")
    assert mailbox.take(NO_WAIT) == []


def test_to_be_woken_is_no_letter() -> None:
    mailbox = Mailbox()
    mailbox.wake()
    assert mailbox.take(Millis(60_000)) == []


def test_a_closed_mailbox_hands_back_what_nobody_took_and_refuses_the_rest() -> None:
    mailbox = Mailbox()
    mailbox.ask([a_job()])
    assert len(mailbox.close()) == 1
    for reply in (mailbox.ask([a_job()]), mailbox.look(lambda _engine, now: now)):
        with pytest.raises(DaemonAway):
            reply.result(timeout=0)
    assert mailbox.take(NO_WAIT) == []
