"""What idleq asks a real Slurm for, and whom it puts there: many guests in few allocations, never too many that wait."""

from collections.abc import Iterator

import pytest

from support.site import Person, serving
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

CONFIG = """
[server]
transport = "spool"

[policy]
min_gap = "1m"
max_allocation = "10m"
max_pending = 2
ramp_start = 1

[cluster]
kind = "slurm"
partition = "guests"
poll = "1s"
"""


@pytest.fixture
def unlike(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, with a third node that is half as large as the others."""
    slurm.configure({}, {"n3": (1, 2000)})
    wait_for("the nodes to be unlike", lambda: "1 2000" in sizes(slurm), seconds=30, every=0.5)
    slurm.wait_until_idle()
    yield slurm
    slurm.configure({})
    wait_for("the nodes to be alike", lambda: sizes(slurm) == {"2 4000"}, seconds=30, every=0.5)
    slurm.wait_until_idle()


@pytest.fixture
def with_gpus(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, whose second node has two GPUs as far as Slurm knows."""
    for number in range(2):  # slurmd wants to see devices, and does not look what they are
        (slurm.shared / f"gpu{number}").touch()
    gres, conf = (slurm.folder / "slurm" / name for name in ("gres.conf", "slurm.conf"))
    gres.write_text("NodeName=n2 Name=gpu File=/shared/gpu[0-1]\n")
    slurm.configure({"GresTypes": "gpu"})
    conf.write_text(conf.read_text().replace("NodeName=n2 ", "NodeName=n2 Gres=gpu:2 "))
    slurm.login.run("scontrol", "reconfigure")
    try:
        wait_for("the GPUs to be there", lambda: has_gpus(slurm), seconds=60, every=1)
        yield slurm
    finally:
        gres.unlink()
        slurm.configure({})
        slurm.login.run("scontrol", "update", "nodename=n2", "state=resume", codes=(0, 1))
        slurm.wait_until_idle()


def has_gpus(slurm: Testbed) -> bool:
    """Whether the second node is in use with them; until its slurmd has counted them, the controller drains it for what it lacks."""
    if "drained" in slurm.states().get("n2", ""):
        slurm.login.run("scontrol", "update", "nodename=n2", "state=resume")
    said = slurm.login.run("sinfo", "-h", "-N", "--nodes=n2", "--partition=main", "--format=%T %G").split()
    return said == ["idle", "gpu:2"]


def gpus_of_guests(slurm: Testbed) -> list[str]:
    """The GPUs that each guest on the second node was given."""
    look = "for pid in $(pgrep -u alice -f 'workloads.cli count'); do tr '\\0' '\\n' < /proc/$pid/environ | grep ^CUDA_VISIBLE; done"
    return sorted(slurm.nodes["n2"].run("sh", "-c", look).split())


@pytest.fixture
def closed(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, whose partition for guests takes jobs and starts none until the test opens it."""
    slurm.login.run("scontrol", "update", "partitionname=guests", "maxnodes=0")
    yield slurm
    slurm.login.run("scontrol", "update", "partitionname=guests", "maxnodes=unlimited")


def sizes(slurm: Testbed) -> set[str]:
    return set(slurm.login.run("sinfo", "-h", "-N", "--partition=main", "--format=%c %m").splitlines())


def where(person: Person) -> list[tuple[str, str]]:
    """Names and nodes of the guests that run."""
    return sorted((row["name"], row["node"]) for row in person.rows() if row["state"] == "running")


def test_nodes_of_two_sizes_are_filled_to_the_last_core_and_never_beyond_their_memory(unlike: Testbed) -> None:
    with serving(unlike, CONFIG) as alice:
        for name, memory in (("large", "2500M"), ("large", "2500M"), *[("small", "1200M")] * 4):
            alice.count("--name", name, "--memory", memory, steps=3000)

        wait_for("every core to be used", lambda: len(where(alice)) == 5, seconds=120, every=1)

        assert where(alice) == [("large", "n1"), ("large", "n2"), ("small", "n1"), ("small", "n2"), ("small", "n3")]
        assert len(alice.held()) == 3, "one allocation on each node, whoever is in it"
        steps = {row["name"]: row["state"] for row in alice.rows() if row["state"] != "running"}
        assert steps == {"small": "queued"}


def test_each_guest_that_needs_a_gpu_has_one_of_its_own(with_gpus: Testbed) -> None:
    with serving(with_gpus, CONFIG) as alice:
        for _ in range(3):
            alice.count("--name", "learns", "--gpus", "1", steps=3000)
        alice.count("--name", "counts", steps=3000)

        wait_for("as many as can to run", lambda: len(where(alice)) == 3, seconds=120, every=1)

        (_, elsewhere), *learning = where(alice)
        assert elsewhere in {"n1", "n3"}
        assert learning == [("learns", "n2")] * 2
        assert gpus_of_guests(with_gpus) == ["CUDA_VISIBLE_DEVICES=0", "CUDA_VISIBLE_DEVICES=1"]


def test_who_runs_in_an_allocation_is_chosen_when_it_is_there_and_never_do_more_wait_than_may(closed: Testbed) -> None:
    with serving(closed, CONFIG) as alice:
        alice.count("--name", "early", "--cores", "2", steps=3000)
        wait_for("an allocation to wait", lambda: alice.held() == [("idleq-a1", "PENDING")], seconds=60, every=0.5)
        for _ in range(4):
            alice.count("--name", "urgent", "--cores", "2", "--priority", "5", steps=3000)
        waiting = [len(alice.held("PENDING")) for _ in range(20)]

        closed.login.run("scontrol", "update", "partitionname=guests", "maxnodes=unlimited")

        def three_run() -> bool:
            waiting.append(len(alice.held("PENDING")))
            return len(where(alice)) >= 3

        wait_for("three to run", three_run, seconds=120)
        assert where(alice) == [("urgent", "n1"), ("urgent", "n2"), ("urgent", "n3")]
        assert waiting[:20] == [1] * 20, "it begins with one"
        assert max(waiting) <= 2


@pytest.fixture
def beside(slurm: Testbed) -> str:
    """A main job that has one core of n1."""
    argv = ("sbatch", "--parsable", "--nodelist=n1", "--ntasks=1", "--time=30", "--output=/dev/null", "--chdir=/")
    job = slurm.login.run(*argv, "--wrap=sleep 1800", user="bob").strip()
    wait_for("the main job to run", lambda: slurm.states().get("n1") == "mixed", seconds=30, every=0.5)
    return job


def test_guests_are_beside_no_main_job_and_come_when_it_has_left(slurm: Testbed, beside: str) -> None:
    with serving(slurm, CONFIG) as alice:
        for _ in range(6):
            alice.count(steps=3000)
        wait_for("four guests to run", lambda: len(where(alice)) == 4, seconds=120, every=1)

        assert {node for _, node in where(alice)} == {"n2", "n3"}
        assert f"main jobs have a part of it ({beside})" in alice.idleq("explain", "6")
        assert len(alice.held()) == 2

        slurm.login.run("scancel", beside)
        wait_for("all guests to run", lambda: len(where(alice)) == 6, seconds=120, every=1)


def test_where_the_site_lets_them_guests_take_what_main_jobs_leave_of_a_node(slurm: Testbed, beside: str) -> None:
    with serving(slurm, f'{CONFIG}nodes = "shared"\n') as alice:
        for _ in range(6):
            alice.count(steps=3000)
        wait_for("five guests to run", lambda: len(where(alice)) == 5, seconds=120, every=1)

        assert sorted(node for _, node in where(alice)) == ["n1", "n2", "n2", "n3", "n3"]
        assert beside in slurm.login.run("squeue", "-h", "--states=R", "--format=%i")
