"""What every test may use, and what keeps tests apart from the person who runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer

from support.groups import ByGroup
from testbed.cluster import Testbed
from testbed.session import running, why_skipped

KEPT = {"IDLEQ_TESTBED", "IDLEQ_REQUIRE_TESTBED", "IDLEQ_REQUIRE_POSTGRES", "IDLEQ_POSTGRES_URL", "IDLEQ_SHARED"}
"""Variables that are meant for the tests; all others of ours belong to somebody's real daemon."""

for variable in set(os.environ) - KEPT:
    if variable.startswith("IDLEQ_"):
        del os.environ[variable]

# Machines differ in speed, so no example has a deadline; CI runs the same examples every time.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("testbed") is None:
            continue
        if reason := why_skipped(os.environ, is_root=os.geteuid() == 0):
            item.add_marker(pytest.mark.skip(reason=reason))
        else:
            # The first test that uses the cluster waits for its root file system to be made, if that was never done.
            item.add_marker(pytest.mark.timeout(900))
    # The workloads' image takes minutes to build: where that is done meanwhile, those that need it wait the least if they come last.
    items.sort(key=lambda item: "with_image" in getattr(item, "fixturenames", ()))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup | None:
    return ByGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests have recorded as their "summary"; it comes through from pytest-xdist's workers too."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(f"{report.nodeid}: {value}")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data(repository: Path) -> Path:
    """Real logs and reference schedules, too large for the repository: data/ in $IDLEQ_SHARED, or in a folder beside the checkout."""
    folder = Path(os.environ.get("IDLEQ_SHARED") or repository.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: set IDLEQ_SHARED to where the traces are")
    return folder


@pytest.fixture
def weird_tmp_path(tmp_path: Path) -> Path:
    """A folder whose name breaks whoever builds shell commands or splits at spaces."""
    folder = tmp_path / 'it\'s a "folder" $HOME; é\n#1'
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def slurm() -> Iterator[Testbed]:
    """A real Slurm cluster, up and idle; whoever breaks something in it brings it back."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def with_image(slurm: Testbed) -> Testbed:
    """The cluster, whose nodes have the image of the workloads."""
    slurm.bring_image()
    return slurm


@pytest.fixture(scope="session")
def with_docker(with_image: Testbed) -> Testbed:
    """The cluster, whose nodes have the image and docker's engine."""
    for node in with_image.compute:
        node.run_script("docker.sh")
    return with_image
