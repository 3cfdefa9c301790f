"""The report of histories small enough to reckon by hand."""

from dataclasses import replace

import msgspec
import pytest

from idleq import __version__
from idleq.ids import Millis
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.submission import ArrayRange
from idleq.scheduler.report import Report, build
from idleq.scheduler.report.errors import BrokenHistory
from idleq.scheduler.report.gantt import Gantt, GanttRow, GuestStretch, MainStretch, Move, PhaseStretch
from idleq.scheduler.report.gaps import Closing, ClosingRow, GapBin, Gaps
from idleq.scheduler.report.harm import Harm, HarmRow
from idleq.scheduler.report.jobs import JobRow
from idleq.scheduler.report.series import Series
from idleq.scheduler.report.utilisation import Overhead, Utilisation
from support.journals import START, Story, moment, small_cluster, worked_example

NO_SERIES = Series(
    since_ms=0, step_ms=1, main_cores=(), useful_cores=(), unsaved_cores=(), overhead_cores=(), idle_cores=()
)


def phase(kind: str, since: float, until: float) -> PhaseStretch:
    return PhaseStretch(kind=kind, since_ms=moment(since), until_ms=moment(until))


def main(since: float, until: float, name: str) -> MainStretch:
    return MainStretch(since_ms=moment(since), until_ms=moment(until), cores=4, main_job=name)


def guest(fence: int, since: float, until: float, ending: str, reason: str, *phases: PhaseStretch) -> GuestStretch:
    return GuestStretch(
        job="1",
        fence=fence,
        lane=0,
        cores=2,
        since_ms=moment(since),
        until_ms=moment(until),
        ending=ending,
        reason=reason,
        phases=phases,
    )


EXPECTED = Report(
    idleq_version=__version__,
    since_ms=START,
    until_ms=moment(100),
    facts=24,
    policy=Policy(freeze_ms=Millis(5000), thaw_ms=Millis(5000)),
    policies=1,
    nodes=2,
    peak_cores=8,
    utilisation=Utilisation(
        capacity_core_s=800,
        main_core_s=512,
        useful_core_s=94,
        unsaved_core_s=0,
        overhead=Overhead(
            start_core_s=5, thaw_core_s=3, save_core_s=2, freeze_core_s=4, repeated_core_s=20, discarded_core_s=0
        ),
        overhead_core_s=34,
        idle_core_s=160,
        crowded_core_s=0,
        main_share=0.64,
        with_guests_share=0.8,
        effective_share=0.7575,
        harvest_share=94 / 258,
    ),
    gaps=Gaps(
        gaps=3,
        idle_core_s=288,
        median_ms=30_000,
        longest_ms=32_000,
        tail_waste_core_s=8,
        freeze_ms=2000,
        thaw_ms=500,
        is_measured=True,
        harvestable_core_s=258,
        warned_ms_median=10_000,
        histogram=(
            GapBin(from_s=10, to_s=20, gaps=1, idle_core_s=40),
            GapBin(from_s=20, to_s=30, gaps=0, idle_core_s=0),
            GapBin(from_s=30, to_s=60, gaps=2, idle_core_s=248),
        ),
        closings=(
            ClosingRow(closing=Closing.PLANNED, gaps=2, idle_core_s=168),
            ClosingRow(closing=Closing.SURPRISE, gaps=1, idle_core_s=120),
        ),
    ),
    segments=3,
    freezes=1,
    moves=2,
    jobs=(
        JobRow(
            job="1",
            name="train-cgan",
            user="ada",
            state="done",
            submitted_at_ms=moment(5),
            ended_at_ms=moment(98),
            segments=3,
            freezes=1,
            moves=2,
            nodes=("n1", "n2", "n1"),
            useful_core_s=94,
            unsaved_core_s=0,
            overhead_core_s=34,
            running_ms=64_000,
            waiting_ms=29_000,
            turnaround_ms=93_000,
            stretch=93 / 47,
        ),
    ),
    jobs_not_started=0,
    jobs_cancelled_unstarted=0,
    harm=Harm(
        main_jobs=1,
        waited=1,
        over_bound=0,
        guests_alive=0,
        waited_ms_sum=1500,
        waited_ms_mean=1500,
        waited_ms_max=1500,
        back_offs=0,
        rows=(
            HarmRow(at_ms=moment(80), main_job="m4", nodes=("n2",), waited_ms=1500, bound_ms=10_000, guests_alive=0),
        ),
    ),
    series=NO_SERIES,
    gantt=Gantt(
        is_coarse=False,
        nodes_per_row=1,
        rows=(
            GanttRow(
                node="n1",
                last_node="n1",
                nodes=1,
                cores=4,
                main=(main(0, 10, "m1"), main(42, 90, "m3")),
                guests=(
                    guest(
                        1,
                        11,
                        40,
                        "frozen",
                        "the gap ends",
                        phase("start", 11, 12),
                        phase("useful", 12, 38),
                        phase("freeze", 38, 40),
                    ),
                    guest(
                        3,
                        91,
                        98,
                        "done",
                        "done",
                        phase("start", 91, 91.5),
                        phase("thaw", 91.5, 92),
                        phase("useful", 92, 98),
                    ),
                ),
            ),
            GanttRow(
                node="n2",
                last_node="n2",
                nodes=1,
                cores=4,
                main=(main(0, 50, "m2"), main(80, 100, "m4")),
                guests=(
                    guest(
                        2,
                        52,
                        80,
                        "lost",
                        "preempted",
                        phase("start", 52, 53),
                        phase("thaw", 53, 54),
                        phase("useful", 54, 69),
                        phase("save", 69, 70),
                        phase("repeated", 70, 80),
                    ),
                ),
            ),
        ),
        moves=(
            Move(job="1", from_row=0, from_fence=1, to_row=1, to_fence=2),
            Move(job="1", from_row=1, from_fence=2, to_row=0, to_fence=3),
        ),
    ),
)


