"""The report as text."""

from idleq.scheduler.report import build, text
from support.journals import Story, large_cluster, worked_example

GOLDEN = """\
idleq report: 2026-01-05 10:00:00 to 2026-01-05 10:01:40 UTC (1 min 40 s)
2 nodes, 8 cores, 24 facts of the journal

Utilisation
  by main jobs alone    64.0 %
  with guests           80.0 %  all that anybody held
  effective             75.8 %  main jobs, and guest progress that survived
  harvested             36.4 %  of what the gaps could have given

Where the capacity went (800 core-s)
  main jobs                 512 core-s    64.0 %
  useful guest work          94 core-s    11.8 %
  not yet saved               0 core-s     0.0 %
  overhead                   34 core-s     4.2 %
  idle                      160 core-s    20.0 %
  of the overhead: starting 5 core-s, thawing 3 core-s, saving 2 core-s, freezing 4 core-s, repeated 20 core-s, discarded 0 core-s

Gaps: 3, median 30 s, longest 32 s
  a freeze took 2 s, a thaw 0.5 s (measured)
  tail waste: 8 core-s after the last guest had left
  as planned                 2        168 core-s
  without notice             1        120 core-s

Harm: 1 main job started where guests had to leave; 1 waited, 1.5 s on average, 1.5 s at most; 0 over the bound; 0 guests still alive; backed off 0 times
  main job  nodes  waited  bound        started (UTC)
  m4            1   1.5 s   10 s  2026-01-05 10:01:20

Jobs: 1 started, 0 not yet, 0 cancelled before they started; 3 segments, 1 freeze, 2 moves
  job  name        state  segments  moves     useful   overhead  waited  turnaround  stretch
  1    train-cgan  done          3      2  94 core-s  34 core-s    29 s  1 min 33 s     1.98
"""


def test_the_worked_example_reads_like_this() -> None:
    assert text.render(build(worked_example())) == GOLDEN


def test_control_characters_in_a_name_do_not_reach_the_terminal() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.submit(0, 1, 1, "\x1b[2J\u202eevil\n\x07")
    story.start(1, "1", 1, "n1")
    rendered = text.render(build(story.facts))
    assert "\x1b" not in rendered
    assert "\u202e" not in rendered
    assert "�[2J�evil��" in rendered


def test_only_the_first_jobs_are_listed_and_the_rest_is_counted() -> None:
    rendered = text.render(build(large_cluster(nodes=30, length=1200, jobs=25)))
    assert "... and 5 more: see the page or --json" in rendered


def test_an_empty_report_has_dashes_for_numbers() -> None:
    rendered = text.render(build([]))
    assert "  effective                  -" in rendered
    assert "Harm: none; no main job started where guests had to leave" in rendered


def test_guests_that_were_seen_too_long_are_mentioned() -> None:
    story = Story()
    story.node(0, "n1", 4)
    story.submit(0, 1, 4)
    story.start(0, "1", 1, "n1")
    story.node(10, "n1", 4, 4)
    story.lose(15, "1", 1)
    assert "guests seen where main jobs already were: 20 core-s" in text.render(build(story.facts))


def test_of_many_main_jobs_that_waited_those_are_named_that_waited_longest() -> None:
    story = Story()
    for number in range(text.MOST_HARM + 2):
        story.held_up(number, f"main{number}", ("n1",), number, 10, 0)
    rendered = text.render(build(story.facts))

    assert [f"main{number} " in rendered for number in range(4)] == [False, False, True, True]
    assert "... and 2 that waited no longer: see the page or --json" in rendered
