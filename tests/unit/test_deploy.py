"""What deploy/ gives a site is whole, safe, and says why."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path

import pytest

from idleq.scheduler.core.policy import SECOND, Policy
from idleq.scheduler.errors import BadConfig, DaemonRunning, Superseded
from idleq.scheduler.slurm.errors import SlurmHidesJobs
from testbed.slurmconf import GRACE_SECONDS, slurm_conf

Call = Callable[..., "subprocess.CompletedProcess[str]"]
DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_file_says_what_it_is_and_why(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    reasons = [line for line in lines if line.startswith("# ")]
    assert lines[0].startswith("# ") or lines[1].startswith("# ")
    assert 3 * len(reasons) >= len(lines) / 2


def unit() -> RawConfigParser:
    parser = RawConfigParser(strict=True, comment_prefixes="#", delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys of systemd are in mixed case
    parser.read_string((DEPLOY / "idleq.service").read_text(encoding="utf-8"))
    return parser


def test_the_unit_does_not_start_a_daemon_again_where_that_cannot_help() -> None:
    service = unit()["Service"]
    hopeless = {DaemonRunning.exit_code, BadConfig.exit_code, Superseded.exit_code, SlurmHidesJobs.exit_code}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == hopeless
    assert (service["Restart"], service["User"]) == ("on-failure", "%i")
    assert service["ExecStart"].split()[1:] == ["daemon", "run"]


def test_a_slurm_that_comes_up_late_is_waited_for_without_end_and_a_restart_is_within_the_lease() -> None:
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"
    assert 2 * int(unit()["Service"]["RestartSec"]) * SECOND < Policy().lease_ms


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here: the test above has parsed it")
    here = tmp_path / "idleq@root.service"
    here.write_text((DEPLOY / "idleq.service").read_text(encoding="utf-8").replace("/opt/idleq/bin/idleq", "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)], capture_output=True, text=True, check=False
    )
    assert [line for line in said.stderr.splitlines() if "idleq@" in line] == []


def test_the_lines_for_slurm_are_those_that_the_test_cluster_runs_with() -> None:
    given = [
        line for line in (DEPLOY / "slurm.conf").read_text(encoding="utf-8").splitlines() if line[:1] not in {"", "#"}
    ]
    assert set(given) <= set(slurm_conf({"n1": "10.0.0.1"}).splitlines())
    assert f"GraceTime={GRACE_SECONDS} " in given[-1]


def test_the_lines_for_slurm_change_no_partition_of_a_sites_own_and_need_no_key() -> None:
    given = [line for line in (DEPLOY / "slurm.conf").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]

    assert [line.split(" ")[0] for line in given if line.startswith("PartitionName")] == ["PartitionName=guests"]
    assert "jwt" not in "".join(given)


def test_the_line_for_sudo_gives_one_command_and_no_argument() -> None:
    text = (DEPLOY / "sudoers").read_text(encoding="utf-8")
    rules = [line for line in text.splitlines() if line and not line.startswith(("#", "Defaults"))]
    assert len(rules) == 1
    assert re.fullmatch(r'%idleq ALL=\(root\) NOPASSWD: /usr/local/sbin/idleq-token ""', rules[0])
    if shutil.which("visudo"):
        subprocess.run(["visudo", "-cf", str(DEPLOY / "sudoers")], check=True, capture_output=True)


@pytest.fixture
def token(tmp_path: Path) -> Call:
    """Calls the helper as sudo would, with a scontrol that says how it was called."""
    fake = tmp_path / "scontrol"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)

    def call(user: str | None, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": f"{tmp_path}:{os.defpath}"} | ({} if user is None else {"SUDO_USER": user})
        return subprocess.run(
            [str(DEPLOY / "idleq-token"), *arguments], env=environment, capture_output=True, text=True, check=False
        )

    return call


def test_the_helper_makes_a_token_for_its_caller_and_nobody_else(token: Call) -> None:
    assert token("alice").stdout == "token username=alice lifespan=43200\n"
    for user, arguments in (
        (None, ()),
        ("root", ()),
        ("slurm", ()),
        ("", ()),
        ("a b", ()),
        ("x;id", ()),
        ("alice", ("bob",)),
    ):
        refused = token(user, *arguments)
        assert (refused.returncode, refused.stdout) == (1, ""), (user, arguments)
