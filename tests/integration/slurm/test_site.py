"""One daemon for all users of a site, on a real Slurm: each one's jobs run as that user, and are nobody else's business."""

import json
from collections.abc import Iterator

import pytest

from idleq.scheduler.core.facts import SegmentStarted
from support.on_slurm import Alice, submit_and_start, wait_for_main_jobs
from support.site import IDLEQ, Person, main_job, served, undisturbed
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.machine import Node
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SHARED = "/shared/site"
SERVICE = "slurm"
"""Who the daemon runs as: SlurmUser may have a token for anybody."""

CONFIG = f"""
[server]
address = "{{address}}"
shared = "{SHARED}"

[policy]
min_gap = "1m"
max_allocation = "10m"
grace = "{GRACE_SECONDS}s"

[cluster]
kind = "slurm"
rest = "http://login:6820"
partition = "guests"
poll = "1s"
"""

STEPS = 300

LET_IN = """
import json, ssl, sys, urllib.error, urllib.request
door, (allocation, ticket) = json.load(open(sys.argv[1])), sys.stdin.read().split()
url, shown = f"{door['url']}/v1/agents/{allocation}/sync", {"Authorization": "Bearer " + ticket}
context = ssl.create_default_context(cadata=door["certificate"])
try:
    print(urllib.request.urlopen(urllib.request.Request(url, b"{}", shown), context=context).status)
except urllib.error.HTTPError as error:
    print(error.status)
"""


@pytest.fixture
def service(slurm: Testbed) -> Iterator[Alice]:
    """The service user, whose daemon serves the whole site."""
    home = f"/shared/home/{SERVICE}"
    slurm.login.run("install", "-d", "-o", SERVICE, "-m", "755", home, SHARED)
    person = Alice(slurm, SERVICE)
    try:
        with served(person, CONFIG.format(address=slurm.login.address)):
            yield person
    finally:
        slurm.login.run("rm", "-rf", home, SHARED)


def user(slurm: Testbed, name: str) -> Person:
    """A user of the site: their folder there is their server directory."""
    return Person(slurm, name, server=f"{SHARED}/users/{name}")


def number(person: Person) -> str:
    """The number of this person's one job."""
    (row,) = person.rows()
    return str(row["id"])


def test_two_users_jobs_run_as_each_of_them_move_and_are_done_and_neither_can_see_the_others(
    slurm: Testbed, service: Alice
) -> None:
    alice, bob = user(slurm, "alice"), user(slurm, "bob")
    for seed, person in enumerate((alice, bob)):
        person.count(steps=STEPS, seed=seed)
    service.wait_until_running(2)
    held = slurm.login.run("squeue", "--noheader", "--states=R", "--format=%u %j").splitlines()
    assert sorted(line.split()[0] for line in held) == ["alice", "bob"], (
        "no allocation is shared, though a node has room"
    )

    wide = main_job(slurm, "--nodes=3", seconds=1)
    wait_for_main_jobs(slurm)
    submit_and_start(slurm, wide)
    for person in (alice, bob):
        assert "/jobs/" in person.idleq("wait", number(person))
        assert person.run("ls", f"{person.server}/jobs/{number(person)}").split() == ["result", "segments"]

    assert [person.result(int(number(person))) for person in (alice, bob)] == [
        undisturbed(slurm, seed, STEPS) for seed in range(2)
    ]
    assert {row["user"]: row["fence"] >= 2 for row in service.rows()} == {"alice": True, "bob": True}
    assert len({fact.allocation for fact in service.facts_of(SegmentStarted)}) >= 4
    for person, other in ((alice, bob), (bob, alice)):
        assert slurm.login.run("find", person.server, "!", "-user", person.user) == "", "all of it is that user's own"
        for path in (other.server, f"{other.server}/jobs/{number(other)}", service.server):
            with pytest.raises(CommandRefused, match="Permission denied"):
                person.run("ls", path)
        for words in (("cancel", number(other)), ("explain", number(other)), ("wait", number(other))):
            with pytest.raises(CommandRefused, match="there is no job"):
                person.idleq(*words)
        with pytest.raises(CommandRefused, match="jobs of all users"):
            person.idleq("pause", "--now")


