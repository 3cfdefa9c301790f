"""idleq by slurmrestd alone: the daemon has none of Slurm's commands, and a token that expires."""

import json
from collections.abc import Iterator

import pytest

from support.site import IDLEQ, Person, accounted, clear, undisturbed
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

CONFIG = f"""
[server]
transport = "spool"

[policy]
min_gap = "1m"
max_allocation = "10m"
grace = "{GRACE_SECONDS}s"

[cluster]
kind = "slurm"
partition = "guests"
poll = "1s"
rest = "http://login:6820"
token_life = "40s"
"""
WITHOUT_COMMANDS = ("env", "TERM=dumb", "PATH=/nowhere", IDLEQ, "--server-dir")


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Person]:
    """Alice, with her configuration and no daemon."""
    person = Person(slurm)
    person.configure(CONFIG)
    yield person
    clear(slurm, person)


def give_token(slurm: Testbed, person: Person, *, seconds: int, mode: str = "600") -> None:
    where = f"{person.server}/slurm.token"
    person.run(
        "sh",
        "-c",
        f"cat > {where}.new; chmod {mode} {where}.new; mv {where}.new {where}",
        said=slurm.token("alice", seconds=seconds),
    )


def test_a_guest_is_run_frozen_and_finished_by_slurmrestd_alone_though_its_token_expires(
    slurm: Testbed, alice: Person
) -> None:
    give_token(slurm, alice, seconds=45)
    alice.run(*WITHOUT_COMMANDS, alice.server, "daemon", "start")
    alice.count(steps=600)
    wait_for("the guest to run", lambda: alice.states() == ["running"], seconds=60, every=0.5)

    wide = slurm.login.run(
        *("sbatch", "--parsable", "--nodes=3", "--exclusive", "--time=1", "--output=/dev/null", "--chdir=/"),
        "--wrap=sleep 2",
        user="bob",
    ).strip()
    wait_for("the main job to end", lambda: accounted(slurm, wide, "State") == ["COMPLETED"], seconds=90, every=1)
    wait_for("the token to be missed", lambda: "expired" in trouble(alice), seconds=90, every=1)
    assert "scontrol token lifespan=40 >" in trouble(alice)
    give_token(slurm, alice, seconds=600)
    wait_for("the guest to be done", lambda: alice.states() == ["done"], seconds=180, every=1)

    (row,) = alice.rows()
    assert row["fence"] >= 2, "it made way for the main job"
    assert alice.result(1) == undisturbed(slurm, steps=600)
    alice.idleq("daemon", "stop")


def trouble(person: Person) -> str:
    """Why the cluster was last away, by the daemon's log."""
    said = [json.loads(line) for line in person.read("daemon.log").splitlines()]
    return next((line["reason"] for line in reversed(said) if line["event"] == "cluster.away"), "")


def test_where_users_may_make_tokens_the_daemon_keeps_itself_one_that_nobody_else_can_read(alice: Person) -> None:
    alice.idleq("daemon", "start")
    first = alice.read("slurm.token")
    assert alice.run("stat", "--format=%a", f"{alice.server}/slurm.token") == "600\n"
    wait_for("the token to be renewed", lambda: alice.read("slurm.token") != first, seconds=60, every=1)
    alice.idleq("daemon", "stop")


def test_no_daemon_starts_with_a_token_that_others_can_read_or_that_is_not_there(slurm: Testbed, alice: Person) -> None:
    with pytest.raises(CommandRefused, match="there is no token in") as refused:
        alice.run(*WITHOUT_COMMANDS, alice.server, "daemon", "start")
    assert refused.value.code == 74
    give_token(slurm, alice, seconds=600, mode="644")
    with pytest.raises(CommandRefused, match="chmod 600") as refused:
        alice.run(*WITHOUT_COMMANDS, alice.server, "daemon", "start")
    assert refused.value.code == 74
