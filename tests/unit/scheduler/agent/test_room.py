"""Resources are handed out once."""

from idleq.ids import Fence, JobId
from idleq.scheduler.agent.room import Share, room_of
from idleq.scheduler.core.resources import Resources

A, B, C = ((JobId(name), Fence(1)) for name in "123")


def test_no_more_is_handed_out_than_there_is() -> None:
    room = room_of(Resources(4, 100), range(16), {})
    assert room.take(A, Resources(3, 50)) == Share(Resources(3, 50), frozenset(), ())
    assert room.take(B, Resources(2, 10)) is None
    assert room.take(B, Resources(1, 60)) is None
    assert room.free == Resources(1, 50)
    room.give_back(A)
    room.give_back(A)
    assert room.free == Resources(4, 100)


def test_guests_are_bound_to_cores_of_their_own_where_the_allocation_has_exactly_its_own() -> None:
    room = room_of(Resources(3, 100), [4, 5, 6], {})
    first, second = room.take(A, Resources(2, 1)), room.take(B, Resources(1, 1))
    assert first is not None
    assert second is not None
    assert (first.cores, second.cores) == (frozenset({4, 5}), frozenset({6}))
    room.give_back(A)
    third = room.take(C, Resources(1, 1))
    assert third is not None
    assert third.cores == frozenset({4})


def test_gpus_are_handed_out_by_the_names_that_the_allocation_was_given() -> None:
    room = room_of(Resources(4, 100, 2), range(16), {"CUDA_VISIBLE_DEVICES": "5,7"})
    first, second = room.take(A, Resources(1, 1, 1)), room.take(B, Resources(1, 1, 1))
    assert first is not None
    assert second is not None
    assert (first.gpus, second.gpus) == (("5",), ("7",))
    assert room.take(C, Resources(1, 1, 1)) is None
    assert room_of(Resources(4, 100, 2), range(16), {}).gpus == ("0", "1")