@pytest.mark.usefixtures("service")
def test_a_copy_of_inputs_lies_in_its_users_folder_until_the_job_that_has_it_is_done(slurm: Testbed) -> None:
    alice, data = user(slurm, "alice"), "/shared/home/alice/data.csv"
    alice.run("tee", data, said="1,2\n")

    def submit(*options: str) -> None:
        alice.idleq("submit", *options, "--input", data, "--", "sh", "-c", "cat data.csv > sum.csv")

    def copies() -> list[str]:
        return alice.run("find", f"{alice.server}/inputs", "-mindepth", "1", "-maxdepth", "1").split()

    submit()
    assert len(copies()) == 1
    assert "/jobs/1/result" in alice.idleq("wait", "1")
    assert alice.read("jobs/1/result/sum.csv") == "1,2\n"
    assert copies() == []

    submit("--hold")
    alice.idleq("cancel", "2")
    (unused,) = copies()
    submit()
    (last,) = set(copies()) - {unused}  # somebody may want to know why the other was cancelled: for a day
    alice.run("touch", "--date=25 hours ago", unused)
    alice.run("chmod", "500", f"{last}/files")
    said = alice.run("sh", "-c", f"{IDLEQ} --server-dir {alice.server} wait 3 2>&1")
    assert f"An old copy of inputs stays: {last}: Permission denied" in said
    assert copies() == [last]
    alice.run("rm", data)


def agents(node: Node) -> list[str]:
    """The processes of alice's agents on *node*."""
    return node.run("pgrep", "-u", "alice", "-f", "idleq --server-dir .* agent", codes=(0, 1)).split()


def test_what_lets_an_agent_in_cannot_be_had_by_the_guests_beside_it(slurm: Testbed, service: Alice) -> None:
    alice = user(slurm, "alice")
    alice.count(steps=3000)
    service.wait_until_running(1)
    (line,) = slurm.login.run("squeue", "--noheader", "--states=R", "--format=%A %j %N").splitlines()
    job, name, node = line.split()
    allocation = name.removeprefix("idleq-")
    script = alice.run("scontrol", "write", "batch_script", job, "-")
    (ticket,) = [words.partition("=")[2] for words in script.splitlines() if words.startswith("export IDLEQ_TICKET=")]
    token = service.read(f"allocations/{allocation}/token").strip()

    def let_in(shown: str) -> str:
        said = f"{allocation} {shown}"
        return slurm.login.run("python3", "-c", LET_IN, f"{SHARED}/door.json", user="alice", said=said).strip()

    assert (let_in(ticket), let_in(token)) == ("401", "200"), "the script's ticket was for the agent, once"
    assert json.loads(slurm.login.run("cat", f"{SHARED}/door.json", user="bob")).keys() == {"url", "certificate"}
    host = slurm.nodes[node]
    agent = wait_for("the agent", lambda: agents(host), seconds=30)[-1]
    for file in ("environ", "mem", "fd"):
        with pytest.raises(CommandRefused, match="Permission denied"):
            host.run("sh", "-c", f"cat /proc/{agent}/{file} 2>&1 || ls /proc/{agent}/{file}/", user="alice")
    alice.idleq("cancel", number(alice))


def test_nobody_can_lay_a_folder_ready_for_another_user(slurm: Testbed, service: Alice) -> None:
    trap = f"{SHARED}/users/alice"
    slurm.login.run("install", "-d", "-o", "bob", "-m", "777", trap)
    slurm.login.run("chown", "bob", trap)
    service.run(
        "env",
        "USER=alice",
        "/shared/venv/bin/idleq",
        "--server-dir",
        service.server,
        "submit",
        "count",
        "--steps",
        "10",
    )
    wait_for(
        "alice's agent to have left",
        lambda: "FAILED" in slurm.login.run("sacct", "-X", "-n", "-P", "--user=alice", "--format=State"),
        seconds=90,
        every=1,
    )
    assert slurm.login.run("find", trap, "-mindepth", "1") == ""
    with pytest.raises(CommandRefused, match="belongs to user"):
        user(slurm, "alice").idleq("ps")
    service.idleq("cancel", "1")
