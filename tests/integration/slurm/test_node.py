"""What else tests want of a node (criu, podman, docker, the workloads' image), run on one that has it."""

import re
from collections.abc import Callable

import pytest

from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.machine import Node

pytestmark = [pytest.mark.testbed, pytest.mark.image, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

PYTHON = "/shared/venv/bin/python"


def pytest_on(node: Node, *words: str, user: str = "root", seconds: float = 280) -> str:
    """What the tests say that *user* runs on *node*, where criu and podman are."""
    argv = ("env", "PYTHONDONTWRITEBYTECODE=1", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", PYTHON, "-m", "pytest", "-q")
    try:
        return node.run(
            *argv, "-n", "0", "-p", "no:cacheprovider", "--rootdir=/shared/idleq", *words, user=user, seconds=seconds
        ).splitlines()[-1]
    except CommandRefused as error:
        pytest.fail(error.said)


def test_every_runtime_that_a_node_has_holds_what_all_of_them_hold(
    with_docker: Testbed, record_property: Callable[[str, object], None]
) -> None:
    files = (f"/shared/idleq/tests/contract/test_{name}.py" for name in ("runtimes", "podman", "docker"))
    said = pytest_on(with_docker.nodes["n1"], *files)
    record_property("summary", said)


def test_the_agent_freezes_and_thaws_by_criu_and_falls_back_where_that_fails(
    with_image: Testbed, record_property: Callable[[str, object], None]
) -> None:
    said = pytest_on(with_image.nodes["n1"], "/shared/idleq/tests/integration/agent/test_freezing.py")
    record_property("summary", said)


def test_what_is_tried_or_drilled_where_criu_is_goes_on_in_an_image_too(
    with_docker: Testbed, record_property: Callable[[str, object], None]
) -> None:
    files = (f"/shared/idleq/tests/integration/agent/test_{name}.py" for name in ("trial", "drill"))
    said = pytest_on(with_docker.nodes["n1"], *files, "-k", "criu or image or processes")
    record_property("summary", said)
    assert "14 passed" in said


@pytest.mark.timeout(600)  # an engine that hangs since a kill is waited for, half a minute each time
def test_kills_around_guests_in_containers_and_under_criu_cost_no_job_and_double_none(
    with_docker: Testbed, record_property: Callable[[str, object], None]
) -> None:
    file = "/shared/idleq/tests/acceptance/faults/test_containers_killed.py"
    said = pytest_on(with_docker.nodes["n1"], file, seconds=560)
    record_property("summary", said)


def test_an_ordinary_user_freezes_plain_processes_as_root_does(
    slurm: Testbed, record_property: Callable[[str, object], None]
) -> None:
    contract = ("/shared/idleq/tests/contract/test_runtimes.py", "-k", "not podman and not docker")
    agent = ("/shared/idleq/tests/integration/agent/test_freezing.py",)
    said = [pytest_on(slurm.nodes["n1"], *words, user="alice") for words in (contract, agent)]
    record_property("summary", "; ".join(said))
    assert all(re.match(r"[1-9]\d* passed, ", one) for one in said), "they are not left out"
