import pytest

from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.records import AnyNumber, Number, count_gpus, instant, parse_memory, parse_tres, value
from support.slurm import job, node


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        (Number(set=True, infinite=False, number=7), 7),
        (Number(set=True, infinite=True, number=0), None),
        (Number(set=False, infinite=False, number=0), None),
        (7, 7),
        (7.9, 7),
        (0xFFFFFFFE, None),
        (0xFFFFFFFF, None),
        (None, None),
    ],
)
def test_numbers_of_every_version_mean_the_same(number: AnyNumber, meaning: int | None) -> None:
    assert value(number) == meaning


def test_the_time_0_means_that_none_is_known() -> None:
    assert instant(Number(set=True, infinite=False, number=0)) is None
    assert instant(12) == 12_000


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("", 0),
        ("gpu:4", 4),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:a100:2(IDX:0-1),gpu:h100:1(IDX:3),shard:8", 3),
        ("shard:gpu:8", 0),
        ("bandwidth:lustre:4000,gpu:1", 1),
    ],
)
def test_gpus_of_every_kind_are_counted_and_nothing_else(gres: str, gpus: int) -> None:
    assert count_gpus(gres) == gpus


def test_amounts_that_are_not_named_are_nothing() -> None:
    assert parse_tres("cpu=2,mem=1000M,node=1,billing=2,gres/gpu=1,gres/gpu:a100=1") == Resources(2, 1000 * 2**20, 1)
    assert parse_tres("") == Resources(0, 0, 0)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500M", 500 * 2**20), ("1.50G", 3 * 2**29), ("2T", 2**41), ("7", 7 * 2**20)]
)
def test_memory_is_read_in_every_unit(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1M", "1X"])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(SlurmUnreadable, match="no amount of memory"):
        parse_memory(text)


def test_a_node_offers_what_is_not_kept_for_the_system() -> None:
    record = node("n1", cpus=8, effective_cpus=7, specialized_memory=1024, gres="gpu:2")

    assert record.capacity == Resources(7, 7 * 2**30, 2)


def test_states_are_one_set_whether_flags_are_told_apart_or_not() -> None:
    assert (
        node("n1", "IDLE", "DRAIN").states
        == node("n1", state="idle", state_flags=["DRAIN"]).states
        == {"IDLE", "DRAIN"}
    )


@pytest.mark.parametrize(
    ("states", "is_waiting", "is_on_nodes"),
    [
        (["PENDING"], True, False),
        (["RUNNING"], False, True),
        (["COMPLETED", "COMPLETING"], False, True),
        (["PENDING", "COMPLETING"], True, True),
        (["SUSPENDED"], False, True),
        (["CANCELLED"], False, False),
    ],
)
def test_a_job_waits_or_holds_nodes(states: list[str], *, is_waiting: bool, is_on_nodes: bool) -> None:
    record = job(1, job_state=states)

    assert (record.is_waiting, record.is_on_nodes) == (is_waiting, is_on_nodes)
    if len(states) == 1:
        assert job(1, job_state=states[0]).is_waiting is is_waiting