def test_the_worked_example_gives_the_numbers_of_the_documentation() -> None:
    report = build(worked_example())
    assert replace(report, series=NO_SERIES) == EXPECTED


def test_the_series_shows_each_step_of_the_worked_example() -> None:
    series = build(worked_example()).series
    assert (series.since_ms, series.step_ms, len(series.main_cores)) == (START, 200, 500)
    layers = (series.main_cores, series.useful_cores, series.unsaved_cores, series.overhead_cores, series.idle_cores)
    at = {seconds: tuple(layer[round(seconds * 5)] for layer in layers) for seconds in (0, 10, 20, 39, 75, 95, 99.8)}
    assert at == {
        0: (8, 0, 0, 0, 0),
        10: (4, 0, 0, 0, 4),
        20: (4, 2, 0, 0, 2),
        39: (4, 0, 0, 2, 2),
        75: (4, 0, 0, 2, 2),
        95: (4, 2, 0, 0, 2),
        99.8: (4, 0, 0, 0, 4),
    }


def test_a_report_up_to_a_moment_ignores_what_came_later() -> None:
    early = build(worked_example(), moment(60))
    assert early == build([pair for pair in worked_example() if pair[0] <= moment(60)], moment(60))
    assert early.utilisation.capacity_core_s == 480
    # 52 core-seconds are in a snapshot; the segment that runs since 54 has saved nothing yet.
    assert (early.utilisation.useful_core_s, early.utilisation.unsaved_core_s) == (52, 12)
    assert early.jobs[0].state == "running"


def test_facts_of_the_last_moment_belong_to_the_report() -> None:
    assert build(worked_example(), moment(42)).facts == 10


def test_a_restart_from_the_beginning_on_another_node_is_no_move() -> None:
    story = Story()
    story.submit(0, 1, 1)
    story.node(0, "n1", 4)
    story.node(0, "n2", 4)
    story.start(0, "1", 1, "n1")
    story.lose(5, "1", 1)
    story.start(6, "1", 2, "n2")
    report = build(story.facts)
    assert (report.moves, report.jobs[0].moves, report.gantt.moves, report.jobs[0].nodes) == (0, 0, (), ("n1", "n2"))


def test_a_report_after_the_last_fact_goes_on_as_things_stood() -> None:
    late = build(worked_example(), moment(150))
    assert late.until_ms == moment(150)
    assert late.utilisation.capacity_core_s == 1200
    assert late.utilisation.main_core_s == 512 + 50 * 8
    assert late.utilisation.useful_core_s == 94


def test_an_empty_journal_makes_a_report_of_nothing() -> None:
    report = build([], moment(10))
    assert (report.facts, report.nodes, report.jobs, report.policy) == (0, 0, (), None)
    assert report.utilisation.capacity_core_s == 0
    assert report.utilisation.effective_share is None
    assert report.gaps.median_ms is None
    assert build([]).until_ms == 0


def test_jobs_that_never_started_are_counted_apart() -> None:
    story = Story()
    story.submit(0, 1, 1)
    story.submit(0, 2, 1, array=ArrayRange(0, 9))
    story.submit(0, 3, 1, array=ArrayRange(0, 4))
    story.node(0, "n1", 4)
    story.start(1, "2_0", 1, "n1")
    story.hold(2, "2_1")
    story.withdraw(3, "2_2")
    story.start(3, "3_0", 1, "n1")
    story.cancel_entry(4, 3)
    report = build(story.facts)
    assert [(job.job, job.state) for job in report.jobs] == [("2_0", "running"), ("3_0", "running")]
    assert (report.jobs_not_started, report.jobs_cancelled_unstarted) == (1 + 8, 1 + 4)


def test_a_fact_about_an_unknown_entry_is_refused_with_what_to_do() -> None:
    story = Story()
    story.start(0, "7", 1, "n1")
    with pytest.raises(BrokenHistory, match=r"entry 7 .* restore the journal"):
        build(story.facts)


def test_a_fact_about_an_unknown_segment_is_refused_with_what_to_do() -> None:
    story = Story()
    story.submit(0, 7, 1)
    story.run(1, "7", 3)
    with pytest.raises(BrokenHistory, match="job 7 has no segment 3"):
        build(story.facts)


def test_a_report_goes_through_json_and_comes_back_the_same() -> None:
    report = build(small_cluster())
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
