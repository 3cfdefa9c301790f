"""Which part of a guest's work counts: only progress that survived."""

from dataclasses import asdict

from idleq.scheduler.report import build
from support.journals import Story


def told() -> Story:
    """Begin a story of one idle node with one job of one core, so that core-seconds are seconds."""
    story = Story()
    story.node(0, "n1", 4)
    story.node(0, "n2", 4)
    story.submit(0, 1, 1)
    return story


def spent(story: Story) -> dict[str, float]:
    """Return what the guests' cores did, leaving out what is zero."""
    use = build(story.facts).utilisation
    kinds = {"useful": use.useful_core_s, "unsaved": use.unsaved_core_s, **asdict(use.overhead)}
    return {kind.removesuffix("_core_s"): area for kind, area in kinds.items() if area}


def test_a_frozen_segment_is_useful_up_to_where_its_freeze_began() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.freeze(20, "1", 1, "s1", 3)
    assert spent(story) == {"start": 1, "useful": 16, "freeze": 3}


def test_a_done_segment_is_useful_to_its_end() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.done(20, "1", 1)
    assert spent(story) == {"start": 1, "useful": 19}


def test_a_lost_segment_is_useful_up_to_its_last_save_and_the_rest_is_repeated() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.save(10, "1", 1, "s1")
    story.save(20, "1", 1, "s2")
    story.lose(26, "1", 1)
    assert spent(story) == {"start": 1, "useful": 19, "repeated": 6}


def test_a_lost_segment_without_a_save_is_repeated_whole() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.lose(26, "1", 1)
    assert spent(story) == {"start": 1, "repeated": 25}


def test_saving_takes_time_that_is_overhead() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.save(10, "1", 1, "s1", 2)
    story.done(20, "1", 1)
    assert spent(story) == {"start": 1, "useful": 17, "save": 2}


def test_a_segment_that_never_came_up_is_all_start() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.lose(7, "1", 1, "the agent is silent")
    assert spent(story) == {"start": 7}


def test_work_of_a_running_segment_counts_as_unsaved_until_a_save_holds_it() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.save(10, "1", 1, "s1")
    story.progress(30, "1", 1, 5)
    assert spent(story) == {"start": 1, "useful": 9, "unsaved": 20}


def test_a_segment_that_failed_counts_up_to_its_last_save_while_the_job_is_tried_again() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.save(10, "1", 1, "s1")
    story.fail_segment(14, "1", 1)
    assert spent(story) == {"start": 1, "useful": 9, "repeated": 4}


def test_a_retry_from_the_beginning_makes_everything_before_it_repeated() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.save(10, "1", 1, "s1")
    story.fail_segment(14, "1", 1)
    story.start(20, "1", 2, "n1")
    story.run(20, "1", 2)
    story.done(30, "1", 2)
    assert spent(story) == {"start": 1, "repeated": 13, "useful": 10}


def test_a_retry_from_the_beginning_leaves_the_old_snapshots_behind_as_soon_as_it_runs() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.save(10, "1", 1, "s1")
    story.fail_segment(14, "1", 1)
    story.start(20, "1", 2, "n1")
    story.run(20, "1", 2)
    story.progress(26, "1", 2, 1)
    assert spent(story) == {"repeated": 14, "unsaved": 6}


def test_nothing_of_a_failed_job_survived() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.freeze(20, "1", 1, "s1", 3)
    story.start(30, "1", 2, "n1", "s1")
    story.run(32, "1", 2, 1)
    story.fail(40, "1", 2)
    assert spent(story) == {"start": 2, "thaw": 1, "freeze": 3, "discarded": 16 + 8}


def test_nothing_of_a_cancelled_job_survived_and_its_segment_ends_with_it() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.withdraw(11, "1")
    story.node(20, "n1", 4)
    assert spent(story) == {"start": 1, "discarded": 10}


def test_a_cancelled_frozen_job_loses_what_its_snapshot_held() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(1, "1", 1)
    story.freeze(20, "1", 1, "s1", 3)
    story.withdraw(25, "1")
    assert spent(story) == {"start": 1, "discarded": 16, "freeze": 3}


def test_a_dropped_snapshot_takes_the_work_since_the_one_before_with_it() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.freeze(10, "1", 1, "s1")
    story.start(10, "1", 2, "n1", "s1")
    story.run(10, "1", 2)
    story.freeze(30, "1", 2, "s2")
    story.start(30, "1", 3, "n2", "s2")
    story.drop(31, "1", "s2")
    story.lose(31, "1", 3, "the snapshot does not verify")
    assert spent(story) == {"start": 1, "useful": 10, "repeated": 20}
    story.start(40, "1", 4, "n2", "s1")
    story.run(40, "1", 4)
    story.done(60, "1", 4)
    assert spent(story) == {"start": 1, "useful": 10 + 20, "repeated": 20}


def test_with_every_snapshot_dropped_nothing_survived() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.freeze(10, "1", 1, "s1")
    story.drop(11, "1", "s1")
    report = build(story.facts)
    assert spent(story) == {"repeated": 10}
    assert report.jobs[0].state == "waiting"


def test_what_was_thawed_counts_even_if_its_snapshot_is_dropped_later() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.freeze(10, "1", 1, "s1")
    story.start(10, "1", 2, "n1", "s1")
    story.run(10, "1", 2)
    story.drop(12, "1", "s1")
    story.done(30, "1", 2)
    assert spent(story) == {"useful": 30}


def test_late_news_of_a_segment_that_was_given_up_is_believed() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.lose(20, "1", 1, "the lease has run out")
    story.done(25, "1", 1)
    report = build(story.facts)
    assert spent(story) == {"useful": 25}
    assert (report.jobs[0].state, report.jobs[0].segments) == ("done", 1)


def test_a_held_job_keeps_its_snapshot_and_is_frozen_again_once_released() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.freeze(10, "1", 1, "s1")
    story.hold(11, "1")
    assert build(story.facts).jobs[0].state == "held"
    story.let_go(12, "1")
    assert build(story.facts).jobs[0].state == "frozen"
    assert spent(story) == {"useful": 10}


def test_a_job_that_was_changed_counts_with_other_cores_from_its_next_segment_on() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.change(5, 1, 3)
    story.freeze(10, "1", 1, "s1")
    story.start(10, "1", 2, "n2", "s1")
    story.run(10, "1", 2)
    story.done(20, "1", 2)
    assert spent(story) == {"useful": 10 + 3 * 10}
