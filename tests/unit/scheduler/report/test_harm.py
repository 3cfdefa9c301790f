"""What guests cost main jobs."""

from idleq.scheduler.core.sitefacts import RequestsSlowed
from idleq.scheduler.report import build
from idleq.scheduler.report.harm import Harm, HarmRow
from support.journals import Story, moment


def test_waits_are_held_against_their_bounds_and_living_guests_are_counted() -> None:
    story = Story()
    story.held_up(1, "at once", ("n1",), 0, 10, 0)
    story.held_up(2, "just in time", ("n1", "n2"), 10, 10, 0)
    story.held_up(3, "too late", ("n2",), 11, 10, 2)

    def row(at: float, name: str, nodes: tuple[str, ...], waited_ms: int, alive: int) -> HarmRow:
        return HarmRow(
            at_ms=moment(at), main_job=name, nodes=nodes, waited_ms=waited_ms, bound_ms=10_000, guests_alive=alive
        )

    assert build(story.facts).harm == Harm(
        main_jobs=3,
        waited=2,
        over_bound=1,
        guests_alive=2,
        waited_ms_sum=21_000,
        waited_ms_mean=7000,
        waited_ms_max=11_000,
        back_offs=0,
        rows=(
            row(1, "at once", ("n1",), 0, 0),
            row(2, "just in time", ("n1", "n2"), 10_000, 0),
            row(3, "too late", ("n2",), 11_000, 2),
        ),
    )


def test_back_offs_are_counted_and_refusals_are_not() -> None:
    story = Story()
    story.tell(1, RequestsSlowed(until=moment(90), reason="a main job waited too long", for_harm=True))
    story.tell(2, RequestsSlowed(until=moment(90), reason="a limit of the site"))

    assert build(story.facts).harm.back_offs == 1


def test_without_main_jobs_held_up_there_is_no_harm() -> None:
    harm = build([]).harm
    assert (harm.main_jobs, harm.waited_ms_mean, harm.waited_ms_max, harm.rows) == (0, None, None, ())
