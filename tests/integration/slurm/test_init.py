"""`idleq init slurm` with programs that answer as a recorded site's did, and on a real Slurm cluster."""

import getpass
import json
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.config import ServerSettings, SlurmSettings, load_config
from support.command_line import CommandLine
from support.slurm_sites import make_programs
from testbed.cluster import Testbed
from testbed.waiting import wait_for

SERVER = "/shared/home/alice/first"
IDLEQ = ("env", "TERM=dumb", "/shared/venv/bin/idleq", "--server-dir", SERVER)


@pytest.fixture
def idleq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line where Slurm's programs answer as those of the plain site."""
    for name, value in make_programs(tmp_path / "bin", "24.11", "plain", getpass.getuser()).items():
        monkeypatch.setenv(name, value)
    return CommandLine(tmp_path / "server")


def test_the_configuration_is_written_for_its_owner_alone_and_the_daemon_can_read_it(idleq: CommandLine) -> None:
    outcome = idleq("init", "slurm")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "Next: idleq doctor, then idleq daemon start"
    assert 'partition = "guests"' in idleq.paths.config.read_text()
    assert idleq.paths.config.stat().st_mode & 0o777 == 0o600


def test_a_configuration_that_is_there_stays_unless_told(idleq: CommandLine) -> None:
    idleq("init", "slurm")
    idleq.paths.config.write_text("# mine\n")

    refused = idleq("init", "slurm", "--json")

    assert (refused.code, refused.json["error"]["kind"]) == (77, "ConfigThere")
    assert idleq.paths.config.read_text() == "# mine\n"
    assert idleq("init", "slurm", "--force").code == 0
    assert 'partition = "guests"' in idleq.paths.config.read_text()


def test_what_init_has_no_opinion_on_goes_on_to_hold_and_the_former_file_is_kept(idleq: CommandLine) -> None:
    former = """\
[server]
database = "postgresql://db/idleq"
transport = "api"
[policy]
lease = "5m"
grace = "2s"
[cluster]
kind = "slurm"
partition = "old"
rest = "http://login:6820"
"""
    idleq.paths.create()
    idleq.paths.config.write_text(former)

    told = idleq("init", "slurm", "--force", "--json").json

    old = idleq.paths.config.with_name("config.toml.old")
    config = load_config(idleq.paths.config)
    assert (told["kept"], told["former"]) == (["server.database", "policy.lease", "cluster.rest"], str(old))
    assert (old.read_text(), old.stat().st_mode & 0o777) == (former, 0o600)
    assert config.server == ServerSettings(database="postgresql://db/idleq", transport="spool")
    assert (config.policy.lease_ms, config.policy.grace_ms) == (300_000, 15_000)
    assert config.cluster == SlurmSettings(partition="guests", rest="http://login:6820", poll_ms=Millis(1000))

    assert "config.toml.old1; kept of it: server.database" in idleq("init", "slurm", "--force").out
    assert old.read_text() == former


def test_of_another_cluster_and_of_what_cannot_be_read_nothing_is_kept_but_the_file(idleq: CommandLine) -> None:
    idleq.paths.create()
    for former in ("[cluster]\nkind = 'embedded'\nnodes = 9\n", "[cluster\n"):
        idleq.paths.config.write_text(former)

        told = idleq("init", "slurm", "--force", "--json").json

        assert (told["kept"], Path(told["former"]).read_text()) == ([], former)
        assert isinstance(load_config(idleq.paths.config).cluster, SlurmSettings)


def test_a_dry_run_prints_the_file_and_writes_nothing(idleq: CommandLine) -> None:
    printed = idleq("init", "slurm", "--dry-run")
    told = idleq("init", "slurm", "--dry-run", "--json").json

    assert (printed.code, told["text"], told["written"]) == (0, printed.out, False)
    assert not idleq.server_dir.exists()
    assert {setting["key"]: setting["value"] for setting in told["proposal"]["settings"]} == {
        "transport": "spool",
        "mode": "preemptible",
        "grace": "15s",
        "kind": "slurm",
        "partition": "guests",
        "format": "json",
        "poll": "1s",
    }


def test_a_machine_without_slurm_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    outcome = CommandLine(tmp_path / "server")("init", "slurm")

    assert outcome.code == 67
    assert "sinfo cannot be run" in outcome.err
    assert not (tmp_path / "server").exists()


def test_doctor_says_what_the_site_lacks_with_the_lines_for_its_admin(
    idleq: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idleq("init", "slurm")
    for name, value in make_programs(tmp_path / "other", "24.11", "unpreempted", getpass.getuser()).items():
        monkeypatch.setenv(name, value)

    outcome = idleq("doctor")

    assert outcome.code == 1
    heading = "slurm: preemption: the site's admin would set (in slurm.conf, but for what says otherwise)"
    assert f"{heading}\n    PreemptType=preempt/part" in outcome.out
    assert outcome.out.endswith("\nTo be put right: slurm: preemption\n")


@pytest.mark.testbed
@pytest.mark.slow
@pytest.mark.xdist_group("testbed")
def test_on_a_real_cluster_what_is_proposed_runs_guests_at_once(slurm: Testbed) -> None:
    written = json.loads(slurm.login.run(*IDLEQ, "init", "slurm", "--json", user="alice"))
    slurm.login.run(*IDLEQ, "daemon", "start", user="alice", seconds=60)
    try:
        on_login, on_node = (checks(slurm, *where) for where in ((), ("srun", "--partition=guests", "--time=1")))
        slurm.login.run(*IDLEQ, "submit", "count", "--steps", "10", "--step-seconds", "0", user="alice")
        wait_for("the guest to be done", lambda: states(slurm) == ["done"], seconds=120, every=1)
    finally:
        slurm.login.run(*IDLEQ, "daemon", "stop", user="alice")
        slurm.login.run("scancel", "--user=alice")
        slurm.wait_until_idle()
        slurm.login.run("rm", "-r", SERVER)

    assert {each["key"]: each["value"] for each in written["proposal"]["settings"]}["partition"] == "guests"
    assert {health for name, health in on_login.items() if "slurm" in name and "on nodes" not in name} == {"ok"}
    assert {name: health for name, health in on_node.items() if "node" in name} == {
        "node: server directory": "ok",
        "node: python": "ok",
        "node: containment": "ok",
    }


def checks(slurm: Testbed, *where: str) -> dict[str, str]:
    """How each check of `idleq doctor` came out there."""
    said = slurm.login.run(*where, *IDLEQ, "doctor", "--json", user="alice", codes=(0, 1))
    return {check["name"]: check["health"] for check in json.loads(said)["checks"]}


def states(slurm: Testbed) -> list[str]:
    """The states of alice's jobs."""
    return [row["state"] for row in json.loads(slurm.login.run(*IDLEQ, "ps", "--all", "--json", user="alice"))["jobs"]]
