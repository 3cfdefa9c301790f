from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.core.cause import Cause, CauseKind
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.inputs import NodeReport, ViewChanged
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.columns import read_features
from idleq.scheduler.slurm.partitions import Partition
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.records import NodeRecord, ReservationRecord
from idleq.scheduler.slurm.view import NEVER, build_view, changes, node_for
from support.slurm import FEATURES, is_guest, job, node, reading, recorded_as_json, recorded_as_text

Recorded = Callable[[str, str], Reading]

GIB = 2**30
MINUTE = 60_000
EMPTY = NodeReport(name=NodeName("n1"), capacity=Resources(4, 4 * GIB), free=Resources(4, 4 * GIB))

READINGS = [
    pytest.param(recorded_as_json, "24.11", id="24.11, JSON"),
    pytest.param(recorded_as_text, "24.11", id="24.11, text"),
    pytest.param(recorded_as_text, "22.05", id="22.05, text"),
]

IDLE = ("up", 2, 4000, None, None, "")
EXPECTED = {
    # whether it is up, free cores and mebibytes, minutes until it is free and until a job is planned, its main jobs
    "idle": {"n1": IDLE, "n2": IDLE, "n3": IDLE},
    "busy": {
        "n1": ("up", 0, 3000, 30, 40, "whole"),
        "n2": ("up", 1, 3000, 40, 40, "part"),  # the other core is a guest's
        "n3": ("up", 2, 4000, None, 40, ""),
    },
    "maintenance": {"n1": IDLE, "n2": IDLE, "n3": ("closed", 2, 4000, None, None, "")},
    "drained": {"n1": ("closed", 2, 4000, None, None, ""), "n2": ("closed", 1, 3500, 30, None, "last"), "n3": IDLE},
    "completing": {"n1": ("closed", 2, 4000, 0, None, "over"), "n2": IDLE, "n3": IDLE},
    "down": {"n1": ("closed", 2, 4000, None, None, ""), "n2": IDLE, "n3": ("closed", 2, 4000, None, None, "")},
    "suspended": {"n1": ("closed", 2, 3000, 30, None, "stopped"), "n2": IDLE, "n3": IDLE},
    "reserved": {
        "n1": ("closed", 2, 4000, None, None, ""),
        "n2": ("up", 2, 4000, None, 30, ""),
        "n3": ("closed", 2, 4000, None, None, ""),
    },
    "closed": dict.fromkeys(("n1", "n2", "n3"), ("closed", 2, 4000, None, None, "")),
}
GUESTS = frozenset({"guests"})

ASKED = RequestAllocation(
    id=CommandId(1),
    allocation=AllocationId("a1"),
    mode=Mode.PREEMPTIBLE,
    node=None,
    resources=Resources(2, 2**30),
    min_ms=Millis(0),
    max_ms=Millis(60_000),
    seen_on=NodeName("n2"),
)


@pytest.mark.parametrize(("recorded", "version"), READINGS)
@pytest.mark.parametrize("state", EXPECTED)
def test_recorded_clusters_are_seen_as_they_were(recorded: Recorded, version: str, state: str) -> None:
    taken = recorded(version, state)

    view = build_view(None, taken, is_guest, GUESTS)

    names = {str(record.job_id): record.name for record in taken.jobs}
    assert {str(name): shown(report, taken.at, names) for name, report in view.reports.items()} == EXPECTED[state]


def shown(report: NodeReport, now: int, names: dict[str, str]) -> tuple[str, int, int, int | None, int | None, str]:
    def minutes(instant: int | None) -> int | None:
        return None if instant is None else round((instant - now) / MINUTE)

    return (
        "up" if report.is_up else "closed",
        report.free.cores,
        report.free.memory // 2**20,
        minutes(report.busy_until),
        minutes(report.planned_start),
        ",".join(names[number] for number in report.main_job.split(",") if number),
    )


