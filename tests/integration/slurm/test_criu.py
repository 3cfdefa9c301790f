"""Guests that know nothing of idleq, on real nodes: frozen by the real criu, moved, and going on as if nothing had been."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from support.on_slurm import config_of
from support.site import Person, main_job, served, undisturbed
from testbed.cluster import Testbed
from testbed.machine import Node
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

PYTHON = "/shared/venv/bin/python"
BUSY_TREE = (PYTHON, "-I", "-S", "/shared/idleq/tests/support/busy_tree.py")
STEPS, MOVES = 200, 5
COUNT = ("--", PYTHON, "-m", "idleq.workloads.cli", "count", "--step-seconds", "0.1", "--steps")


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Person]:
    """An ordinary user, whose daemon runs."""
    person = Person(slurm, "alice")
    with served(person, config_of()):
        yield person


def segment(
    node: Node, folder: str, number: int, until: int, *argv: str, user: str, around: Sequence[str] = ()
) -> dict[str, Any]:
    """One stretch of *user*'s *argv* (none: the tree of processes) on *node*; what it said of its end."""
    python = ("env", "PYTHONPATH=/shared/idleq/tests", *around, PYTHON, "-m", "support.segment")
    words = argv or (*BUSY_TREE, str(STEPS))
    told: dict[str, Any] = json.loads(
        node.run(*python, folder, str(number), "process", str(until), *words, user=user, seconds=100)
    )
    return told


USERS = pytest.mark.parametrize("user", ["root", "alice"])


def folder_of(user: str, name: str, node: Node) -> str:
    """A new folder of *user*'s that all nodes see."""
    path = f"/shared/home/{user}/criu/{name}"
    node.run("install", "--directory", f"--owner={user}", path)
    return path


@USERS
def test_open_files_pipes_threads_and_children_survive_five_moves_between_two_nodes(
    slurm: Testbed, user: str, record_property: Callable[[str, object], None]
) -> None:
    hosts = slurm.compute[:2]
    alone, moved = (folder_of(user, trial, hosts[0]) for trial in ("alone", "moved"))

    segment(hosts[0], alone, 0, until=10**6, user=user)
    ends = [segment(hosts[number % 2], moved, number, until=25 * (number + 1), user=user) for number in range(MOVES)]
    last = segment(hosts[MOVES % 2], moved, MOVES, until=10**6, user=user)

    assert last == {"code": 0, "left": 0}
    assert all((end["ended"], end["left"]) == (0, 0) for end in ends)
    results = (f"{moved}/{MOVES}/output/result.txt", f"{alone}/0/output/result.txt")
    assert len({hosts[0].run("cat", result) for result in results}) == 1
    printed = "".join(hosts[0].run("cat", f"{moved}/stdout-{number}") for number in range(MOVES + 1))
    assert printed == "".join(f"{step}\n" for step in range(1, STEPS + 1))
    record_property("summary", f"it stood still for {[end['stopped_ms'] for end in ends]} ms")


CLOCK = """
import time
with open("lines.txt", "a") as lines:
    for _ in range(100):
        lines.write(f"{time.monotonic()}\\n")
        lines.flush()
        time.sleep(0.02)
"""


@USERS
def test_the_monotonic_clock_of_a_guest_goes_on_where_it_stood_on_a_node_that_was_started_later(
    slurm: Testbed, user: str
) -> None:
    own = () if user == "root" else ("--user", "--map-current-user")
    guest, ahead = (PYTHON, "-I", "-S", "-c", CLOCK), ("unshare", *own, "--time", "--monotonic=100000", "--fork")
    folder = folder_of(user, "clock", slurm.compute[0])

    segment(slurm.compute[0], folder, 0, 20, *guest, user=user, around=ahead)
    segment(slurm.compute[1], folder, 1, 10**6, *guest, user=user)

    times = [float(line) for line in slurm.login.run("cat", f"{folder}/1/output/lines.txt").splitlines()]
    assert len(times) == 100
    assert times == sorted(times)
    assert times[-1] - times[0] < 60, "it did not jump"


def frozen_by_criu(alice: Person) -> int:
    """How often an agent has said that it has frozen a guest from outside."""
    said = alice.run("sh", "-c", f"cat {alice.server}/allocations/*/agent.log")
    return sum(json.loads(line)["event"] == "agent.frozen" for line in said.splitlines())


def move(slurm: Testbed, alice: Person) -> None:
    """Let a main job take the node that the one guest runs on, and wait until the guest runs elsewhere."""
    (before,) = (row for row in alice.rows() if row["state"] == "running")
    main_job(slurm, f"--nodelist={before['node']}", seconds=5)
    wait_for(
        "the guest to run on another node",
        lambda: any(row["state"] == "running" and row["fence"] > before["fence"] for row in alice.rows()),
        seconds=90,
        every=1,
    )


def test_a_guest_that_main_jobs_drive_from_node_to_node_goes_on_by_criu_and_dies_with_its_allocation(
    slurm: Testbed, alice: Person
) -> None:
    alice.idleq("submit", "--freeze", "criu", *COUNT, "300", "--seed", "0")
    wait_for("it to run", lambda: alice.states() == ["running"], seconds=60, every=1)
    move(slurm, alice)
    alice.idleq("wait", "1", seconds=200)
    assert alice.result(1) == undisturbed(slurm, 0)
    assert frozen_by_criu(alice) >= 1

    alice.idleq("submit", "--freeze", "criu", *COUNT, "100000", "--seed", "1")
    wait_for("it to run", lambda: alice.states() == ["done", "running"], seconds=60, every=1)
    move(slurm, alice)
    alice.idleq("pause")
    slurm.login.run("scancel", "--signal=KILL", "--full", f"--user={alice.user}")
    wait_for("nothing of it to be left", lambda: not guests_on(slurm), seconds=30)


def guests_on(slurm: Testbed) -> str:
    """The processes of guests that live on any node."""
    return "".join(node.run("pgrep", "-f", "workloads.cli count", codes=(0, 1)) for node in slurm.compute)
