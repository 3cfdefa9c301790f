import pytest

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.inputs import (
    AllocationGranted,
    AllocationLost,
    MainJobStarted,
    NodeReport,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.simulator.errors import ImpossibleRequest
from idleq.simulator.events import (
    Ended,
    Granted,
    MainEnded,
    MainStarted,
    NodeChanged,
    Preempting,
    WorldEvent,
    as_inputs,
)
from idleq.simulator.guests import Request
from idleq.simulator.placement import (
    Parts,
    Placement,
    SizeUnit,
    must_leave,
    place,
    planned_starts,
    planned_starts_on_whole_nodes,
)
from idleq.simulator.queueing.catalog import POLICIES, policy_named
from support.world import NODE, SMALL, Site, main_job

N1, N2 = NodeName("n1"), NodeName("n2")
A1, A2 = AllocationId("a1"), AllocationId("a2")


def granted(name: str, node: str, until: int, resources: Resources = SMALL) -> Granted:
    return Granted(allocation=AllocationId(name), node=NodeName(node), resources=resources, until=Millis(until))


def started(job_: object, *nodes: str, waited: int = 0, bound: int = 0, left: tuple[str, ...] = ()) -> MainStarted:
    return MainStarted(
        job=job_,  # type: ignore[arg-type]  # the tests' own main_job
        nodes=tuple(NodeName(node) for node in nodes),
        units=(1,) * len(nodes),
        waited_ms=Millis(waited),
        bound_ms=Millis(bound),
        left=tuple(AllocationId(name) for name in left),
    )


def test_main_jobs_get_the_first_free_nodes_in_the_list() -> None:
    first, second = main_job(1, 0, 10), main_job(2, 5, 10)
    site = Site([first, second])
    site.to(20)
    assert site.told() == [
        (0, started(first, "n1")),
        (5, started(second, "n2")),
        (10, MainEnded(job=first)),
        (15, MainEnded(job=second)),
    ]


def test_a_request_is_granted_on_the_first_node_that_is_free_and_lasts_as_long_as_asked() -> None:
    site = Site([main_job(1, 0, 1_000)])
    site.to(10)
    site.ask("a1", longest=500)
    assert site.told(Granted) == [(10, granted("a1", "n2", 510))]


def test_an_allocation_ends_when_its_time_is_up() -> None:
    site = Site()
    site.ask("a1", longest=500)
    site.to(1_000)
    assert site.told() == [(0, granted("a1", "n1", 500)), (500, Ended(allocation=A1, reason="its time is up"))]


def test_an_allocation_ends_before_the_next_planned_main_job() -> None:
    site = Site([main_job(1, 0, 90, limit=100), main_job(2, 1, 10, size=2)])
    site.to(10)
    site.ask("a1")
    assert site.told(Granted) == [(10, granted("a1", "n2", 100))]


def test_a_request_that_no_gap_is_long_enough_for_waits() -> None:
    site = Site([main_job(1, 0, 90, limit=100), main_job(2, 1, 10, size=2)])
    site.to(10)
    site.ask("a1", shortest=91)
    site.to(99)
    assert site.told(Granted) == []
    site.to(100)
    assert site.told(Granted) == [(100, granted("a1", "n1", 1_000_100))]


def test_with_grace_a_main_job_waits_until_the_guests_have_left() -> None:
    job = main_job(1, 100, 50, size=2)
    site = Site([job], options={"grace_ms": Millis(30)})
    site.ask("a1")
    site.to(112)
    site.world.agent_gone(A1)
    site.to(200)
    assert site.told() == [
        (0, granted("a1", "n1", 1_000_000)),
        (100, Preempting(allocation=A1, grace_ms=Millis(30), reason="preempted by main job 1")),
        (112, Ended(allocation=A1, reason="preempted by main job 1")),
        (112, started(job, "n1", "n2", waited=12, bound=30, left=("a1",))),
        (162, MainEnded(job=job)),
    ]


def test_after_the_grace_the_guests_are_ended_and_the_main_job_starts() -> None:
    job = main_job(1, 100, 50)
    site = Site([job], options={"grace_ms": Millis(30)})
    site.ask("a1")
    site.to(200)
    assert site.told()[2:4] == [
        (130, Ended(allocation=A1, reason="preempted by main job 1")),
        (130, started(job, "n1", waited=30, bound=30, left=("a1",))),
    ]


def test_an_agent_that_leaves_in_the_very_instant_of_its_notice_lets_the_main_job_start() -> None:
    job = main_job(1, 100, 50)
    site = Site([job], options={"grace_ms": Millis(30)})
    site.ask("a1")
    site.to(100)
    site.world.agent_gone(A1)
    assert site.starts() == {1: 100}


def test_a_window_is_not_cut_short_and_the_main_job_waits_for_its_end() -> None:
    job = main_job(1, 100, 50)
    site = Site([job], options={"grace_ms": Millis(30)})
    site.ask("a1", mode=Mode.WINDOW, node="n1", longest=180)
    site.to(300)
    assert site.told() == [
        (0, granted("a1", "n1", 180)),
        (180, Ended(allocation=A1, reason="its time is up")),
        (180, started(job, "n1", waited=80, bound=80, left=("a1",))),
        (230, MainEnded(job=job)),
    ]


def test_a_window_that_has_waited_is_over_when_it_was_to_be() -> None:
    job = main_job(1, 0, 40)
    site = Site([job])
    site.to(10)
    site.ask("a1", mode=Mode.WINDOW, node="n1", longest=50, ends_by=60)
    site.ask("a2", mode=Mode.WINDOW, node="n1", shortest=30, longest=50, ends_by=61)
    site.to(300)
    assert site.told() == [
        (0, started(job, "n1")),
        (40, MainEnded(job=job)),
        (40, granted("a1", "n1", 60)),
        (60, Ended(allocation=A1, reason="its time is up")),
    ]


def test_without_grace_a_main_job_starts_in_the_instant_it_is_chosen() -> None:
    job = main_job(1, 100, 50)
    site = Site([job])
    site.ask("a1")
    site.to(100)
    assert site.told()[1:] == [
        (100, Ended(allocation=A1, reason="preempted by main job 1")),
        (100, started(job, "n1", left=("a1",))),
    ]


def test_a_release_ends_what_waits_at_once_and_what_runs_within_the_grace() -> None:
    site = Site(options={"grace_ms": Millis(30)})
    site.ask("a1", resources=NODE)
    site.ask("a2", node="n1")
    site.to(10)
    site.world.release(A2)
    site.world.release(A1)
    site.to(100)
    assert site.told()[1:] == [
        (10, Ended(allocation=A2, reason="released")),
        (10, Preempting(allocation=A1, grace_ms=Millis(30), reason="released")),
        (40, Ended(allocation=A1, reason="released")),
    ]


def test_what_is_not_known_can_be_released_and_be_gone_without_effect() -> None:
    site = Site()
    site.world.release(A1)
    site.world.agent_gone(A1)
    assert site.told() == []


def test_asking_twice_makes_one_allocation() -> None:
    site = Site()
    site.ask("a1")
    site.ask("a1")
    assert site.told() == [(0, granted("a1", "n1", 1_000_000))]


def test_guests_share_a_node_as_far_as_they_fit() -> None:
    site = Site(nodes=1)
    half = Resources(2, 2_000)
    for name in ("a1", "a2", "a3"):
        site.ask(name, resources=half)
    assert (len(site.world.granted()), site.world.pending()) == (2, (AllocationId("a3"),))
    site.world.agent_gone(A1)
    site.to(1)
    assert [grant.allocation for grant in site.world.granted()] == ["a2", "a3"]


@pytest.mark.parametrize(
    ("node", "resources", "shortest", "words"),
    [
        ("n9", SMALL, 1, "there is no node n9"),
        (None, Resources(5, 1), 1, "no node has"),
        ("n1", Resources(1, 4_001), 1, "no node has"),
        (None, SMALL, 2_000_000, "cannot last"),
    ],
)
def test_what_could_never_be_granted_is_refused(
    node: str | None, resources: Resources, shortest: int, words: str
) -> None:
    site = Site()
    with pytest.raises(ImpossibleRequest, match=words):
        site.ask("a1", node=node, resources=resources, shortest=shortest)
    assert site.world.pending() == ()


def test_the_view_shows_limits_and_planned_starts_as_anybody_sees_them() -> None:
    site = Site([main_job(1, 0, 90, limit=100), main_job(2, 1, 10, size=2, limit=20), main_job(3, 1, 10, limit=50)])
    site.to(5)
    assert site.world.reports() == [
        NodeReport(
            name=N1,
            capacity=NODE,
            free=Resources(0, 0),
            busy_until=Millis(100),
            planned_start=Millis(100),
            main_job="1",
        ),
        NodeReport(
            name=N2, capacity=NODE, free=Resources(0, 0), busy_until=Millis(51), planned_start=Millis(100), main_job="3"
        ),
    ]


def test_every_change_of_the_view_is_told_once_and_nothing_else() -> None:
    site = Site([main_job(1, 100, 50, limit=60)])
    site.to(10)
    site.ask("a1")
    site.to(200)
    idle = NodeReport(name=N1, capacity=NODE, free=NODE)
    busy = NodeReport(name=N1, capacity=NODE, free=Resources(0, 0), busy_until=Millis(160), main_job="1")
    assert [(at, event.report) for at, event in site.told(NodeChanged) if isinstance(event, NodeChanged)] == [
        (0, idle),
        (0, NodeReport(name=N2, capacity=NODE, free=NODE)),
        (100, busy),
        (150, idle),
    ]


def test_with_shared_cores_only_the_guests_that_no_longer_fit_leave_the_youngest_first() -> None:
    site = Site([main_job(1, 100, 50, size=2)], nodes=1, options={"sharing": SizeUnit.CORES, "grace_ms": Millis(9)})
    for name in ("a1", "a2"):
        site.ask(name, resources=Resources(2, 1_000))
    site.to(100)
    assert [event.allocation for _, event in site.told(Preempting) if isinstance(event, Preempting)] == ["a2"]
    assert site.world.reports()[0].free == Resources(2, 2_000)


def test_a_world_built_again_holds_up_the_main_jobs_that_were_held_up() -> None:
    jobs = [main_job(1, 100, 50, size=2), main_job(2, 101, 10)]
    lived = Site(jobs, options={"grace_ms": Millis(30)})
    lived.ask("a1")
    lived.to(500)
    again = Site(jobs, options={"grace_ms": Millis(30), "held_up": {1: Millis(30)}})
    again.to(500)
    assert again.starts() == lived.starts() == {1: 130, 2: 180}


def test_a_world_that_nobody_watches_tells_of_main_jobs_only_until_it_is_woken() -> None:
    site = Site([main_job(1, 10, 100, limit=120), main_job(2, 20, 5, size=2)], options={"is_watched": False})
    site.ask("a1")
    site.to(50)
    assert [type(event) for _, event in site.diary] == [MainStarted]
    site.world.wake()
    site.to(51)
    assert site.told(Granted) == [(50, granted("a1", "n2", 130))]
    assert site.world.reports()[1].planned_start == 130


def test_a_found_allocation_is_taken_in_and_preempted_if_a_main_job_has_its_node() -> None:
    site = Site([main_job(1, 0, 500)], options={"grace_ms": Millis(30)})
    site.to(100)
    request = Request(
        allocation=A1, mode=Mode.PREEMPTIBLE, node=None, resources=SMALL, min_ms=Millis(1), max_ms=Millis(9)
    )
    assert site.world.adopt(request, N1, Millis(400))
    assert not site.world.adopt(request, NodeName("n9"), Millis(400))
    assert not site.world.adopt(request, N1, Millis(100))
    site.to(200)
    reason = "a main job has started here meanwhile"
    assert site.told(Preempting, Ended) == [
        (100, Preempting(allocation=A1, grace_ms=Millis(30), reason=reason)),
        (130, Ended(allocation=A1, reason=reason)),
    ]


def test_everything_can_be_ended_at_once() -> None:
    site = Site(nodes=1, options={"grace_ms": Millis(30)})
    site.ask("a1", resources=NODE)
    site.ask("a2")
    site.world.end_all("the cluster stops")
    site.to(10)
    assert site.told()[1:] == [
        (0, Ended(allocation=A2, reason="the cluster stops")),
        (0, Ended(allocation=A1, reason="the cluster stops")),
    ]


def test_the_engine_hears_one_view_then_the_rest_in_its_own_time() -> None:
    report = NodeReport(name=N1, capacity=NODE, free=NODE, busy_until=Millis(5), planned_start=None)
    job = main_job(7, 0, 1)
    events: list[WorldEvent] = [
        Ended(allocation=A1, reason="released"),
        NodeChanged(report=report),
        granted("a2", "n1", 50),
        Preempting(allocation=A2, grace_ms=Millis(1), reason="preempted"),
        started(job, "n1", waited=3, bound=4, left=("a1",)),
        started(job, "n1"),
        MainEnded(job=job),
    ]
    shown = NodeReport(name=N1, capacity=NODE, free=NODE, busy_until=Millis(1_005), planned_start=None)
    assert as_inputs(events, Millis(1_000), guests_alive=2) == [
        ViewChanged(deltas=(shown,)),
        AllocationLost(allocation=A1, reason="released"),
        AllocationGranted(allocation=A2, node=N1, resources=SMALL, until=Millis(1_050)),
        MainJobStarted(main_job="7", nodes=(N1,), waited_ms=Millis(3), bound_ms=Millis(4), guests_alive=2),
    ]


def test_a_wide_job_takes_units_of_the_first_nodes() -> None:
    assert place([0, 2, 3, 4], 4) == ((1, 2), (2, 2))


@pytest.mark.parametrize(
    ("free", "size", "parts"),
    [
        ([4, 1, 2, 3, 2], 2, ((2, 2),)),
        ([4, 0, 4], 3, ((0, 3),)),
        ([1, 4, 2, 4], 5, ((1, 4), (0, 1))),
        ([2, 3, 2], 7, ((1, 3), (0, 2), (2, 2))),
    ],
)
def test_best_fit_leaves_the_least_free_where_a_job_ends_up(free: list[int], size: int, parts: Parts) -> None:
    assert place(free, size, Placement.BEST_FIT) == parts


def test_what_is_planned_is_placed_as_what_starts() -> None:
    planned = [(10, main_job(1, 0, 5, size=2)), (20, main_job(2, 0, 5, size=4))]
    ends = [(10, ((2, 1),)), (15, ((0, 1),))]
    assert planned_starts(planned, [3, 0, 1], ends, Placement.BEST_FIT) == {2: 10, 0: 20}
    assert planned_starts(planned, [3, 0, 1], ends, Placement.LOWEST) == {0: 10}


def test_each_node_shows_the_first_job_planned_on_it() -> None:
    planned = [(10, main_job(1, 0, 5, size=1)), (20, main_job(2, 0, 5, size=2))]
    assert planned_starts(planned, [0, 0], [(10, ((1, 1),)), (20, ((0, 1),))]) == {1: 10, 0: 20}


def test_whole_nodes_show_what_nodes_of_one_unit_show() -> None:
    planned = [(3, main_job(1, 0, 4, size=2)), (5, main_job(2, 0, 9)), (9, main_job(3, 0, 1, size=3))]
    ends = [(3, 2), (8, 0)]
    by_units = planned_starts(planned, [0, 1, 0, 1], [(end, ((node, 1),)) for end, node in ends])
    by_nodes = planned_starts_on_whole_nodes(planned, [1, 3], [(end, [node]) for end, node in ends], 4)
    assert by_nodes == by_units == {1: 3, 2: 3, 3: 5, 0: 9}


def test_who_is_named_first_stays_first() -> None:
    claims = [(A1, Resources(1, 1)), (A2, Resources(2, 1)), (AllocationId("a3"), Resources(1, 1))]
    assert must_leave(Resources(2, 9), claims) == [A2]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_main_job_that_guests_keep_back_beyond_its_limit_still_holds_its_nodes(policy: str) -> None:
    jobs = [main_job(1, 10, 1, size=2), main_job(2, 12, 50, limit=60), main_job(3, 14, 50, size=2)]
    site = Site(jobs, options={"policy": policy_named(policy, 2), "grace_ms": Millis(30)})
    for guest in ("a1", "a2"):
        site.ask(guest, resources=NODE)
    site.to(300)
    assert site.starts() == {1: 40, 2: 41, 3: 91}
