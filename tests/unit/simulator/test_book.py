import resource
from pathlib import Path

import pytest

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import Resources
from idleq.simulator.book import AgentStarted, Begun, Book, HeldUp, Life, Over, Record, lives
from idleq.simulator.errors import BadRecords
from idleq.simulator.livecluster import REMEMBERED, kept_records

A1 = AllocationId("a1")


def request(name: str = "a1") -> RequestAllocation:
    return RequestAllocation(
        id=CommandId(1),
        allocation=AllocationId(name),
        mode=Mode.WINDOW,
        node=NodeName("n1"),
        resources=Resources(1, 2, 3),
        min_ms=Millis(4),
        max_ms=Millis(5),
    )


BEGUN = Begun(allocation=A1, node=NodeName("n1"), until=Millis(9))
AGENT = AgentStarted(allocation=A1, pid=1, started=2, machine_boot="x")
OVER = Over(allocation=A1, reason="released")
WORLD = Millis(77)
HELD_UP = HeldUp(world=WORLD, main_job=3, waited_ms=Millis(4))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    records: list[Record] = [request(), BEGUN, AGENT, HELD_UP, OVER]
    book = Book(tmp_path / "book")
    for record in records:
        book.add(record)
    book.close()
    assert Book.read(tmp_path / "book") == records


def test_a_last_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "book"
    Book.rewrite(path, [HELD_UP]).close()
    with path.open("ab") as file:
        file.write(b'{"kind": "Ov')
    assert Book.read(path) == [HELD_UP]


def test_any_other_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_bytes(b'{"kind": "Over"}\n')
    with pytest.raises(BadRecords, match="line 1, is no record"):
        Book.read(path)


def test_a_record_that_does_not_fit_on_the_disk_leaves_no_part_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "book"
    book = Book.rewrite(path, [HELD_UP])
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(OSError, match=r"."):
            book.add(OVER)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.stat().st_size == size
    book.add(OVER)
    book.close()
    assert Book.read(path) == [HELD_UP, OVER]


def test_records_are_put_together_by_allocation() -> None:
    elsewhere = HeldUp(world=Millis(78), main_job=4, waited_ms=Millis(9))
    found, held_up = lives([OVER, request(), BEGUN, AGENT, HELD_UP, elsewhere, OVER], WORLD)
    assert found == {A1: Life(request=request(), begun=BEGUN, agent=AGENT, over=OVER)}
    assert held_up == {3: 4}


def test_the_oldest_of_what_is_over_is_forgotten_and_nothing_else() -> None:
    over: list[Record] = []
    for number in range(REMEMBERED + 1):
        over += [request(f"b{number}"), Over(allocation=AllocationId(f"b{number}"), reason="")]
    assert kept_records([request(), *over, HELD_UP], WORLD) == [HELD_UP, request(), *over[2:]]
