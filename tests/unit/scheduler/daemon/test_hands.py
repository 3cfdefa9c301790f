from pathlib import Path

from idleq.ids import AllocationId, JobId
from idleq.scheduler.core.commands import AgentCommand
from idleq.scheduler.core.inputs import AgentLeaving, AllocationLost, Input, JobCancelled, NodeLost
from idleq.scheduler.core.submission import ArrayRange
from idleq.scheduler.daemon import TRY_AGAIN_MS
from idleq.scheduler.hands import allocation_topic, entry_topic
from idleq.scheduler.owed import owed_commands
from support.daemon import Bench, DiaryAgents, a_job, done, launched, ready
from support.reports import write_reports


class Full(DiaryAgents):
    """Agents whose commands are files, on a disk that may be full."""

    is_full = False
    tries = 0

    def send(self, command: AgentCommand) -> None:
        self.tries += 1
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().send(command)


def test_a_command_that_finds_no_room_is_sent_later(tmp_path: Path) -> None:
    agents = Full()
    bench = Bench(tmp_path, agents=agents)
    launch = bench.host_a_job()
    agents.diary.clear()
    agents.is_full = True
    bench.tell(JobCancelled(target=launch.job))
    agents.is_full = False
    bench.daemon._nap()
    bench.daemon._nap()
    assert agents.diary == [("Kill", "1")]


def test_while_a_disk_is_full_it_is_tried_again_after_a_pause_and_not_at_every_turn(tmp_path: Path) -> None:
    agents = Full()
    bench = Bench(tmp_path, agents=agents)
    launch = bench.host_a_job()
    agents.is_full, agents.tries = True, 0
    bench.tell(JobCancelled(target=launch.job))
    naps = [bench.daemon._nap() for _ in range(5)]
    assert agents.tries == 2, "when it was ordered, and once more"
    assert max(naps) <= TRY_AGAIN_MS


def test_what_could_not_be_sent_to_an_agent_is_not_sent_once_its_allocation_is_over(tmp_path: Path) -> None:
    agents = Full()
    bench = Bench(tmp_path, agents=agents)
    launch = bench.host_a_job()
    agents.is_full = True
    bench.tell(JobCancelled(target=launch.job))
    bench.tell(AllocationLost(allocation=launch.allocation, reason="preempted"))
    agents.is_full = False
    agents.diary.clear()
    bench.daemon._nap()
    assert agents.diary == []


def test_topics_name_an_allocation_or_an_entry() -> None:
    assert allocation_topic(AllocationId("a3")) == "allocation/a3"
    assert (entry_topic(JobId("17_3")), entry_topic(JobId("17"))) == ("entry/17", "entry/17")


def test_the_end_of_an_array_task_wakes_those_who_wait_for_the_array(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.tell(a_job(array=ArrayRange(0, 1)))
    bench.tell(JobCancelled(target=JobId("1_1")))
    bench.tell(JobCancelled(target=JobId("1")))
    assert bench.rung == ["entry/1", "entry/1"]


def test_each_state_of_a_segment_owes_its_agent_one_command(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    launch = bench.host_a_job()
    engine = bench.daemon._engine
    assert engine is not None
    assert list(owed_commands(engine.state)) == [launch]
    bench.tell(launched(launch))
    assert [type(command).__name__ for command in owed_commands(engine.state)] == ["Replan"]
    bench.tell(JobCancelled(target=launch.job))
    assert [type(command).__name__ for command in owed_commands(engine.state)] == ["Kill"]
    bench.tell(done(launch))
    assert list(owed_commands(engine.state)) == []


def test_after_a_restart_the_old_greeting_of_an_agent_that_is_leaving_makes_no_guest_lost(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    launch = first.host_a_job()
    said: list[Input] = [
        ready(launch.allocation),
        launched(launch),
        AgentLeaving(allocation=launch.allocation, reason="time"),
    ]
    first.tell(*said[1:])
    write_reports(first.paths, launch.allocation, *said)
    second = Bench(tmp_path, journal=first.journal)
    second.turn()
    second.events()
    reading = second.intake.read_file(launch.allocation)
    second.tell(*reading.inputs)
    assert (reading.inputs, second.events()) == (tuple(said[1:]), [])


def test_after_a_restart_an_agent_that_is_leaving_has_a_lease(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    launch = first.host_a_job()
    first.tell(AgentLeaving(allocation=launch.allocation, reason="time"))
    second = Bench(tmp_path, journal=first.journal)
    second.turn()
    assert second.leases.next_end_in() == second.leases.lease_ms + 2_000


def test_after_a_restart_the_agent_of_a_failed_node_has_a_lease_that_is_not_renewed(tmp_path: Path) -> None:
    first = Bench(tmp_path)
    launch = first.host_a_job()
    first.tell(NodeLost(allocation=launch.allocation, reason="no ping"))
    second = Bench(tmp_path, journal=first.journal)
    second.turn()
    second.steady.advance(1_000)
    second.leases.renew(launch.allocation)
    assert second.leases.left_ms(launch.allocation) == second.leases.lease_ms - 1_000