@pytest.mark.parametrize(("recorded", "version"), READINGS)
@pytest.mark.parametrize(
    ("state", "causes"),
    [
        ("idle", {}),
        ("busy", dict.fromkeys(("n1", "n2", "n3"), Cause(CauseKind.JOB, "wide"))),
        ("maintenance", {"n3": Cause(CauseKind.MAINTENANCE, "upkeep")}),
        ("drained", dict.fromkeys(("n1", "n2"), Cause(CauseKind.DRAINED, "drain"))),
        ("completing", {"n1": Cause(CauseKind.CLOSED, "completing")}),
        ("suspended", {"n1": Cause(CauseKind.CLOSED, "job stopped is suspended there")}),
        (
            "reserved",
            {
                "n1": Cause(CauseKind.RESERVATION, "course"),
                "n2": Cause(CauseKind.RESERVATION, "flexible"),
                "n3": Cause(CauseKind.CLOSED, "reserved"),  # by one that floats an hour ahead
            },
        ),
        ("closed", dict.fromkeys(("n1", "n2", "n3"), Cause(CauseKind.CLOSED, "partition guests is inactive"))),
    ],
)
def test_every_end_of_a_gap_and_every_closed_node_has_its_cause(
    recorded: Recorded, version: str, state: str, causes: dict[str, Cause]
) -> None:
    taken = recorded(version, state)

    view = build_view(None, taken, is_guest, GUESTS)

    told = {str(name): report.cause for name, report in view.reports.items() if report.cause is not None}
    assert told == {name: as_recorded(cause, taken) for name, cause in causes.items()}


def as_recorded(cause: Cause, taken: Reading) -> Cause:
    """Jobs are told by their numbers."""
    words = cause.name
    for record in taken.jobs:
        words = words.replace(record.name, str(record.job_id)) if record.name in ("wide", "stopped") else words
    return cause._replace(name=words)


def test_nodes_that_are_being_powered_up_or_down_are_no_gaps() -> None:
    for taken in (recorded_as_json("24.11", "powering"), recorded_as_text("24.11", "powering")):
        view = build_view(None, taken, is_guest, GUESTS)

        assert {str(name): report.cause for name, report in view.reports.items() if not report.is_up} == {
            "n1": Cause(CauseKind.CLOSED, "powering down"),
            "n3": Cause(CauseKind.CLOSED, "not responding, powering up"),
        }


def test_gpus_are_counted_and_those_of_main_jobs_are_not_free() -> None:
    for taken in (recorded_as_json("24.11", "unlike"), recorded_as_text("24.11", "unlike")):
        view = build_view(None, taken, is_guest, GUESTS)

        gpus = {str(name): (report.capacity.gpus, report.free.gpus) for name, report in view.reports.items()}
        assert gpus == {"n1": (0, 0), "n2": (2, 1), "n3": (0, 0)}


def test_nodes_that_lack_a_feature_that_is_wanted_are_no_gaps() -> None:
    told = recorded_as_json("24.11", "unlike")
    listed = read_features(FEATURES)
    asked = recorded_as_text("24.11", "unlike")
    in_columns = [msgspec.structs.replace(each, active_features=listed[each.name]) for each in asked.nodes]

    for taken in (told, replace(asked, nodes=in_columns)):
        view = build_view(None, taken, is_guest, GUESTS, frozenset({"avx2", "bigmem"}))

        assert {str(name): report.cause for name, report in view.reports.items() if not report.is_up} == {
            "n2": Cause(CauseKind.CLOSED, "it lacks bigmem"),
            "n3": Cause(CauseKind.CLOSED, "it lacks avx2, bigmem"),
        }


def test_only_nodes_of_an_open_partition_of_ours_are_gaps() -> None:
    ours, other, shut = (
        Partition(name=name, nodes=nodes, node_count=2, state=state, tier=1, is_default=name == "other")
        for name, nodes, state in (("ours", "n[1-2]", "UP"), ("other", "n[2-3]", "UP"), ("shut", "n[2,4]", "DRAIN"))
    )
    nodes = [node(f"n{number}") for number in range(1, 5)]
    taken = replace(reading([], nodes), partitions=(ours, other, shut))

    def closed(*names: str) -> dict[str, str]:
        reports = build_view(None, taken, is_guest, frozenset(names)).reports
        return {str(name): report.cause.name for name, report in reports.items() if report.cause is not None}

    assert closed("ours") == dict.fromkeys(("n3", "n4"), "it is in no partition of ours")
    assert closed() == dict.fromkeys(("n1", "n4"), "it is in no partition of other")
    assert closed("ours", "shut") == {"n3": "it is in no partition of ours, shut", "n4": "partition shut is drain"}
    assert closed("gone") == {}, "what is not told cannot be known to be out of reach"


