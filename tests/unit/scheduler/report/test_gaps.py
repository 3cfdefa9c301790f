"""Gaps: how the free cores of a node are cut into them, how they closed, what was left behind the last guest."""

from itertools import pairwise

from idleq.scheduler.core.cause import Cause, CauseKind
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.report import build
from idleq.scheduler.report.gaps import EDGES_S, Gaps
from support.journals import Story


def gaps_of(story: Story) -> Gaps:
    return build(story.facts).gaps


def test_cores_that_came_free_last_are_taken_first() -> None:
    story = Story()
    story.node(0, "n1", 8, 4)
    story.node(10, "n1", 8, 2)
    story.node(25, "n1", 8, 4)
    story.node(70, "n1", 8, 8)
    gaps = gaps_of(story)
    # Two cores for 15 s, four for 70 s.
    assert (gaps.gaps, gaps.idle_core_s, gaps.median_ms, gaps.longest_ms) == (2, 2 * 15 + 4 * 70, 15_000, 70_000)
    assert [(one.from_s, one.idle_core_s) for one in gaps.histogram if one.gaps] == [(10, 30), (60, 280)]


def test_a_gap_that_is_taken_in_two_parts_counts_as_two() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.node(10, "n1", 4, 3)
    story.node(20, "n1", 4, 4)
    story.node(30, "n1", 4, 4)
    assert [(one.from_s, one.gaps, one.idle_core_s) for one in gaps_of(story).histogram] == [(10, 1, 30), (20, 1, 20)]


def test_each_way_of_closing_is_told_apart() -> None:
    story = Story()
    for node, planned in (("planned", 20), ("late", 15), ("early", 30), ("surprise", None)):
        story.node(0, node, 1)
        story.gap_closed(20, node, 0, planned)
        story.node(20, node, 1, 1)
    for node in ("untold", "open", "down"):
        story.node(0, node, 1)
    story.node(20, "untold", 1, 1)
    story.node(20, "down", 1, is_up=False)
    story.node(30, "untold", 1, 1)
    assert {row.closing: (row.gaps, row.idle_core_s) for row in gaps_of(story).closings} == {
        "as planned": (2, 40),
        "earlier than planned": (1, 20),
        "without notice": (1, 20),
        "node down": (1, 20),
        "plan not recorded": (1, 20),
        "still open": (1, 30),
    }


def test_a_node_that_is_cleaned_up_after_a_guest_goes_on_with_its_gap_and_a_drained_one_does_not() -> None:
    story = Story()
    for node, why in (("cleaned", "completing"), ("drained", "drain")):
        story.node(0, node, 1)
        story.node(20, node, 1, is_up=False, cause=Cause(CauseKind.CLOSED, why))
        story.node(23, node, 1)
    story.node(30, "cleaned", 1)
    story.node(30, "drained", 1)
    assert {row.closing: (row.gaps, row.idle_core_s) for row in gaps_of(story).closings} == {
        "node down": (1, 20),
        "still open": (2, 30 + 7),
    }


def test_tail_waste_is_counted_core_by_core_after_the_last_guest() -> None:
    story = Story()
    story.submit(0, 1, 3)
    story.submit(0, 2, 1)
    story.node(0, "n1", 4)
    story.start(0, "1", 1, "n1")
    story.start(0, "2", 1, "n1")
    story.lose(10, "1", 1)
    story.lose(15, "2", 1)
    story.node(20, "n1", 4, 4)
    story.node(30, "n1", 4, 4)
    # Three cores wait 10 s and one 5 s for the gap's end.
    assert gaps_of(story).tail_waste_core_s == 3 * 10 + 5


def test_a_pause_between_two_guests_is_no_tail() -> None:
    story = Story()
    story.submit(0, 1, 4)
    story.node(0, "n1", 4)
    story.start(0, "1", 1, "n1")
    story.lose(5, "1", 1)
    story.start(12, "1", 2, "n1")
    story.lose(18, "1", 2)
    story.node(20, "n1", 4, 4)
    story.node(30, "n1", 4, 4)
    assert gaps_of(story).tail_waste_core_s == 8


def test_a_gap_without_guests_or_still_open_has_no_tail() -> None:
    story = Story()
    story.submit(0, 1, 4)
    story.node(0, "n1", 4)
    story.node(0, "n2", 4)
    story.start(0, "1", 1, "n1")
    story.lose(5, "1", 1)
    story.node(20, "n2", 4, 4)
    story.node(30, "n2", 4, 4)
    assert gaps_of(story).tail_waste_core_s == 0


def test_a_guest_that_stays_to_the_end_leaves_no_tail() -> None:
    story = Story()
    story.submit(0, 1, 4)
    story.node(0, "n1", 4)
    story.start(0, "1", 1, "n1")
    story.lose(5, "1", 1)
    story.start(8, "1", 2, "n1")
    story.node(20, "n1", 4, 4)
    story.lose(21, "1", 2)
    story.node(30, "n1", 4, 4)
    assert gaps_of(story).tail_waste_core_s == 0


def test_costs_that_were_never_measured_are_the_policys() -> None:
    story = Story()
    story.policy(0, Policy())
    story.node(0, "n1", 2)
    story.node(60, "n1", 2, 2)
    story.node(61, "n1", 2, 2)
    gaps = gaps_of(story)
    assert (gaps.freeze_ms, gaps.thaw_ms, gaps.is_measured) == (10_000, 10_000, False)
    assert gaps.harvestable_core_s == 2 * 40


def test_a_gap_shorter_than_a_thaw_and_a_freeze_could_give_nothing() -> None:
    story = Story()
    story.policy(0, Policy())
    story.node(0, "n1", 2)
    story.node(15, "n1", 2, 2)
    story.node(61, "n1", 2, 2)
    report = build(story.facts)
    assert (report.gaps.harvestable_core_s, report.utilisation.harvest_share) == (0, None)


def test_the_histogram_has_room_for_the_shortest_and_the_longest() -> None:
    story = Story()
    story.node(0, "n1", 1)
    story.node(0.3, "n1", 1, 1)
    story.node(1, "n1", 1)
    story.node(1 + EDGES_S[-1], "n1", 1, 1)
    bins = gaps_of(story).histogram
    assert (bins[0].from_s, bins[0].to_s, bins[0].gaps) == (0, 1, 1)
    assert (bins[-1].from_s, bins[-1].to_s, bins[-1].gaps) == (EDGES_S[-1], None, 1)
    assert all(one.to_s == other.from_s for one, other in pairwise(bins))


def test_a_fresh_start_says_nothing_of_what_a_thaw_takes() -> None:
    story = Story()
    story.submit(0, 1, 1)
    story.submit(0, 2, 1)
    story.node(0, "n1", 4)
    for job in ("1", "2"):
        story.start(0, job, 1, "n1")
        story.run(1, job, 1)
        story.freeze(10, job, 1, f"s{job}", 2)
    story.start(11, "1", 2, "n1", "s1")
    story.run(15, "1", 2, 3)
    gaps = gaps_of(story)
    assert (gaps.freeze_ms, gaps.thaw_ms, gaps.is_measured) == (2000, 3000, True)
