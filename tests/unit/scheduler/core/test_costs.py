"""What is believed of a kind of job: what its user's were measured, then anybody's of that name, then what the policy says."""

import random

import pytest

from idleq.ids import JobId, Millis
from idleq.scheduler.core.costs import REMEMBERED_TYPICALS, Basis, Costs, Typical
from idleq.scheduler.core.kind import Kinds, kinds_of
from idleq.scheduler.core.recent import REMEMBERED
from idleq.scheduler.core.submission import FreezeMethod, RuntimeWish
from support.engines import spec

MB = 1_000_000
JOB = JobId("1")
UNKNOWN = Millis(10)


def kinds(name: str = "python", user: str = "ann") -> Kinds:
    return kinds_of(spec(name), user)


ANN, BOB, CLEO = kinds(user="ann"), kinds(user="bob"), kinds(user="cleo")


def said(costs: Costs, of: Kinds, size: int | None = None) -> Typical:
    return costs.typical(of, size, UNKNOWN, Millis(20))


@pytest.mark.parametrize(
    "other",
    [
        kinds_of(spec("a"), "bob"),
        kinds_of(spec("b"), "ann"),
        kinds_of(spec("a", freeze=FreezeMethod.CRIU), "ann"),
        kinds_of(spec("a", image="python:3"), "ann"),
        kinds_of(spec("a", image="python:3", runtime=RuntimeWish.PODMAN), "ann"),
    ],
)
def test_another_users_or_name_or_what_is_frozen_or_run_otherwise_is_of_another_kind(other: Kinds) -> None:
    assert kinds_of(spec("a"), "ann")[0] != other[0]


def test_two_users_of_a_name_share_no_more_than_anybodys_kind_and_nobody_has_that_alone() -> None:
    assert kinds_of(spec("a"), "ann")[1:] == kinds_of(spec("a"), "bob")[1:] == kinds_of(spec("a"), "")


def test_who_runs_plain_processes_by_wish_and_by_default_runs_one_kind() -> None:
    assert kinds_of(spec("a", runtime=RuntimeWish.PROCESS), "ann") == kinds_of(spec("a"), "ann")


def test_until_a_freeze_was_measured_it_is_expected_to_take_no_less_than_saves_did() -> None:
    costs, slow, quick = Costs(), kinds("slow"), kinds("quick")
    costs.learn_save(slow, JOB, Millis(90), 1)
    costs.learn_save(slow, JOB, Millis(70), 1)
    costs.learn_save(quick, JOB, Millis(5), 1)
    assert [costs.freeze(of, 950, 1, UNKNOWN) for of in (slow, quick, kinds("never seen"))] == [
        (90, Basis.SAVES),
        (10, Basis.POLICY),
        (10, Basis.POLICY),
    ]
    costs.learn_freeze(slow, JOB, Millis(8), 1)
    assert costs.freeze(slow, 950, 1, UNKNOWN) == (8, Basis.USER)


def test_a_users_own_jobs_of_a_name_say_it_all_and_others_only_as_long_as_there_are_none() -> None:
    costs = Costs()
    costs.learn_freeze(BOB, JOB, Millis(60_000), 900 * MB)
    costs.learn_save(BOB, JOB, Millis(50_000), 900 * MB)
    costs.learn_thaw(BOB, Millis(40_000), 900 * MB)
    others = Typical(
        freeze_ms=Millis(60_000),
        longest_freeze_ms=Millis(60_000),
        save_ms=Millis(50_000),
        thaw_ms=Millis(40_000),
        slow_thaw_ms=Millis(40_000),
        bytes=900 * MB,
    )
    assert (said(costs, BOB), said(costs, ANN)) == (others, others)
    assert [costs.freeze(of, 950, 0, UNKNOWN)[1] for of in (ANN, BOB)] == [Basis.NAME, Basis.USER]
    costs.learn_freeze(ANN, JobId("2"), Millis(200), MB)
    costs.learn_save(ANN, JobId("2"), Millis(90), MB)
    costs.learn_thaw(ANN, Millis(80), MB)
    assert said(costs, BOB) == others
    assert said(costs, ANN) == Typical(
        freeze_ms=Millis(200),
        longest_freeze_ms=Millis(200),
        save_ms=Millis(90),
        thaw_ms=Millis(80),
        slow_thaw_ms=Millis(80),
        bytes=MB,
    )


def test_what_others_froze_in_less_than_a_users_own_saves_take_is_not_believed_of_that_user() -> None:
    costs = Costs()
    costs.learn_freeze(BOB, JOB, Millis(200), MB)
    costs.learn_save(ANN, JobId("2"), Millis(3000), 90 * MB)
    assert costs.freeze(ANN, 950, 90 * MB, UNKNOWN) == (3000, Basis.SAVES)
    costs.learn_freeze(BOB, JOB, Millis(9000), MB)
    assert costs.freeze(ANN, 950, 90 * MB, UNKNOWN) == (9000, Basis.NAME)