def test_a_node_held_for_a_job_that_is_not_shown_is_told_once() -> None:
    before = build_view(None, reading([], [node("n1", "IDLE", "PLANNED")], at=7_000_000), is_guest)
    after = build_view(before, reading([], [node("n1", "IDLE", "PLANNED")], at=9_000_000), is_guest)

    assert changes(before, after) is None


def test_a_main_job_takes_from_a_node_until_its_limit_and_a_guest_takes_nothing() -> None:
    main = job(1, nodes="n1", end_time=5000, tres_alloc_str="cpu=1,mem=1G")
    guest = job(2, nodes="n1", end_time=9000, tres_alloc_str="cpu=2,mem=2G", comment="idleq:a1")

    view = build_view(None, reading([main, guest], [node(used=3)]), is_guest, shares_nodes=True)

    busy = structs.replace(EMPTY, free=Resources(3, 3 * GIB), busy_until=Millis(5_000_000), main_job="1")
    assert view.reports == {"n1": busy}


def test_what_main_jobs_leave_of_a_node_is_spared_unless_nodes_are_shared_with_them() -> None:
    main = job(1, nodes="n[1-2]", end_time=5000, tres_alloc_str="cpu=5,mem=5G")
    guest = job(2, nodes="n3", end_time=9000, tres_alloc_str="cpu=2,mem=2G", comment="idleq:a1")
    taken = reading([main, guest], [node("n1", used=1), node("n2", used=4), node("n3", used=2), node("n4")])

    def seen(*, shares_nodes: bool) -> dict[str, tuple[int, bool]]:
        reports = build_view(None, taken, is_guest, shares_nodes=shares_nodes).reports
        return {str(name): (report.free.cores, report.is_spared) for name, report in reports.items()}

    assert seen(shares_nodes=False) == {"n1": (3, True), "n2": (0, False), "n3": (4, False), "n4": (4, False)}
    assert seen(shares_nodes=True) == {"n1": (3, False), "n2": (0, False), "n3": (4, False), "n4": (4, False)}


def test_a_node_is_busy_until_the_last_of_its_jobs_ends_and_without_limit_for_ever() -> None:
    jobs = [job(1, nodes="n[1-2]", end_time=5000), job(2, nodes="n1", end_time=7000), job(3, nodes="n2", end_time=0)]

    view = build_view(None, reading(jobs, [node("n1"), node("n2")]), is_guest)

    assert [report.busy_until for report in view.reports.values()] == [7_000_000, NEVER]
    assert [report.main_job for report in view.reports.values()] == ["1,2", "1,3"]


def test_the_earliest_of_plans_and_reservations_ends_a_gap() -> None:
    jobs = [
        job(1, "PENDING", start_time=5000, scheduled_nodes="n[1-2]"),
        job(2, "PENDING", start_time=4000, scheduled_nodes="n2"),
    ]
    upkeep = ReservationRecord(name="upkeep", node_list="n1", start_time=3000, end_time=9000)

    view = build_view(None, reading(jobs, [node("n1"), node("n2"), node("n3")], [upkeep]), is_guest)

    assert [(report.planned_start, report.cause) for report in view.reports.values()] == [
        (3_000_000, Cause(CauseKind.RESERVATION, "upkeep")),
        (4_000_000, Cause(CauseKind.JOB, "2")),
        (None, None),
    ]


def test_a_reservation_closes_its_nodes_while_it_lasts_and_is_forgotten_afterwards() -> None:
    now = ReservationRecord(name="now", node_list="n1", start_time=500, end_time=2000)
    past = ReservationRecord(name="past", node_list="n2", start_time=500, end_time=1000)

    view = build_view(None, reading([], [node("n1"), node("n2")], [now, past]), is_guest)

    assert [report.is_up for report in view.reports.values()] == [False, True]


@pytest.mark.parametrize(
    "state",
    [
        "DOWN",
        "COMPLETING",
        "POWERED_DOWN",
        "POWERING_UP",
        "NOT_RESPONDING",
        "MAINTENANCE",
        "REBOOT_ISSUED",
        "UNKNOWN",
        "OF_A_NEWER_SLURM",
    ],
)
def test_a_node_of_which_anything_else_is_said_is_no_gap(state: str) -> None:
    assert build_view(None, reading([], [node("n1", "IDLE", state)]), is_guest).reports == {
        "n1": structs.replace(EMPTY, is_up=False, cause=Cause(CauseKind.CLOSED, state.lower().replace("_", " ")))
    }


