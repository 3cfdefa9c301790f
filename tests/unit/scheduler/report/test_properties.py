"""What holds of the report of any history at all."""

from dataclasses import asdict
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.report import build, page, text
from idleq.scheduler.report.timeline import read
from support.journals import Story, moment

NODES = ("n1", "n2", "n3")
CORES = 6


def any_history(dice: Random) -> list[tuple[Millis, Fact]]:
    """Let nodes change and jobs live at random; news overlap and contradict each other as they may."""
    story = Story()
    jobs = [_Life(story, entry, dice) for entry in range(1, 5)]
    at = 0.0
    for _ in range(dice.randrange(60)):
        at += dice.choice((0, 0.3, 1, 7, 40))
        if dice.random() < 0.3:
            busy = dice.randrange(CORES + 1)
            story.node(at, dice.choice(NODES), CORES, busy, is_up=dice.random() < 0.9)
        elif dice.random() < 0.05:
            story.gone(at, dice.choice(NODES))
        elif dice.random() < 0.1:
            story.gap_closed(at, dice.choice(NODES), 0, dice.choice((None, at, at + 5)))
        else:
            dice.choice(jobs).go_on(at)
    return story.facts


class _Life:
    """One job's way through the lifecycle."""

    def __init__(self, story: Story, entry: int, dice: Random) -> None:
        self.story, self.job, self.dice = story, str(entry), dice
        self.state, self.fence, self.since = "idle", 0, 0.0
        self.snapshots: list[str] = []
        story.submit(0, entry, dice.randrange(1, CORES))

    def go_on(self, at: float) -> None:
        steps = {"idle": self._start, "starting": self._rise, "running": self._run}
        if self.state in steps:
            steps[self.state](at)

    def _start(self, at: float) -> None:
        if self.snapshots and self.dice.random() < 0.2:
            self.story.drop(at, self.job, self.snapshots.pop())
        self.fence += 1
        snapshot = self.snapshots[-1] if self.snapshots and self.dice.random() < 0.9 else None
        self.story.start(at, self.job, self.fence, self.dice.choice(NODES), snapshot)
        self.state, self.since = "starting", at

    def _rise(self, at: float) -> None:
        if self.dice.random() < 0.1:
            self.story.lose(at, self.job, self.fence)
            self.state = "idle"
        else:
            self.story.run(at, self.job, self.fence, self.dice.uniform(0, 3))
            self.state = "running"

    def _run(self, at: float) -> None:
        story, job, fence = self.story, self.job, self.fence
        snapshot = f"{job}-{fence}-{len(story.facts)}"
        match self.dice.randrange(8):
            case 0 | 1:
                story.save(at, job, fence, snapshot, self.dice.choice((None, 0.5, 9)))
                self.snapshots.append(snapshot)
                return
            case 2 | 3:
                story.freeze(at, job, fence, snapshot, self.dice.uniform(0, 9))
                self.snapshots.append(snapshot)
                self.state = "idle"
            case 4:
                story.lose(at, job, fence)
                self.state = "idle"
            case 5:
                story.fail_segment(at, job, fence)
                self.state = "idle"
            case 6:
                story.done(at, job, fence)
                self.state = "over"
            case _:
                self.dice.choice((lambda: story.fail(at, job, fence), lambda: story.withdraw(at, job)))()
                self.state = "over"


histories = st.randoms(use_true_random=False).map(any_history)


@given(histories)
def test_the_parts_sum_to_the_capacity_and_none_is_negative(facts: list[tuple[Millis, Fact]]) -> None:
    use = build(facts).utilisation
    parts = [use.main_core_s, use.useful_core_s, use.unsaved_core_s, use.overhead_core_s, use.idle_core_s]
    assert sum(parts) == pytest.approx(use.capacity_core_s, abs=1e-6)
    assert sum(asdict(use.overhead).values()) == pytest.approx(use.overhead_core_s, abs=1e-6)
    assert min(*parts, *asdict(use.overhead).values(), use.crowded_core_s) >= 0


@given(histories)
def test_effective_lies_between_main_jobs_alone_and_all_that_was_held(facts: list[tuple[Millis, Fact]]) -> None:
    use = build(facts).utilisation
    if use.main_share is None or use.effective_share is None or use.with_guests_share is None:
        assert use.capacity_core_s == 0
    else:
        assert 0 <= use.main_share <= use.effective_share <= use.with_guests_share <= 1


@given(histories)
def test_the_gaps_are_exactly_what_main_jobs_left(facts: list[tuple[Millis, Fact]]) -> None:
    report = build(facts)
    use, gaps = report.utilisation, report.gaps
    assert gaps.idle_core_s == pytest.approx(use.capacity_core_s - use.main_core_s, abs=1e-6)
    assert sum(one.idle_core_s for one in gaps.histogram) == pytest.approx(gaps.idle_core_s, abs=1e-6)
    assert sum(one.gaps for one in gaps.histogram) == sum(row.gaps for row in gaps.closings) == gaps.gaps
    assert 0 <= gaps.harvestable_core_s <= gaps.idle_core_s
    assert 0 <= gaps.tail_waste_core_s <= use.idle_core_s + 1e-6


@given(histories)
def test_the_series_holds_the_same_areas(facts: list[tuple[Millis, Fact]]) -> None:
    report = build(facts)
    use, series = report.utilisation, report.series
    length = report.until_ms - report.since_ms
    widths = [min(series.step_ms, length - place * series.step_ms) for place in range(len(series.main_cores))]

    def area(cores: tuple[float, ...]) -> float:
        return sum(mean * width for mean, width in zip(cores, widths, strict=True)) / 1000

    assert len(widths) <= 600
    assert [
        area(series.main_cores),
        area(series.useful_cores),
        area(series.unsaved_cores),
        area(series.overhead_cores),
        area(series.idle_cores),
    ] == pytest.approx(
        [use.main_core_s, use.useful_core_s, use.unsaved_core_s, use.overhead_core_s, use.idle_core_s], abs=1e-6
    )


@given(histories)
def test_the_phases_of_a_segment_cover_it_once(facts: list[tuple[Millis, Fact]]) -> None:
    for job in read(facts, None).jobs:
        for segment in job.segments:
            phases = list(segment.phases())
            assert sum(phase.until - phase.since for phase in phases) == segment.until - segment.since
            assert all(one.until == other.since for one, other in pairwise(phases))
            assert [phase.since for phase in phases[:1]] == [segment.since for _ in phases[:1]]


@given(histories)
def test_the_jobs_hold_the_guests_areas_but_for_what_was_crowded_out(facts: list[tuple[Millis, Fact]]) -> None:
    report = build(facts)
    use = report.utilisation
    seen = {row.node for row in report.gantt.rows}
    if all(node in seen for job in report.jobs for node in job.nodes):
        useful = sum(job.useful_core_s for job in report.jobs)
        assert use.useful_core_s <= useful + 1e-6
    assert all(min(job.running_ms, job.waiting_ms, job.overhead_core_s, job.unsaved_core_s) >= 0 for job in report.jobs)


@given(histories, st.integers(0, 300))
@settings(max_examples=40)
def test_any_history_can_be_shown_up_to_any_moment(facts: list[tuple[Millis, Fact]], seconds: int) -> None:
    report = build(facts, moment(seconds))
    assert text.render(report).startswith("idleq report: 2026-01-05")
    assert page.render(report).endswith("</html>")
