import json

from idleq.ids import AllocationId, CommandId, Fence, JobId
from idleq.scheduler import codec
from idleq.scheduler.core.commands import AgentCommand, Kill
from idleq.scheduler.outbox import Outbox

A1, A2 = AllocationId("a1"), AllocationId("a2")


def kill(number: int, allocation: AllocationId = A1) -> Kill:
    return Kill(id=CommandId(number), allocation=allocation, job=JobId("1"), fence=Fence(1), reason='"why"\n')


def ids(outbox: Outbox, allocation: AllocationId = A1) -> list[int]:
    return [envelope.id for envelope in outbox.owed(allocation)]


def test_a_command_is_told_again_until_the_agent_has_it() -> None:
    outbox = Outbox()
    outbox.send(kill(2))
    outbox.send(kill(1))
    assert (ids(outbox), ids(outbox)) == ([2, 1], [2, 1])
    outbox.acknowledge(A1, (CommandId(2), CommandId(77)))
    assert ids(outbox) == [1]


def test_each_allocation_has_its_own() -> None:
    outbox = Outbox()
    outbox.send(kill(1, A1))
    outbox.send(kill(2, A2))
    outbox.acknowledge(A2, (CommandId(1),))
    outbox.acknowledge(AllocationId("a3"), (CommandId(1),))
    assert (ids(outbox, A1), ids(outbox, A2)) == ([1], [2])


def test_a_command_sent_twice_is_owed_once() -> None:
    outbox = Outbox()
    outbox.send(kill(1))
    outbox.send(kill(1))
    assert ids(outbox) == [1]


def test_nothing_is_owed_to_an_allocation_that_is_over() -> None:
    outbox = Outbox()
    outbox.send(kill(1))
    outbox.forget(A1)
    assert ids(outbox) == []


def test_a_command_travels_as_its_id_its_kind_and_its_body() -> None:
    outbox = Outbox()
    outbox.send(kill(7))
    told = json.loads(outbox.owed(A1)[0].payload)
    assert set(told) == {"id", "kind", "body"}
    assert (told["id"], codec.decode_plain(told["kind"], told["body"], AgentCommand)) == (7, kill(7))