@pytest.mark.parametrize("state", ["DRAIN", "FAIL", "POWER_DOWN", "POWER_DRAIN", "REBOOT_REQUESTED"])
def test_a_node_whose_jobs_somebody_waits_for_is_drained_whatever_else_is_said_of_it(state: str) -> None:
    said = state.lower().replace("_", " ")
    assert build_view(None, reading([], [node("n1", "MIXED", "COMPLETING", state)]), is_guest).reports == {
        "n1": structs.replace(
            EMPTY, is_up=False, cause=Cause(CauseKind.DRAINED, ", ".join(sorted(["completing", said])))
        )
    }


def test_a_drained_node_is_drained_also_in_a_reservation_and_beside_a_suspended_job() -> None:
    course = ReservationRecord(name="course", node_list="n1", start_time=500, end_time=2000)
    stopped = job(1, "SUSPENDED", nodes="n2", end_time=5000)
    nodes = [node("n1", "IDLE", "DRAIN", "RESERVED"), node("n2", "IDLE", "DRAIN")]

    view = build_view(None, reading([stopped], nodes, [course]), is_guest)

    assert [report.cause for report in view.reports.values()] == [
        Cause(CauseKind.DRAINED, "drain, reserved"),
        Cause(CauseKind.DRAINED, "drain"),
    ]


def test_a_node_planned_for_a_job_that_is_not_shown_has_no_time_left() -> None:
    view = build_view(None, reading([], [node("n1", "IDLE", "PLANNED")], at=7_000_000), is_guest)

    assert view.reports == {"n1": structs.replace(EMPTY, planned_start=Millis(7_000_000), cause=Cause(CauseKind.HELD))}


def test_a_guest_that_only_one_of_two_answers_knows_makes_no_room_that_is_not_there() -> None:
    ended = job(1, nodes="n1", end_time=5000, tres_alloc_str="cpu=2,mem=2G", comment="idleq:a1")

    assert build_view(None, reading([ended], [node(used=0)]), is_guest).reports == {"n1": EMPTY}
    assert build_view(None, reading([], [node(used=9)]), is_guest).reports[NodeName("n1")].free == Resources(0, 0)


def test_only_changes_are_told_and_nodes_that_have_gone() -> None:
    before = build_view(None, reading([], [node("n1"), node("n2")]), is_guest)
    after = build_view(before, reading([], [node("n1"), node("n3")]), is_guest)

    assert changes(None, before) == ViewChanged(deltas=tuple(before.reports.values()))
    assert changes(before, after) == ViewChanged(deltas=(after.reports[NodeName("n3")],), gone=(NodeName("n2"),))
    assert changes(after, after) is None


def test_a_gap_does_not_open_while_the_plan_is_being_made_anew() -> None:
    planned = job(4, "PENDING", start_time=2000, scheduled_nodes="n1")
    before = build_view(None, reading([planned], [node()], planned_at=10), is_guest)

    after = build_view(before, reading([job(4, "PENDING")], [node()], planned_at=10), is_guest)

    assert changes(before, after) is None


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ([node("n1"), node("n2")], None),
        ([node("n1"), node("n2", cpus=2)], "n2"),
        ([node("n1", "MIXED", used=1), node("n2")], "n2"),
        ([node("n1"), node("n2"), node("n3", "DOWN", cpus=2), node("n4", "ALLOCATED", used=4)], None),
    ],
    ids=["alike", "of two sizes", "one is shared with a main job", "those that differ have no gap"],
)
def test_slurm_chooses_the_node_where_all_gaps_are_alike_and_is_told_it_elsewhere(
    nodes: list[NodeRecord], named: str | None
) -> None:
    view = build_view(None, reading(nodes=nodes), is_guest)

    assert node_for(ASKED, view) == named
    assert node_for(structs.replace(ASKED, node=NodeName("n1")), view) == "n1", "a window lies where it must"


def test_what_was_cut_for_a_whole_node_is_kept_from_sharing_a_larger_one_that_leaves_as_much() -> None:
    main = job(1, nodes="n1", end_time=5000)
    nodes = [node("n1", "MIXED", cpus=4, used=2), node("n2", cpus=2)]
    nodes = [structs.replace(each, real_memory=4096, alloc_memory=0) for each in nodes]

    assert node_for(ASKED, build_view(None, reading([main], nodes), is_guest)) == "n2"
    assert node_for(ASKED, build_view(None, reading([main], nodes), is_guest, shares_nodes=True)) is None
