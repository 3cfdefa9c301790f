import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from idleq.ids import AllocationId, CommandId, EntryId, Fence, Millis
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.inputs import (
    AllocationLost,
    CommandFailed,
    Exited,
    Input,
    JobCancelled,
    JobsSubmitted,
    Launched,
    Paused,
    Reconciled,
    Tick,
)
from idleq.scheduler.core.submission import ArrayRange
from idleq.scheduler.daemon import AT_ONCE, FIRST_PAUSE_MS, LONGEST_NAP_MS, RESTORING_MS, with_word
from idleq.scheduler.errors import DaemonAway, JournalDamaged, JournalUnavailable
from idleq.scheduler.faults import TRIES
from idleq.scheduler.logs import make_log
from idleq.scheduler.outbox import Outbox
from idleq.scheduler.ports import Turn
from support.daemon import (
    NOON,
    Bench,
    FakeClock,
    a_job,
    a_node,
    done,
    entries,
    launched,
    ready,
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_commands_are_carried_out_only_after_their_facts_are_journalled(bench: Bench) -> None:
    bench.host_a_job()
    assert bench.events() == [
        ("journal", "PolicySet"),
        ("journal", "NodesSeen"),
        ("journal", "EntryAdded"),
        ("journal", "AllocationAsked"),
        ("RequestAllocation", "a1"),
        ("journal", "AllocationStarted"),
        ("journal", "AgentArrived"),
        ("journal", "SegmentStarted"),
        ("Launch", "1"),
    ]


def test_a_done_job_is_published_after_it_is_journalled(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    bench.tell(launched(launch), done(launch))
    assert bench.events()[:3] == [
        ("journal", "SegmentRunning"),
        ("journal", "JobDone"),
        ("publish", ("1", 1)),
    ]


def test_all_that_waits_is_journalled_in_one_transaction(bench: Bench) -> None:
    bench.turn()
    before = bench.journal.appends
    replies = [bench.ask(a_job(f"r{number}")) for number in range(5)]
    bench.turn()
    assert [entries(reply.result(timeout=0)) for reply in replies] == [(1,), (2,), (3,), (4,), (5,)]
    assert bench.journal.appends == before + 1


def test_nobody_is_answered_before_the_turn_is_journalled(bench: Bench) -> None:
    reply = bench.ask(a_job())
    was_answered: list[bool] = []
    append = bench.journal.append

    def watched(turns: Sequence[Turn]) -> None:
        was_answered.append(reply.done())
        append(turns)

    bench.journal.append = watched
    bench.turn()
    assert was_answered == [False, False]  # the policy's turn, and the job's
    assert reply.done()


def test_nothing_is_done_and_everybody_told_when_the_journal_fails(bench: Bench) -> None:
    bench.tell(a_node())
    bench.events()
    bench.journal.cannot_write = True
    replies = [bench.ask(a_job("r1")), bench.ask(a_job("r2"))]
    bench.turn()
    assert [type(reply.exception(timeout=0)) for reply in replies] == [JournalUnavailable, JournalUnavailable]
    assert bench.events() == []


def test_after_a_failure_the_engine_is_as_if_it_had_not_been_asked(bench: Bench) -> None:
    bench.tell(a_node())
    bench.journal.cannot_write = True
    bench.ask(a_job("lost"))
    bench.turn()
    bench.journal.cannot_write = False
    bench.steady.advance(FIRST_PAUSE_MS)
    assert entries(bench.tell(a_job("kept"))) == (EntryId(1),)


def test_the_journal_is_left_alone_for_a_while_after_it_failed(bench: Bench) -> None:
    bench.tell(a_node())
    bench.journal.cannot_write = True
    bench.ask(a_job())
    bench.turn()
    bench.journal.cannot_write = False
    reply = bench.ask(a_job())
    bench.turn()
    assert isinstance(reply.exception(timeout=0), JournalUnavailable)
    assert bench.restored == 1


def test_the_daemon_starts_while_the_journal_cannot_be_read_and_goes_on_when_it_can(bench: Bench) -> None:
    bench.journal.cannot_read = True
    reply = bench.ask(a_job())
    bench.turn()
    assert isinstance(reply.exception(timeout=0), JournalUnavailable)
    bench.journal.cannot_read = False
    bench.steady.advance(FIRST_PAUSE_MS)
    assert entries(bench.tell(a_job())) == (EntryId(1),)


def test_the_pauses_between_tries_grow(bench: Bench) -> None:
    bench.journal.cannot_read = True
    tries = Counter[int]()
    facts = bench.journal.facts
    bench.journal.facts = lambda: (tries.update([bench.steady.at]), facts())[1]
    for _ in range(80):
        bench.turn()
        bench.steady.advance(100)
    assert sorted(tries) == [0, 500, 1500, 3500, 7500]


def test_a_turn_that_was_kept_although_its_append_failed_is_carried_out_after_all(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    bench.journal.cannot_write = bench.journal.keeps_what_fails = True
    bench.ask(JobCancelled(target=launch.job))
    bench.turn()
    assert bench.events() == []
    bench.journal.cannot_write = False
    bench.steady.advance(FIRST_PAUSE_MS)
    bench.turn()
    assert bench.events() == [("Kill", "1")]
    assert bench.restored == 2


def test_a_restart_owes_agents_what_they_may_not_have_heard(tmp_path: Path) -> None:
    first = Bench(tmp_path, agents=Outbox())
    launch = first.host_a_job()
    second = Bench(tmp_path, agents=Outbox(), journal=first.journal)
    second.turn()
    assert second.agents.owed(launch.allocation) == first.agents.owed(launch.allocation)
    assert [envelope.id for envelope in second.agents.owed(launch.allocation)] == [launch.id]


def test_a_restart_finishes_what_was_accepted_and_not_yet_published(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.results.is_full = True
    launch = first.host_a_job()
    first.tell(launched(launch), done(launch))
    second = Bench(tmp_path, journal=first.journal)
    second.turn()
    assert ("publish", ("1", 1)) in second.events()


def test_a_result_that_finds_no_room_is_published_later(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.results.is_full = True
    bench.tell(launched(launch), done(launch))
    bench.events()
    bench.results.is_full = False
    assert bench.daemon._nap() < LONGEST_NAP_MS
    assert bench.events() == [("publish", ("1", 1))]


def test_an_agent_that_is_silent_for_its_lease_loses_its_guests(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    bench.steady.advance(61_999)
    bench.turn()
    assert bench.events() == []
    bench.steady.advance(1)
    bench.turn()
    assert ("journal", "SegmentLost") in bench.events()
    assert launch.allocation in bench.leases


def test_an_agent_that_is_heard_keeps_its_guests(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.steady.advance(40_000)
    bench.leases.renew(launch.allocation)
    bench.events()
    bench.steady.advance(40_000)
    bench.turn()
    assert bench.events() == []


def test_a_lease_that_ends_while_the_journal_is_away_is_told_when_it_is_back(bench: Bench) -> None:
    bench.host_a_job()
    bench.events()
    bench.journal.cannot_write = True
    bench.steady.advance(62_000)
    bench.turn()
    bench.journal.cannot_write = False
    bench.steady.advance(FIRST_PAUSE_MS)
    bench.turn()
    assert bench.events()[-1] != ("journal", "SegmentLost")  # a restart gives each agent a whole new lease
    bench.steady.advance(62_000)
    bench.turn()
    assert ("journal", "SegmentLost") in bench.events()


def test_after_a_restart_each_agent_gets_a_whole_lease(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    first.host_a_job()
    second = Bench(tmp_path, journal=first.journal, diary=first.diary)
    second.turn()
    second.events()
    second.steady.advance(61_999)
    second.turn()
    assert second.events() == []
    second.steady.advance(1)
    second.turn()
    assert ("journal", "SegmentLost") in second.events()


def test_a_tick_comes_when_the_engine_wants_one(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.tell(launched(launch), done(launch))
    bench.events()
    wanted = bench.daemon._engine.wake_at()  # type: ignore[union-attr] # it was restored above
    assert wanted is not None
    assert bench.daemon._nap() == wanted - NOON
    bench.clock.advance(wanted - NOON)
    bench.turn()
    assert bench.events() == [("journal", "AllocationReleased"), ("ReleaseAllocation", "a1")]


def test_with_nothing_due_the_daemon_sleeps_until_it_is_woken(bench: Bench) -> None:
    bench.turn()
    assert bench.daemon._nap() == LONGEST_NAP_MS


def test_a_repeated_report_changes_nothing(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.tell(launched(launch), done(launch))
    bench.events()
    bench.tell(launched(launch), done(launch), launched(launch))
    assert bench.events() == []


def test_a_late_report_of_a_lost_segment_is_still_a_result(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.tell(launched(launch))
    bench.tell(Paused(empty=False, reason="maintenance"))
    bench.tell(AllocationLost(allocation=launch.allocation, reason="node failed"))
    bench.events()
    bench.tell(done(launch))
    assert bench.events() == [("journal", "JobDone"), ("publish", ("1", 1))]


def test_an_agent_has_no_say_about_another_allocations_guests(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    assert bench.tell(done(launch), sender=AllocationId("a99")) == ()
    assert bench.events() == []
    assert len(bench.tell(done(launch), sender=launch.allocation)) == 1


def failure(command: CommandId) -> CommandFailed:
    return CommandFailed(command=command, reason="no", transient=True)


def test_an_agent_undoes_no_launch_in_another_allocation(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    assert bench.tell(failure(launch.id), sender=AllocationId("a99")) == ()
    assert bench.events() == []


def test_an_agent_undoes_no_request_for_another_allocation(bench: Bench) -> None:
    bench.tell(a_node())
    (asked,) = (c for d in bench.tell(a_job()) for c in d.commands if isinstance(c, RequestAllocation))
    bench.events()
    assert bench.tell(failure(asked.id), sender=AllocationId("a99")) == ()
    assert bench.tell(failure(asked.id), sender=asked.allocation) == ()
    assert bench.events() == []


def test_an_agent_undoes_no_request_to_the_cluster_but_its_own_launch(bench: Bench) -> None:
    launch = bench.host_a_job()
    (request,) = (a.command for a in bench.daemon._engine.state.allocations.values())  # type: ignore[union-attr] # it is there
    bench.events()
    assert bench.tell(failure(request), sender=launch.allocation) == ()
    assert len(bench.tell(failure(launch.id), sender=launch.allocation)) == 1
    assert bench.events() == [("journal", "SegmentLost")]


def test_an_allocation_that_is_over_is_forgotten(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    bench.tell(AllocationLost(allocation=launch.allocation, reason="preempted"))
    assert ("forget", launch.allocation) in bench.events()
    assert launch.allocation not in bench.leases
    assert bench.forgotten == [launch.allocation]


def test_those_who_wait_are_woken_by_commands_and_by_ends(bench: Bench) -> None:
    launch = bench.host_a_job()
    assert bench.rung == ["allocation/a1"]
    bench.tell(launched(launch), done(launch))
    assert bench.rung == ["allocation/a1", "entry/1"]


def test_one_input_that_the_engine_fails_on_spoils_no_other(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = Engine.handle

    def fragile(self: Engine, what: object, now: Millis) -> object:
        decision = handle(self, what, now)  # type: ignore[arg-type] # what the daemon hands over
        if isinstance(what, Exited):
            raise ZeroDivisionError
        return decision

    launch = bench.host_a_job()
    monkeypatch.setattr(Engine, "handle", fragile)
    good, bad, better = bench.ask(a_job("r2")), bench.ask(done(launch)), bench.ask(a_job("r3"))
    bench.turn()
    assert (entries(good.result(timeout=0)), entries(better.result(timeout=0))) == ((EntryId(2),), (EntryId(3),))
    assert isinstance(bad.exception(timeout=0), ZeroDivisionError)
    assert ("journal", "JobDone") not in bench.events()


class Faulty:
    """An engine that fails on some inputs; *tries* are those that it failed on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *kinds: type) -> None:
        self.tries: list[Input] = []
        handle = Engine.handle

        def fragile(engine: Engine, what: Input, now: Millis) -> Decision:
            if isinstance(what, kinds):
                self.tries.append(what)
                raise ZeroDivisionError
            return handle(engine, what, now)

        monkeypatch.setattr(Engine, "handle", fragile)


def test_a_tick_that_always_fails_is_tried_ever_more_rarely_while_others_are_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = bench.host_a_job()
    bench.tell(launched(launch), done(launch))
    bench.clock.advance(3_600_000)
    faulty, tried_at = Faulty(monkeypatch, Tick), []
    for _ in range(80):
        before = len(faulty.tries)
        bench.turn()
        tried_at += [bench.steady.at] * (len(faulty.tries) - before)
        bench.leases.renew(launch.allocation)
        bench.steady.advance(100)
    assert tried_at == [0, 500, 1500, 3500, 7500]
    assert entries(bench.tell(a_job("r2"))) == (EntryId(2),)
    bench.turn()
    assert bench.daemon._nap() > 1000


def test_a_tick_that_works_again_is_tried_at_once_the_next_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    launch = bench.host_a_job()
    bench.tell(launched(launch), done(launch))
    bench.clock.advance(3_600_000)
    with monkeypatch.context() as patch:
        Faulty(patch, Tick)
        bench.turn()
    bench.steady.advance(FIRST_PAUSE_MS)
    bench.events()
    bench.turn()
    assert ("journal", "AllocationReleased") in bench.events()
    assert bench.daemon._due_pause_ms == FIRST_PAUSE_MS


def test_a_report_that_the_engine_always_fails_on_is_set_aside_and_those_with_it_are_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = bench.host_a_job()
    faulty = Faulty(monkeypatch, Launched)
    failures = []
    for _ in range(TRIES):
        reply = bench.ask(launched(launch), done(launch), sender=launch.allocation)
        bench.turn()
        failures.append(type(reply.exception(timeout=0)))
    bench.events()
    assert len(bench.tell(launched(launch), done(launch), sender=launch.allocation)) == 1
    assert (failures, len(faulty.tries)) == ([ZeroDivisionError] * TRIES, TRIES)
    assert ("journal", "JobDone") in bench.events()


def test_what_a_person_asks_is_never_set_aside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    Faulty(monkeypatch, JobsSubmitted)
    for _ in range(TRIES + 1):
        reply = bench.ask(a_job())
        bench.turn()
        assert isinstance(reply.exception(timeout=0), ZeroDivisionError)


def test_a_question_sees_only_what_is_journalled(bench: Bench) -> None:
    bench.tell(a_node())
    bench.journal.cannot_write = True
    bench.ask(a_job())
    seen = bench.mailbox.look(lambda engine, _now: len(engine.state.entries))
    bench.turn()
    assert isinstance(seen.exception(timeout=0), JournalUnavailable)
    bench.journal.cannot_write = False
    bench.steady.advance(FIRST_PAUSE_MS)
    seen = bench.mailbox.look(lambda engine, _now: len(engine.state.entries))
    bench.turn()
    assert seen.result(timeout=0) == 0


def test_a_question_that_fails_is_answered_so_and_the_daemon_goes_on(bench: Bench) -> None:
    asked = bench.mailbox.look(lambda engine, _now: engine.state.entries[EntryId(9)])
    bench.turn()
    assert isinstance(asked.exception(timeout=0), KeyError)
    assert entries(bench.tell(a_job())) == (EntryId(1),)


def test_a_damaged_journal_ends_the_daemon(bench: Bench) -> None:
    def facts() -> None:
        raise JournalDamaged("fact 7 cannot be read")

    bench.journal.facts = facts
    reply = bench.ask(a_job())
    with pytest.raises(JournalDamaged):
        bench.daemon.run()
    assert isinstance(reply.exception(timeout=0), DaemonAway)


def test_the_loop_ends_when_it_is_told_to(bench: Bench) -> None:
    with bench.running():
        assert entries(bench.ask(a_job()).result(timeout=10)) == (EntryId(1),)


def test_an_array_of_any_length_is_one_fact(bench: Bench) -> None:
    bench.turn()
    bench.events()
    bench.tell(a_job(array=ArrayRange(0, 99_999)))
    assert bench.events() == [("journal", "EntryAdded")]


def test_what_reconciling_finds_gone_is_over(bench: Bench) -> None:
    launch = bench.host_a_job()
    bench.events()
    bench.tell(Reconciled(allocations=()))
    assert bench.events()[:2] == [("journal", "SegmentLost"), ("journal", "AllocationEnded")]
    assert bench.tell(ready(launch.allocation, ((launch.job, Fence(1)),)))[0].refusal is not None


def test_a_long_journal_says_how_far_it_is_read() -> None:
    steady, said = FakeClock(0), io.StringIO()

    def facts() -> Iterator[int]:
        for number in range(6 * AT_ONCE):
            steady.advance(
                Millis(RESTORING_MS // 2 // AT_ONCE + 1)
            )  # a little over half of the pause for each thousand
            yield number

    assert list(with_word(facts(), "facts", steady, make_log(said))) == list(range(6 * AT_ONCE))
    told = [(line["event"], line["facts"]) for line in map(json.loads, said.getvalue().splitlines())]
    assert told == [("daemon.restoring", count * AT_ONCE) for count in (2, 4, 6)]
