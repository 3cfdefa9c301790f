"""Jobs in containers, by the real daemon and its agents, in allocations of a real Slurm."""

import json
import random
import threading
from collections.abc import Callable, Iterator

import pytest

from support.on_slurm import config_of
from support.site import IDLEQ, Person, main_job, served, undisturbed
from testbed.cluster import Testbed
from testbed.images import NAME
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.image, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

CONTAINERS = f"""
[containers]
image = "{NAME}"
roots = ["/shared/given"]
"""

STEPS, SEED = 100, 20261126
SLEEPS = "import time; print('sleeps', flush=True); time.sleep(600)"
ENGINES = pytest.mark.parametrize("engine", ["podman", "docker"])


@pytest.fixture
def root(with_docker: Testbed) -> Iterator[Person]:
    """The site's own service: docker's engine belongs to root. Nothing is left of it."""
    person = Person(with_docker, "root", server="/shared/root/q")
    given = "mkdir -p /shared/given && echo hello >/shared/given/greeting && ln -sfn /etc /shared/given/way-out"
    person.run("sh", "-c", given)
    with served(person, config_of() + CONTAINERS):
        yield person


def containers(slurm: Testbed, engine: str) -> list[str]:
    """The nodes on which *engine* runs a container; one for each."""
    ask = ("env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", engine, "ps", "--quiet")
    return [node.name for node in slurm.compute for _ in node.run(*ask).splitlines()]


def sleepers(slurm: Testbed) -> list[str]:
    """The nodes on which the program that sleeps lives, whoever knows of it."""
    look = ("pgrep", "--full", "^python3 -c import time; print")
    return [node.name for node in slurm.compute if node.run(*look, codes=(0, 1))]


def wait_until_running(root: Person, job: int) -> str:
    wait_for("it to run", lambda: root.states()[job - 1] == "running", seconds=90, every=0.5)
    return str(root.rows()[job - 1]["node"])


@ENGINES
def test_a_named_job_in_the_sites_image_is_moved_off_a_node_that_is_wanted_and_has_its_right_result(
    slurm: Testbed, root: Person, engine: str
) -> None:
    root.count("--runtime", engine, "--freeze", "criu", steps=STEPS)
    node = wait_until_running(root, 1)
    assert containers(slurm, engine) == [node]

    main_job(slurm, f"--nodelist={node}", seconds=5)
    root.idleq("wait", "1", seconds=200)

    (row,) = root.rows()
    assert (row["state"], row["fence"] > 1) == ("done", True), "it went on in another segment"
    assert root.result(1) == undisturbed(slurm, steps=STEPS)
    assert containers(slurm, engine) == []


@ENGINES
def test_nothing_of_it_outlives_an_agent_that_is_killed(slurm: Testbed, root: Person, engine: str) -> None:
    root.idleq("submit", "--image", NAME, "--runtime", engine, "--", "{python}", "-c", SLEEPS)
    node = wait_until_running(root, 1)
    wait_for("its program to live", lambda: sleepers(slurm) == [node], seconds=30)
    root.idleq("pause")

    slurm.nodes[node].run("pkill", "-KILL", "--full", "agent --allocation")

    wait_for("its program to die", lambda: sleepers(slurm) == [], seconds=30)
    assert containers(slurm, engine) == []


@ENGINES
def test_it_sees_what_its_job_shows_and_no_way_out_and_nothing_of_it_outlives_its_allocation(
    slurm: Testbed, root: Person, engine: str
) -> None:
    show = (
        "import os; print(open('/data/greeting').read().strip());"
        " print(sorted(os.listdir('/run/idleq')), os.path.exists('/shared'))"
    )
    in_image = ("submit", "--image", NAME, "--runtime", engine)
    root.idleq(*in_image, "--mount", "/shared/given:/data", "--", "{python}", "-c", show)
    root.idleq(*in_image, "--mount", "/shared/given/way-out:/data", "--", "ls", "/data")
    root.idleq("wait", "1", seconds=120)
    wait_for("the other to fail", lambda: root.states() == ["done", "failed"], seconds=120, every=0.5)

    assert root.idleq("logs", "1").splitlines()[-2:] == ["hello", "['checkpoint', 'control', 'output', 'tmp'] False"]
    assert "/shared/given/way-out leads over the link 'way-out'" in root.idleq("explain", "2")

    root.idleq(*in_image, "--", "{python}", "-c", SLEEPS)
    node = wait_until_running(root, 3)
    wait_for("its program to live", lambda: sleepers(slurm) == [node], seconds=30)
    root.idleq("pause")
    slurm.login.run("scancel", "--signal=KILL", "--full", "--user=root")
    wait_for("its program to die", lambda: sleepers(slurm) == [], seconds=30)