def test_a_job_is_as_large_as_its_own_snapshot_whatever_others_of_its_kind_weigh() -> None:
    costs = Costs()
    for megabytes in (100, 200, 300, 400, 1000):
        costs.learn_freeze(ANN, JobId(str(megabytes)), Millis(100 + 5 * megabytes), megabytes * MB)
        costs.learn_thaw(ANN, Millis(50 + 2 * megabytes), megabytes * MB)
    assert [
        (like.freeze_ms, like.thaw_ms, like.bytes // MB) for like in (said(costs, ANN, 100 * MB), said(costs, ANN))
    ] == [
        (600, 250, 100),
        (5100, 2050, 1000),
    ]


def test_a_fresh_job_is_taken_to_be_as_large_as_all_but_one_in_twenty_of_its_kind_were() -> None:
    costs = Costs()
    for job in range(20):
        costs.learn_freeze(ANN, JobId(str(job)), Millis(100), (900 if job < 2 else 1) * MB)
    for _ in range(REMEMBERED):
        costs.learn_save(ANN, JobId("19"), Millis(100), MB)
    assert [said(costs, of).bytes // MB for of in (ANN, BOB, kinds("another"))] == [900, 900, 0]


def _learn(costs: Costs, what: str, of: Kinds, job: JobId, took: Millis, size: int) -> None:
    match what:
        case "freeze":
            costs.learn_freeze(of, job, took, size)
        case "save":
            costs.learn_save(of, job, took, size)
        case "thaw":
            costs.learn_thaw(of, took, size)
        case _:
            costs.learn_run(of, took)


def test_what_a_job_is_typically_like_follows_from_the_newest_measurements_however_often_it_was_asked() -> None:
    dice, asked = random.Random(4), Costs(kept=5)
    told: list[tuple[str, Kinds, JobId, Millis, int]] = []
    everybody = (ANN, BOB, CLEO, kinds("other", ""))
    for _ in range(5 * REMEMBERED):
        told.append(
            (
                dice.choice(("freeze", "save", "thaw", "run")),
                dice.choice(everybody),
                JobId(dice.choice("12")),
                Millis(dice.choice((5, 5, 5, 40))),
                dice.choice((7, 7, 9)),
            )
        )
        _learn(asked, *told[-1])
        never_asked = Costs(kept=5)
        for one in told:
            _learn(never_asked, *one)
        for of in everybody:
            for size in (None, 8):
                assert said(asked, of, size) == said(never_asked, of, size)
            assert asked.typical(of, 8, Millis(60), Millis(2)) == never_asked.typical(of, 8, Millis(60), Millis(2))
        assert (asked, list(asked.measured)) == (never_asked, list(never_asked.measured))


@pytest.mark.parametrize("what", ["freeze", "save", "thaw"])
def test_a_measurement_like_all_that_are_remembered_leaves_what_followed_from_them(what: str) -> None:
    costs = Costs()
    for _ in range(REMEMBERED):
        _learn(costs, what, ANN, JOB, Millis(100), MB)
    before = said(costs, ANN)
    _learn(costs, what, ANN, JOB, Millis(100), MB)
    assert said(costs, ANN) is before


def test_what_was_asked_of_very_many_sizes_is_not_all_kept() -> None:
    costs = Costs()
    costs.learn_freeze(ANN, JOB, Millis(100), MB)
    for size in range(2 * REMEMBERED_TYPICALS):
        assert said(costs, ANN, size).bytes == size
    assert len(costs.measured[ANN[-1]].typical) == REMEMBERED_TYPICALS


def test_what_was_never_measured_is_typically_as_the_policy_says() -> None:
    typical = Typical(
        freeze_ms=UNKNOWN,
        longest_freeze_ms=UNKNOWN,
        save_ms=UNKNOWN,
        thaw_ms=Millis(20),
        slow_thaw_ms=Millis(20),
        bytes=0,
    )
    assert said(Costs(), ANN) == typical
    ran = Costs()
    ran.learn_run(ANN, Millis(5))
    assert said(ran, ANN) == typical


def test_kinds_that_were_taught_longest_ago_are_forgotten_where_there_are_too_many() -> None:
    costs = Costs(kept=4)
    costs.learn_freeze(ANN, JOB, Millis(200), MB)
    costs.learn_freeze(BOB, JOB, Millis(300), MB)
    costs.learn_thaw(ANN, Millis(80), MB)
    assert costs.freeze(BOB, 950, MB, UNKNOWN) == (300, Basis.USER)
    costs.learn_freeze(CLEO, JOB, Millis(400), MB)
    assert set(costs.measured) == {ANN[0], BOB[0], CLEO[0], ANN[1]}
    assert said(costs, BOB).freeze_ms == 300
    costs.learn_freeze(kinds("other", ""), JOB, Millis(1), MB)
    assert list(costs.measured) == [ANN[0], CLEO[0], ANN[1], kinds("other", "")[0]]
    assert costs.freeze(BOB, 950, MB, UNKNOWN) == (400, Basis.NAME)
    assert said(costs, BOB).freeze_ms == 400


def test_a_daemon_that_lives_for_years_remembers_no_more_than_some_thousand_kinds() -> None:
    costs = Costs()
    for number in range(3 * costs.kept // 2):
        costs.learn_run(kinds(f"job-{number}"), Millis(number))
    assert len(costs.measured) == costs.kept
    assert len(costs.middles) == costs.kept // 2
    assert costs.shortest_run_ms == costs.kept


def test_how_long_last_segments_run_others_of_the_name_do_not_say() -> None:
    costs = Costs()
    assert (costs.run_ms(ANN), costs.shortest_run_ms) == (None, None)
    costs.learn_run(BOB, Millis(5))
    assert [costs.run_ms(of) for of in (ANN, BOB)] == [None, 5]
    costs.learn_freeze(ANN, JOB, Millis(200), MB)
    assert costs.run_ms(ANN) is None


def test_once_the_shortest_kind_is_no_longer_so_short_the_shortest_of_all_is_looked_for() -> None:
    costs, quick, slow = Costs(), kinds("quick"), kinds("slow")
    costs.learn_run(quick, Millis(5))
    costs.learn_run(slow, Millis(70))
    assert costs.shortest_run_ms == 5
    for took in (90, 90):
        costs.learn_run(quick, Millis(took))
    assert (costs.run_ms(quick), costs.shortest_run_ms) == (90, 70)
