"""Who is said to hold which cores, above all where the news overlap."""

from idleq.scheduler.report import build
from support.journals import Story, large_cluster, moment


def told(cores: int = 4) -> Story:
    story = Story()
    story.node(0, "n1", cores)
    story.submit(0, 1, 2)
    return story


def test_guests_seen_where_main_jobs_already_are_count_as_crowded_and_as_nothing_else() -> None:
    story = told()
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.node(10, "n1", 4, 3)
    story.done(14, "1", 1)
    story.node(20, "n1", 4)
    use = build(story.facts).utilisation
    assert (use.capacity_core_s, use.main_core_s, use.useful_core_s) == (80, 30, 20 + 4)
    assert (use.crowded_core_s, use.idle_core_s) == (4, 80 - 30 - 24)


def test_where_there_is_room_for_part_of_the_guests_their_overhead_counts_before_their_useful_work() -> None:
    story = told()
    story.submit(0, 2, 2)
    story.start(0, "1", 1, "n1")
    story.run(0, "1", 1)
    story.start(0, "2", 1, "n1")
    story.run(0, "2", 1)
    story.node(10, "n1", 4, 2)
    story.done(20, "1", 1)
    story.freeze(20, "2", 1, "s1", 10)
    use = build(story.facts).utilisation
    assert (use.useful_core_s, use.overhead.freeze_core_s, use.crowded_core_s) == (40, 20, 20)


def test_a_node_that_is_down_counts_only_with_what_main_jobs_hold_there() -> None:
    story = told()
    story.node(10, "n1", 4, 1, is_up=False)
    story.node(30, "n1", 4)
    story.node(40, "n1", 4)
    report = build(story.facts)
    assert report.utilisation.capacity_core_s == 40 + 20 + 40
    assert report.utilisation.main_core_s == 20
    assert [(row.closing, row.gaps) for row in report.gaps.closings] == [("node down", 1), ("still open", 1)]
    assert report.gantt.rows[0].down == ((moment(10), moment(30)),)


def test_a_node_that_has_gone_counts_no_longer() -> None:
    story = told()
    story.gone(10, "n1")
    story.node(20, "n2", 2)
    story.node(30, "n2", 2)
    report = build(story.facts)
    assert report.utilisation.capacity_core_s == 40 + 20
    assert (report.nodes, report.peak_cores) == (2, 6)


def test_the_newest_of_two_news_of_one_moment_is_believed() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.node(0, "n1", 4, 4)
    story.node(10, "n1", 4)
    assert build(story.facts).utilisation.main_core_s == 40


def test_a_guest_on_a_node_that_was_never_seen_counts_in_its_job_alone() -> None:
    story = told()
    story.start(0, "1", 1, "elsewhere")
    story.run(0, "1", 1)
    story.done(10, "1", 1)
    report = build(story.facts)
    assert report.utilisation.useful_core_s == 0
    assert report.jobs[0].useful_core_s == 20
    assert report.moves == 0


def test_nodes_are_drawn_in_the_order_in_which_people_count() -> None:
    story = Story()
    for name in ("n10", "n2", "gpu1", "n1"):
        story.node(0, name, 4)
    story.node(5, "n1", 4)
    assert [row.node for row in build(story.facts).gantt.rows] == ["gpu1", "n1", "n2", "n10"]


def test_guests_on_one_node_are_drawn_beside_each_other_and_lanes_are_used_again() -> None:
    story = told(cores=8)
    story.submit(0, 2, 3)
    story.submit(0, 3, 2)
    story.start(1, "1", 1, "n1")
    story.start(2, "2", 1, "n1")
    story.lose(5, "1", 1)
    story.start(6, "3", 1, "n1")
    story.node(10, "n1", 8)
    row = build(story.facts).gantt.rows[0]
    assert [(guest.job, guest.lane, guest.cores) for guest in row.guests] == [("1", 0, 2), ("2", 2, 3), ("3", 0, 2)]


def test_a_large_history_is_drawn_coarsely_in_at_most_300_rows_and_600_steps() -> None:
    report = build(large_cluster(nodes=700, length=3600, jobs=400))
    assert (report.gantt.is_coarse, report.gantt.nodes_per_row, len(report.gantt.rows)) == (True, 3, 234)
    assert sum(row.nodes for row in report.gantt.rows) == report.nodes == 700
    assert (report.gantt.rows[0].node, report.gantt.rows[0].last_node) == ("n1", "n3")
    assert report.gantt.moves == ()
    assert len(report.series.main_cores) <= 600


def test_a_coarse_row_names_who_held_most_of_each_step() -> None:
    story = Story()
    story.submit(0, 1, 3)
    for node in range(301):
        story.node(0, f"n{node}", 4)
    story.start(10, "1", 1, "n0")
    story.start(10, "1", 2, "n1")
    story.node(30, "n0", 4, 4)
    story.node(30, "n1", 4, 4)
    story.node(60, "n1", 4, 4)
    first = build(story.facts).gantt.rows[0]
    assert (first.node, first.last_node, first.cores) == ("n0", "n1", 8)
    assert [(part.role, part.since_ms, part.until_ms) for part in first.coarse] == [
        ("guests", moment(10), moment(30)),
        ("main", moment(30), moment(60)),
    ]
