import threading

import pytest

from idleq.cli.starting import WHILE_SECONDS, Patience
from idleq.scheduler.lock import Owner, hold
from support.command_line import CommandLine, FakeWire


def test_whoever_waits_for_a_daemon_gives_up_so_long_after_its_last_sign_of_life() -> None:
    patience = Patience(90, sign=7, now=1000)

    assert [patience.lasts(7, 1050), patience.lasts(8, 1080), patience.lasts(8, 1169)] == [True, True, True]
    assert not patience.lasts(8, 1170)


@pytest.mark.parametrize(
    ("seconds", "is_told"), [(WHILE_SECONDS - 1, False), (WHILE_SECONDS, True), (WHILE_SECONDS + 1, True)]
)
def test_a_daemon_at_work_is_worth_a_word_when_it_takes_a_while(seconds: float, *, is_told: bool) -> None:
    patience = Patience(90, sign=0, now=0)
    patience.lasts(1, seconds)
    told = patience.deserves_a_word
    patience.lasts(2, seconds + 5)

    assert told == is_told
    assert patience.deserves_a_word == (not is_told), "it is told once"


def test_a_daemon_that_has_begun_and_does_not_answer_yet_is_not_to_be_started(idleq: CommandLine) -> None:
    idleq.wire = None
    idleq.paths.create()
    with hold(idleq.paths.lock, Owner.this_process()):
        outcome = idleq("ps")
    assert (outcome.code, outcome.out) == (14, "")
    assert "has begun and does not answer yet: it reads its journal" in outcome.err
    assert "start" not in outcome.err.replace(str(idleq.server_dir), "")


def test_submit_waits_for_a_daemon_that_has_begun(idleq: CommandLine) -> None:
    idleq.wire = None
    idleq.paths.create()

    def answers() -> None:
        idleq.wire = FakeWire()

    with hold(idleq.paths.lock, Owner.this_process()):
        soon = threading.Timer(0.3, answers)
        soon.start()
        outcome = idleq("submit", "--start-daemon", "count")
        soon.join()
    assert (outcome.code, outcome.out) == (0, "Submitted job 17 (count)\n")
    assert outcome.err == "The daemon has begun, and does not answer yet ...\n"


def test_a_daemon_that_is_waited_for_and_gone_is_away(idleq: CommandLine) -> None:
    idleq.wire = None
    idleq.paths.create()
    let_go = threading.Event()

    def holds() -> None:
        with hold(idleq.paths.lock, Owner.this_process()):
            held.set()
            let_go.wait(0.3)

    held = threading.Event()
    holder = threading.Thread(target=holds)
    holder.start()
    held.wait()
    outcome = idleq("submit", "--start-daemon", "count")
    holder.join()
    assert (outcome.code, "does not answer yet" in outcome.err) == (14, True)
