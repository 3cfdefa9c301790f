"""What can be done on this machine, honestly: what works, what does not, and why."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from idleq.migration import criu, enclosed
from idleq.migration.enclosure import is_root

CGROUPS = Path("/sys/fs/cgroup")

PATIENCE_SECONDS = 20

USERS_ADVICE = "; for an ordinary user it takes user namespaces (sysctl user.max_user_namespaces; Ubuntu: kernel.apparmor_restrict_unprivileged_userns)"

_GROUPS_AND_RUNTIME = re.compile(r"^(cgroupfs|systemd|disabled) (\S+)$", re.MULTILINE)
_WORD_WITH_DIGITS = re.compile(r"\d[\w.+~-]*")


def find(name: str) -> str | None:
    """Return where the program *name* is."""
    return enclosed.find_criu() if name == "criu" else shutil.which(name)


def ask(argv: Sequence[str]) -> str:
    """Return what *argv* prints, errors too; empty if it cannot be run."""
    try:
        ran = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout + ran.stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is looked at.

    Attributes:
        find: tells where a program is.
        ask: tells what a program prints.
        why_no_namespaces: tells why none can be made for a guest; empty if they can.
        is_root: whether this is root.
        release: the kernel's.
        cgroups: where control groups are mounted.
    """

    find: Callable[[str], str | None] = find
    ask: Callable[[Sequence[str]], str] = ask
    why_no_namespaces: Callable[[], str] = enclosed.why_not
    is_root: bool = field(default_factory=is_root)
    release: str = field(default_factory=lambda: os.uname().release)
    cgroups: Path = CGROUPS


@dataclass(frozen=True, slots=True)
class Capability:
    """One line of what `idleq doctor` prints about freezing and thawing here."""

    name: str
    works: bool
    detail: str


def probe(machine: Machine | None = None) -> tuple[Capability, ...]:
    """Return what can be done here."""
    return tuple(_lines(machine or Machine()))


def why_no_criu(machine: Machine | None = None) -> str:
    """Return why plain processes cannot be frozen from outside here; empty if they can."""
    found = _criu(machine or Machine())
    return "" if found.works else found.detail


def can_docker_freeze(machine: Machine | None = None) -> bool:
    """Whether docker's engine here freezes containers; by default it does not."""
    asked = machine or Machine()
    path = asked.find("docker")
    return path is not None and _engine_of_docker(asked, path)[1]


def criu_version(machine: Machine | None = None) -> str:
    """Return the version of the criu that can freeze here; empty if none can."""
    found = _criu(machine or Machine())
    return found.detail.partition(":")[0] if found.works else ""


def _lines(machine: Machine) -> Iterator[Capability]:
    yield Capability("process", works=True, detail="ordinary processes, each in a session of its own")
    yield Capability("app", works=True, detail="jobs that save themselves on a signal (the workload contract)")
    yield _criu(machine)
    yield _podman(machine)
    yield _docker(machine)
    version = "v2" if (machine.cgroups / "cgroup.controllers").exists() else "v1"
    there = machine.cgroups.exists()
    yield Capability("cgroups", works=there, detail=version if there else f"not mounted at {machine.cgroups}")


def _podman(machine: Machine) -> Capability:
    path = machine.find("podman")
    if path is None:
        return Capability("podman", works=False, detail="not found: images need podman or docker")
    version = _WORD_WITH_DIGITS.search(machine.ask([path, "--version"]))
    said = machine.ask([path, "info", "--format", "{{.Host.CgroupManager}} {{.Host.OCIRuntime.Name}}"])
    answer = _GROUPS_AND_RUNTIME.search(said)
    if answer is None:
        why = said.strip().splitlines()[-1].removeprefix("Error: ") if said.strip() else "it says nothing"
        return Capability("podman", works=False, detail=f"found at {path}, but it does not work: {why}")
    manager, runtime = answer.groups()
    whose = "rootful" if machine.is_root else "rootless: its containers must save themselves (app)"
    detail = f"{version[0] if version else 'of unknown version'}, {whose}; {manager} control groups, {runtime}"
    return Capability("podman", works=True, detail=detail)


def _docker(machine: Machine) -> Capability:
    path = machine.find("docker")
    if path is None:
        return Capability("docker", works=False, detail="not found: images need podman or docker")
    version, freezes = _engine_of_docker(machine, path)
    if not version:
        return Capability("docker", works=False, detail=f"found at {path}, but no engine answers")
    detail = version if freezes else f"{version}; it freezes nothing until experimental is true in its daemon.json"
    return Capability("docker", works=True, detail=detail)


def _engine_of_docker(machine: Machine, path: str) -> tuple[str, bool]:
    """Return its version, empty if it does not answer, and whether it freezes."""
    said = machine.ask([path, "version", "--format", "{{.Server.Version}} {{.Server.Experimental}}"]).split()
    return (said[0], said[-1] == "true") if said and said[0][:1].isdigit() else ("", False)


def _criu(machine: Machine) -> Capability:
    path = machine.find("criu")
    if path is None:
        return Capability("criu", works=False, detail="not found: without it jobs must save themselves (app)")
    version = criu.version_of(machine.ask([path, "--version"]))
    if version is None:
        return Capability("criu", works=False, detail=f"{path} does not say its version")
    name = ".".join(map(str, version))
    if too_old := criu.why_too_old(version, machine.release, is_root=machine.is_root):
        return Capability("criu", works=False, detail=f"{name} {too_old}")
    if why := machine.why_no_namespaces():
        return Capability("criu", works=False, detail=f"{name}, but {why}{'' if machine.is_root else USERS_ADVICE}")
    whose = "" if machine.is_root else ", without root"
    return Capability(
        "criu", works=True, detail=f"{name}: plain processes are frozen from outside{whose} (--freeze criu)"
    )
