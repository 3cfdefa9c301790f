import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs

from idleq.cli.checks import Check, Health
from idleq.cli.client import Client
from idleq.cli.session import Session
from idleq.cli.slurmchecks import control_group, hosts, kind_at, on_a_node, seen_by_nodes
from idleq.ids import NodeName
from idleq.scheduler.config import Config, SlurmSettings
from idleq.scheduler.errors import DaemonAway
from idleq.scheduler.paths import ServerPaths
from support.command_line import FREE_NODE, NOW, CommandLine, FakeWire

MOUNTS = {Path("/"): "ext4", Path("/home"): "nfs4", Path("/home/me/disk"): "xfs"}


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/home/me/q", "nfs4"), ("/home/me/disk/q", "xfs"), ("/home/me/disk", "xfs"), ("/homely", "ext4")],
)
def test_a_place_is_on_the_nearest_file_system_above_it(place: str, kind: str) -> None:
    assert kind_at(Path(place), MOUNTS) == kind


@pytest.mark.parametrize(
    ("root", "mounts", "health", "found"),
    [
        ("/home/me/q", MOUNTS, Health.OK, "/home/me/q is on nfs4"),
        ("/var/q", MOUNTS, Health.WARNING, "/var/q is on ext4, which nodes may not see"),
        ("/var/q", {}, Health.WARNING, "/var/q is on an unknown file system, which nodes may not see"),
    ],
)
def test_only_a_node_can_say_what_it_sees_so_how_to_ask_one_is_said(
    root: str, mounts: Mapping[Path, str], health: Health, found: str
) -> None:
    first = next(iter(seen_by_nodes(Config(), SlurmSettings(partition="guests"), Path(root), mounts)))

    ask = f"srun --partition=guests --ntasks=1 --time=1 {sys.executable} -m idleq --server-dir {root} doctor"
    advice = f"to be sure ask a node, which takes an allocation: {ask}"
    assert first == Check(name="slurm: server directory on nodes", health=health, found=found, advice=advice)


def session_of(server_dir: Path, wire: FakeWire | None) -> Session:
    """A call in *server_dir*, whose daemon answers by *wire*; None if there is none."""

    def connect(_paths: ServerPaths) -> Client:
        if wire is None:
            raise DaemonAway("no daemon serves it")
        return Client(wire)

    return Session(environment={}, now=lambda: NOW, connect=connect, server_dir=server_dir)


def test_nodes_on_which_agents_came_up_are_well_and_how_to_ask_others_is_said(tmp_path: Path) -> None:
    nodes = [structs.replace(FREE_NODE, name=NodeName(f"n{number}"), has_hosted=number != 2) for number in range(1, 7)]
    known = hosts(session_of(tmp_path / "server", FakeWire(node_rows=tuple(nodes))))

    checks = list(seen_by_nodes(Config(), SlurmSettings(partition="guests"), Path("/var/q"), {}, known))

    found = "agents came up on n1, n3, n4 and 2 more: these nodes see what the daemon's agents need"
    ask = f"srun --partition=guests --ntasks=1 --time=1 {sys.executable} -m idleq --server-dir /var/q doctor"
    advice = f"to be sure of another ask it, which takes an allocation: {ask}"
    assert checks == [
        Check(name="slurm: server directory on nodes", health=Health.OK, found=found, advice=advice),
        Check(name="slurm: python on nodes", health=Health.OK, found=found, advice=advice),
    ]


def test_without_a_daemon_no_node_is_known(tmp_path: Path) -> None:
    assert hosts(session_of(tmp_path / "server", None)) == ()


def test_a_node_that_does_not_see_the_server_directory_is_a_problem(tmp_path: Path) -> None:
    told = {check.name: check.health for check in on_a_node({}, tmp_path / "gone", tmp_path / "no-group")}

    assert told == {
        "node: server directory": Health.PROBLEM,
        "node: python": Health.OK,
        "node: containment": Health.WARNING,
    }


def test_a_process_in_its_allocations_group_is_contained() -> None:
    inside = control_group("0::/system.slice/slurmstepd.scope/job_7/step_0/user/task_0\n", version=2)

    assert (inside.health, inside.found) == (Health.OK, "cgroup v2, in the allocation's group")
    assert control_group("0::/user.slice\n", version=1).lines == ("ProctrackType=proctrack/cgroup",)


def test_a_configuration_that_cannot_be_read_is_a_problem(idleq: CommandLine) -> None:
    idleq.paths.create()
    idleq.paths.config.write_text("[cluster]\nkind = 'slum'\n")

    outcome = idleq("doctor", "--json")

    assert outcome.code == 1
    assert [check["name"] for check in outcome.json["checks"] if check["health"] == "problem"] == ["configuration"]


def test_inside_an_allocation_the_node_is_looked_at_and_no_daemon_is_missed(idleq: CommandLine) -> None:
    idleq.environment |= {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}
    idleq.paths.create()
    idleq.paths.config.write_text("[cluster]\nkind = 'slurm'\n")

    checks = {check["name"]: check["found"] for check in idleq("doctor", "--json").json["checks"]}

    assert checks["node: server directory"] == f"n1 sees {idleq.server_dir}"
    assert "daemon" not in checks


def test_where_salloc_was_typed_is_no_node(idleq: CommandLine) -> None:
    idleq.environment |= {"SLURM_JOB_ID": "7"}
    idleq.paths.create()
    idleq.paths.config.write_text("[cluster]\nkind = 'slurm'\n")

    names = [check["name"] for check in idleq("doctor", "--json").json["checks"]]

    assert "daemon" in names
    assert "node: server directory" not in names


def test_a_node_is_asked_under_the_account_and_qos_that_are_configured() -> None:
    settings = SlurmSettings(partition="main", qos="idleq", account="lab")

    first = next(iter(seen_by_nodes(Config(), settings, Path("/var/q"), {})))

    assert "srun --partition=main --qos=idleq --account=lab --ntasks=1" in first.advice


def test_a_node_that_cannot_read_what_is_configured_is_still_looked_at(idleq: CommandLine) -> None:
    idleq.environment |= {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}

    checks = {check["name"]: check["health"] for check in idleq("doctor", "--json").json["checks"]}

    assert checks["node: server directory"] == "problem"


def test_another_kind_of_cluster_inside_an_allocation_is_no_node(idleq: CommandLine) -> None:
    idleq.environment |= {"SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}
    idleq.paths.create()

    names = [check["name"] for check in idleq("doctor", "--json").json["checks"]]

    assert "daemon" in names
    assert not [name for name in names if name.startswith("node:")]
