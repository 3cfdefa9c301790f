"""The daemon of a login node that hangs is replaced by one on another, and is nobody any more when it comes back."""

import json
from collections.abc import Callable, Iterator

import pytest

from support.site import Person, clear, undisturbed
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

CONFIG = """
[server]
takeover = "6s"

[policy]
min_gap = "5m"
max_allocation = "10m"

[cluster]
kind = "slurm"
partition = "guests"
poll = "1s"
"""
DAEMON = ("-u", "alice", "-f", "idleq.*daemon run")


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Person]:
    person = Person(slurm)
    person.configure(CONFIG)
    yield person
    clear(slurm, person)


def test_a_second_daemon_is_refused_while_the_first_lives_and_takes_its_place_when_it_hangs(
    slurm: Testbed, alice: Person, record_property: Callable[[str, object], None]
) -> None:
    elsewhere = alice.on(slurm.nodes["n3"])
    alice.idleq("daemon", "start")
    for seed in range(2):
        alice.count(steps=900, seed=seed)
    wait_for("the guests to run", lambda: alice.states() == ["running"] * 2, seconds=60, every=0.5)
    with pytest.raises(CommandRefused, match=r"daemon on login .process \d+. serves .* stop it there") as refused:
        elsewhere.idleq("daemon", "start")
    assert refused.value.code == 13

    slurm.login.run("pkill", "-STOP", *DAEMON)
    elsewhere.idleq("daemon", "start")
    elsewhere.count(steps=50, seed=2)
    assert elsewhere.states()[:2] == ["running", "running"], "they have not noticed"
    before = elsewhere.read("access.json")

    slurm.login.run("pkill", "-CONT", *DAEMON)
    wait_for("the old one to go", lambda: not slurm.login.run("pgrep", *DAEMON, codes=(0, 1)), seconds=60, every=0.5)
    wait_for("all to be done", lambda: elsewhere.states() == ["done"] * 3, seconds=180, every=1)

    assert elsewhere.read("access.json") == before, "the old one has taken away nothing of its successor's"
    assert [row["fence"] for row in elsewhere.rows()] == [1, 1, 1], "nobody had to be started twice"
    assert [elsewhere.result(job) for job in (1, 2)] == [undisturbed(slurm, steps=900, seed=seed) for seed in range(2)]
    assert alice.read("daemon.log").count("daemon.superseded") == 1
    epochs = [
        json.loads(
            alice.run("sh", "-c", f"cat {alice.server}/allocations/*/answer.json | head -c 4000 | head -n1").split("}")[
                0
            ]
            + "}"
        )["epoch"]
    ]
    assert epochs == [2]
    elsewhere.idleq("daemon", "stop")
    record_property(
        "summary",
        "a daemon that hung was replaced on another host; 2 guests went on undisturbed, each with its one right result",
    )
