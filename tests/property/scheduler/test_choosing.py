"""What the engine remembers while it gives a room away changes nothing about who is chosen."""

from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.placement import Looks, choose, entry_and_job, stretch, took
from idleq.scheduler.core.policy import HOUR, MINUTE, Policy
from idleq.scheduler.core.queue import Candidate
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.state import State
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, JobSpec, RuntimeWish, Submission

PATIENCE = Policy().patience_ms
ABILITIES = frozenset({"criu", "podman"})
lengths = st.sampled_from([None, MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 6 * HOUR])
specs = st.builds(
    JobSpec,
    name=st.sampled_from(["a", "b", "c"]),
    argv=st.just(("run",)),
    resources=st.builds(Resources, st.integers(1, 4), st.integers(1, 4), st.integers(0, 1)),
    expected_ms=lengths,
    freeze=st.sampled_from(FreezeMethod),
    runtime=st.sampled_from(RuntimeWish),
    priority=st.integers(0, 2),
)
submissions = st.builds(
    Submission, spec=specs, array=st.one_of(st.none(), st.integers(0, 3).map(lambda last: ArrayRange(0, last)))
)
rooms = st.builds(Resources, st.integers(1, 8), st.integers(1, 8), st.integers(0, 2))


def plainly(state: State, room: Resources, length_ms: Millis, now: Millis, user: str) -> Candidate | None:
    """Go through everybody, take the first of each shape for whom the gap pays, and of them the best by the rule that `choose` promises: level, fit, standing, entry, ordinal."""
    ranked = []
    for line in state.queue.lines.values():
        if user not in ("", line.shape.user) or not line.need.fits_in(room) or not set(line.shape.needs) <= ABILITIES:
            continue
        for _, candidate in sorted(line.candidates.items()):
            worth = stretch(state, *entry_and_job(state, candidate), length_ms)
            if worth.pays:
                level = (now - candidate.place.standing) // PATIENCE
                ranked.append(((-level, -line.need.cores * worth.useful_ms, *candidate.place), candidate))
                break
    return min(ranked)[1] if ranked else None


@given(
    waves=st.lists(
        st.tuples(st.integers(0, 3 * PATIENCE), st.sampled_from(["alice", "bob"]), st.lists(submissions, max_size=6)),
        min_size=1,
        max_size=5,
    ),
    rounds=st.lists(st.tuples(rooms, st.sampled_from(["", "alice", "bob"])), min_size=1, max_size=4),
    length_ms=lengths.map(lambda length: length or 24 * HOUR),
)
def test_keeping_what_was_looked_at_changes_nothing_about_who_is_chosen(
    waves: list[tuple[int, str, list[Submission]]], rounds: list[tuple[Resources, str]], length_ms: int
) -> None:
    engine, now = Engine(Policy()), Millis(1_800_000_000_000)
    for number, (pause, user, wave) in enumerate(waves):
        now = Millis(now + pause)
        engine.handle(JobsSubmitted(submissions=tuple(wave), request=f"wave {number}", user=user), now)
    state, length, looks = engine.state, Millis(length_ms), Looks(abilities=ABILITIES)
    for room, user in rounds:
        while True:
            chosen = choose(state, room, length, now, looks, user)
            assert chosen == plainly(state, room, length, now, user)
            if chosen is None:
                break
            took(looks)
            state.queue.take(chosen.entry, chosen.job, 1)
