"""What doctor says about this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from idleq.migration.capabilities import USERS_ADVICE, Capability, Machine, criu_version, probe, why_no_criu

PLACES = {"criu": "/usr/sbin/criu", "podman": "/usr/bin/podman"}


def machine(version: str, **differences: Any) -> Machine:
    """A node with that criu and no docker."""
    said = {
        "/usr/sbin/criu": f"Version: {version}\n",
        "/usr/bin/podman --version": "podman version 5.4.2\n",
        "/usr/bin/podman info": "cgroupfs runc\n",
        "/usr/bin/docker version": "26.1.5+dfsg1 true\n",
    }

    def ask(argv: Sequence[str]) -> str:
        words = " ".join(argv)
        return next((text for begin, text in said.items() if words.startswith(begin)), "")

    known = {"find": PLACES.get, "ask": ask, "why_no_namespaces": str, "is_root": True, "release": "6.18.44"}
    return Machine(**{**known, "cgroups": Path("/nowhere"), **differences})


def test_a_node_with_criu_can_freeze_plain_processes() -> None:
    assert probe(machine("4.1.1")) == (
        Capability("process", True, "ordinary processes, each in a session of its own"),
        Capability("app", True, "jobs that save themselves on a signal (the workload contract)"),
        Capability("criu", True, "4.1: plain processes are frozen from outside (--freeze criu)"),
        Capability("podman", True, "5.4.2, rootful; cgroupfs control groups, runc"),
        Capability("docker", False, "not found: images need podman or docker"),
        Capability("cgroups", False, "not mounted at /nowhere"),
    )


def test_an_ordinary_user_freezes_them_too() -> None:
    said = "4.1: plain processes are frozen from outside, without root (--freeze criu)"
    assert line("criu", machine("4.1.1", is_root=False)) == Capability("criu", True, said)


@pytest.mark.parametrize(
    ("looked_at", "why"),
    [
        (
            machine("3.17.1"),
            "3.17 does not know the vDSO of the kernel 6.18.44: install 4.1 or newer",
        ),
        (
            machine("3.17.1", is_root=False, release="6.1.0"),
            "3.17 cannot freeze for an ordinary user: install 3.19 or newer",
        ),
        (
            machine("4.1.1", is_root=False, why_no_namespaces=lambda: "unshare: No space left on device"),
            f"4.1, but unshare: No space left on device{USERS_ADVICE}",
        ),
        (
            machine("4.1.1", why_no_namespaces=lambda: "unshare: Operation not permitted"),
            "4.1, but unshare: Operation not permitted",
        ),
        (machine("4.1.1", find={}.get), "not found: without it jobs must save themselves (app)"),
        (machine("of another kind"), "/usr/sbin/criu does not say its version"),
    ],
)
def test_where_criu_cannot_be_used_the_reason_is_said(looked_at: Machine, why: str) -> None:
    assert [line.detail for line in probe(looked_at) if line.name == "criu" and not line.works] == [why]
    assert why_no_criu(looked_at)


def line(name: str, looked_at: Machine) -> Capability:
    return next(one for one in probe(looked_at) if one.name == name)


def test_docker_freezes_where_its_engine_is_experimental() -> None:
    there = {"docker": "/usr/bin/docker"}.get
    assert line("docker", machine("4.1.1", find=there)) == Capability("docker", True, "26.1.5+dfsg1")
    plain = machine("4.1.1", find=there, ask=lambda _: "27.0.1 false\n")
    advice = "27.0.1; it freezes nothing until experimental is true in its daemon.json"
    assert line("docker", plain) == Capability("docker", True, advice)
    away = machine("4.1.1", find=there, ask=lambda _: "Cannot connect to the Docker daemon\n")
    assert line("docker", away) == Capability("docker", False, "found at /usr/bin/docker, but no engine answers")


def test_podman_of_an_ordinary_user_runs_what_saves_itself() -> None:
    said = "5.4.2, rootless: its containers must save themselves (app); cgroupfs control groups, runc"
    assert line("podman", machine("4.1.1", is_root=False)) == Capability("podman", True, said)
    assert not line("podman", machine("4.1.1", find={}.get)).works


def test_a_podman_that_does_not_work_is_not_taken_at_its_words() -> None:
    words = 'level=warning msg="in control groups, $PATH"\nError: command required for rootless mode: newuidmap\n'
    broken = line("podman", machine("4.1.1", ask=lambda _: words))
    assert broken == Capability(
        "podman", False, "found at /usr/bin/podman, but it does not work: command required for rootless mode: newuidmap"
    )


def test_an_older_kernel_does_with_an_older_criu() -> None:
    assert not why_no_criu(machine("3.17.1", release="6.1.0-28-amd64"))
    assert criu_version(machine("3.17.1", release="6.1.0-28-amd64")) == "3.17"
    assert criu_version(machine("3.17.1")) == ""


@pytest.mark.parametrize(("files", "version"), [(("cgroup.controllers",), "v2"), ((), "v1")])
def test_the_version_of_control_groups_is_said(tmp_path: Path, files: Sequence[str], version: str) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert probe(machine("4.1.1", cgroups=tmp_path))[-1] == Capability("cgroups", True, version)