def test_a_node_lost_in_the_middle_of_a_freeze_and_another_in_that_of_a_thaw_cost_no_job_and_double_none(
    with_docker: Testbed,
) -> None:
    slurm, dice = with_docker, random.Random(SEED)
    person, lost = Person(slurm, "root", server="/shared/root/q"), list[str]()

    def lose(node: str) -> None:
        # No waiting for something: the instant is what is tried out.
        threading.Event().wait(dice.uniform(0, 1.5))
        slurm.nodes[node].kill()
        lost.append(node)

    with served(person, config_of(policy='lease = "10s"') + CONTAINERS):
        person.count("--runtime", "podman", "--freeze", "criu", steps=STEPS)
        wait_until_running(person, 1)
        person.idleq("hold", "1")
        wait_for("its first snapshot", lambda: person.states() == ["held"], seconds=60, every=0.5)
        try:
            person.idleq("release", "1")
            node = wait_until_running(person, 1)
            person.idleq("hold", "1")
            lose(node)
            wait_for("it to be held all the same", lambda: person.states() == ["held"], seconds=120, every=0.5)
            person.idleq("release", "1")
            lose(wait_until_running(person, 1))
            person.idleq("wait", "1", seconds=200)
        finally:
            for node in lost:
                slurm.bring_back(node)
                slurm.nodes[node].run_script("docker.sh")

        assert person.states() == ["done"]
        assert person.result(1) == undisturbed(slurm, steps=STEPS)


OF_THE_NODES_SHELL = """
set -e
mkdir -p "$HOME/.config/containers" "$XDG_RUNTIME_DIR" root/bin
chmod 700 "$XDG_RUNTIME_DIR"
printf '[storage]\\ndriver = "vfs"\\n' >"$HOME/.config/containers/storage.conf"  # overlay needs a privilege that this user lacks
cp /bin/dash root/bin/sh
cp /bin/sleep /bin/id root/bin/
ldd root/bin/* | grep --only-matching '/[^ :]*lib[^ :]*' | sort --unique | xargs cp --parents --target-directory=root --dereference
tar --directory=root --owner=0 --group=0 --create . | podman import --quiet - tiny
"""

SAVES_ITSELF = """
trap 'echo saved >$IDLEQ_CHECKPOINT_DIR/state; exit 85' USR1
id -u >who
[ -e $IDLEQ_CHECKPOINT_DIR/state ] && exit 0
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 0.1; done
"""


@pytest.fixture
def rootless(slurm: Testbed) -> Iterator[Callable[..., str]]:
    """Lets alice type something on a node on which she has a podman and an image of her own; her user has one number in it, and that is her own."""
    node = slurm.nodes["n1"]
    own = ("env", "HOME=/shared/home/alice/podman", "XDG_RUNTIME_DIR=/shared/home/alice/podman/run", "PODMAN_IGNORE_CGROUPSV1_WARNING=1")  # fmt: skip
    node.run("sed", "--in-place=.kept", "/alice/d", "/etc/subuid", "/etc/subgid")
    node.run("install", "--directory", "--owner=alice", "--mode=700", "/shared/home/alice/podman")

    def type_there(*words: str) -> str:
        return node.run(*own, "sh", "-c", 'cd "$HOME" && exec "$@"', "-", *words, user="alice", seconds=120)

    type_there("sh", "-c", OF_THE_NODES_SHELL)
    yield type_there
    assert type_there("podman", "ps", "--all", "--quiet") == ""
    type_there("podman", "system", "reset", "--force")
    node.run("rm", "--recursive", "--force", "/shared/home/alice/podman")
    for name in ("subuid", "subgid"):
        node.run("mv", f"/etc/{name}.kept", f"/etc/{name}")


def test_an_ordinary_users_podman_runs_what_saves_itself_and_its_files_are_that_users(
    rootless: Callable[..., str],
) -> None:
    said = rootless(
        *(IDLEQ, "try", "--image", "tiny", "--runtime", "podman", "--json", "--"),
        *("/bin/sh", "-c", SAVES_ITSELF),
    )

    told = json.loads(said)
    assert [(one["way"], one["works"]) for one in told["tried"]] == [("criu", False), ("app", True)]
    assert told["advice"] == "app"
