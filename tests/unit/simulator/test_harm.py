from dataclasses import replace
from random import Random

from idleq.ids import Millis
from idleq.simulator.guestload import GuestStream, guest_stream
from idleq.simulator.harm import Interval, interval, over_bound, shaken
from idleq.simulator.jobs import MainJob

JOBS = [MainJob(id=number, submit=number * 10, run=5, limit=5, size=1) for number in range(20)]


def test_only_waits_beyond_the_bound_are_named() -> None:
    assert over_bound({1: (Millis(30), Millis(30)), 2: (Millis(31), Millis(30)), 3: (Millis(0), Millis(0))}) == [2]


def test_the_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half_width is not None
    assert abs(found.half_width - 2.776 * 0.70711) < 0.01
    assert not found.holds_zero
    assert interval([7.0]) == Interval(mean=7.0, half_width=None, count=1)
    assert interval([-1.0, 1.0, 0.5]).holds_zero


def test_shaking_moves_submits_only_and_is_the_same_for_the_same_seed() -> None:
    moved = shaken(JOBS, seed=1, most_ms=50)
    assert moved == shaken(JOBS, seed=1, most_ms=50) != shaken(JOBS, seed=2, most_ms=50)
    assert [job.submit for job in moved] == sorted(job.submit for job in moved)
    by_id = sorted(moved, key=lambda job: job.id)
    assert all(0 <= after.submit - before.submit <= 50 for before, after in zip(JOBS, by_id, strict=True))
    assert [replace(job, submit=0) for job in by_id] == [replace(job, submit=0) for job in JOBS]


def test_shakes_and_guests_are_drawn_apart_from_what_else_the_same_seed_draws() -> None:
    stream = GuestStream(interval_ms=1000, mean_run_ms=1000, cores={1: 1.0}, memory_per_core=1)
    for seed in range(5):
        moved = shaken([JOBS[0]], seed, most_ms=10**9)[0].submit - JOBS[0].submit
        came, _ = next(iter(guest_stream(stream, Millis(10**9), seed)))
        assert moved != Random(seed).randrange(10**9 + 1)
        assert came != round(Random(seed).expovariate(1 / 1000))
