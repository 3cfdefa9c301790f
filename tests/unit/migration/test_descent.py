"""Which processes belong together."""

from idleq.migration.descent import leaders_first, owners
from idleq.processes import Process


def process(pid: int, *, parent: int = 1, group: int = 0, session: int = 0) -> Process:
    return Process(
        pid=pid, parent=parent, group=group or pid, session=session or pid, started=0, resident=0, is_zombie=False
    )


def test_a_process_belongs_to_the_root_of_its_session_group_or_descent() -> None:
    processes = {
        p.pid: p
        for p in [
            process(10),
            process(11, parent=10, group=10, session=10),
            process(12, parent=1, session=10),
            process(13, parent=1, group=10),
            process(14, parent=11),
            process(15, parent=14),
            process(20),
            process(21, parent=20),
            process(30),
        ]
    }
    assert owners(processes, {10: "a", 20: "b"}) == {
        10: "a", 11: "a", 12: "a", 13: "a", 14: "a", 15: "a", 20: "b", 21: "b",
    }  # fmt: skip


def test_parents_that_go_round_in_a_circle_end_the_search() -> None:
    processes = {5: process(5, parent=6), 6: process(6, parent=5)}
    assert owners(processes, {9: "a"}) == {}


def test_leaders_are_killed_before_their_helpers() -> None:
    """Else a preempted shell lives to see its child die, and says 137: a failure of the workload."""
    assert leaders_first({16, 9, 24, 33}, {24, 33}) == [24, 33, 9, 16]
