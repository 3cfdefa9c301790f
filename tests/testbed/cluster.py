"""The test cluster: up, down, and what can be done to it in between."""

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from testbed import python, slurmconf
from testbed.cgroups import Groups
from testbed.errors import CommandRefused, TestbedError
from testbed.images import copy_for_docker, copy_for_podman, find_or_make_image
from testbed.machine import Bind, First, Node, Warden
from testbed.roots import TRIXIE, Root, cache, find_or_make
from testbed.waiting import wait_for

LOGIN = "login"
NETWORK = "10.77.0"
"""Exists in the testbed's own network namespaces only."""

SMALL, SMALL_MB = Path("/small"), 24
"""A shared folder that can be filled."""

CONTROLLER = ("--full", "^slurmctld$")
"""Which process it is: `scontrol reconfigure` makes it run itself anew, and its name is that of Debian's file then."""

CHECKOUT = Path(__file__).resolve().parents[2]
USERS = {"alice": 2001, "bob": 2002}


class Testbed:
    """One cluster: *compute* nodes n1, n2, ... and the node login, which has the controller.

    All that exists of it is in its folder and below its warden, so that any process can take it down, also after a crash.
    """

    __test__ = False  # its name begins with Test, and pytest looks for those

    def __init__(self, folder: Path, *, compute: int = 3, root: Root = TRIXIE) -> None:
        self.folder = folder
        names = [LOGIN, *slurmconf.names(compute)]
        self._addresses = {name: f"{NETWORK}.{number}" for number, name in enumerate(names, 10)}
        self.groups = f"idleq-testbed-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
        self._groups = Groups(self.groups)
        self._root = cache() / "roots" / root.key
        self._recipe = root
        self._warden = Warden(folder, self._root)
        self.nodes = {name: self._node(name) for name in names}

    @property
    def login(self) -> Node:
        """Where users are, and Slurm's controller."""
        return self.nodes[LOGIN]

    @property
    def compute(self) -> tuple[Node, ...]:
        """The nodes that work."""
        return tuple(node for name, node in self.nodes.items() if name != LOGIN)

    @property
    def shared(self) -> Path:
        """The folder that all nodes see as /shared."""
        return self.folder / "shared"

    @property
    def images(self) -> Path:
        """Podman's images for all nodes, which see them as /shared/images."""
        return self.shared / "images"

    @property
    def small(self) -> Path:
        """Another such folder, that is full with `SMALL_MB`."""
        return self.folder / "small"

    def is_up(self) -> bool:
        """Whether it was started and lives."""
        return First(self.folder / "warden.pid").pid() is not None

    def up(self) -> None:
        """Start the cluster and wait until every compute node is idle; what an earlier one has left is removed first."""
        self.down()
        find_or_make(self._recipe)
        self._write_folders()
        self._warden.start()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(Node.start, self.nodes.values()))
            starts = [pool.submit(self.login.run_script, "login.sh")]
            starts += [pool.submit(node.run_script, "compute.sh") for node in self.compute]
            for start in starts:
                start.result()
        self.wait_until_idle()

    def bring_image(self) -> None:
        """Let every compute node have the image of the workloads, for podman and for docker; nothing if they have it."""
        if self.images.exists():
            return
        image = find_or_make_image(self._recipe)
        for node in self.compute:
            copy_for_docker(image, self.folder / "nodes" / node.name / "docker")
            node.run_script("containers.sh")
        copy_for_podman(image, self.images)

    def down(self) -> None:
        """Remove every process, mount, namespace, control group and file of it; nothing if there is none."""
        if not self.folder.exists():
            return
        for node in self.nodes.values():
            node.let_die()
        First(self.folder / "warden.pid").kill()
        self._groups.remove()
        subprocess.run(
            ["umount", "--lazy", str(self.small)], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        shutil.rmtree(self.folder)

    def wait_until_idle(self, *, seconds: float = 60) -> None:
        """Wait until Slurm says that every compute node is idle."""
        wait_for("every node to be idle", lambda: set(self.states().values()) == {"idle"}, seconds=seconds, every=0.2)

    def states(self) -> dict[str, str]:
        """Return each compute node's state in sinfo's words; empty while the controller does not answer."""
        try:
            lines = self.login.run("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=main").splitlines()
        except CommandRefused:
            return {}
        return dict(line.split() for line in lines)

    def restart_controller(self) -> None:
        """Restart slurmctld as an admin does."""
        self.stop_controller()
        self.start_controller()

    def stop_controller(self, signal: str = "TERM") -> None:
        """End slurmctld. Killed by "KILL", it forgets what it has heard since it last wrote it down, which may be seconds ago."""
        self.login.run("pkill", f"-{signal}", *CONTROLLER)
        wait_for("slurmctld to end", lambda: not self._is_controller_there(), seconds=30)

    def hang_controller(self) -> None:
        """Let slurmctld answer nobody, and refuse nobody, as one that waits for its disk."""
        self.login.run("pkill", "-STOP", *CONTROLLER)

    def wake_controller(self) -> None:
        """Let it go on, and wait until it answers."""
        self.login.run("pkill", "-CONT", *CONTROLLER)
        wait_for("slurmctld to answer", self.states, seconds=60, every=0.2)

    def _is_controller_there(self) -> bool:
        return self.login.run("pgrep", "--count", *CONTROLLER, codes=(0, 1)).strip() != "0"

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self.login.run("runuser", "-u", "slurm", "--", "slurmctld")
        wait_for("slurmctld to answer", self.states, seconds=30, every=0.2)

    def bring_back(self, name: str) -> None:
        """Start a killed node again, with the disk that it had, and its daemons."""
        node = self.nodes[name]
        node.start()
        node.run_script("login.sh" if name == LOGIN else "compute.sh")

    def configure(self, changes: Mapping[str, str], sizes: Mapping[str, tuple[int, int]] | None = None) -> None:
        """Change keys of slurm.conf, and cores and megabytes of single nodes (none: as it was); have every daemon read it."""
        self._write_slurm_conf(changes, sizes)
        self.login.run("scontrol", "reconfigure")

    def token(self, user: str, *, seconds: int = 3600) -> str:
        """Return a token by which *user* may ask slurmrestd."""
        said = self.login.run("scontrol", "token", f"username={user}", f"lifespan={seconds}")
        return said.strip().removeprefix("SLURM_JWT=")

    def _node(self, name: str) -> Node:
        binds = [
            Bind(self.folder / "slurm", Path("/etc/slurm"), is_writable=True),
            Bind(self.shared, Path("/shared"), is_writable=True),
            Bind(self.small, SMALL, is_writable=True),
            Bind(CHECKOUT, Path("/shared/idleq")),
            Bind(python.packages(), python.PACKAGES),
            Bind(python.base(), python.home()),
        ]
        own = self.folder / "nodes" / name  # an overlay on an overlay is refused: containers get plain folders
        binds += [Bind(own / part, Path("/var/lib") / part, is_writable=True) for part in ("containers", "docker")]
        return Node(
            name,
            self._addresses[name],
            folder=self.folder / "nodes" / name,
            root=self._root,
            warden=self._warden,
            groups=self._groups,
            binds=binds,
        )

    def _write_folders(self) -> None:
        self.folder.mkdir(parents=True)
        self.shared.mkdir()
        self.small.mkdir()
        options = f"mode=1777,size={SMALL_MB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(self.small)], check=True)
        python.make_environment(self.shared / "venv")
        for user, number in USERS.items():
            home = self.shared / "home" / user
            home.mkdir(parents=True)
            os.chown(home, number, number)
        for name, node in self.nodes.items():
            for part in ("containers", "docker"):
                (self.folder / "nodes" / name / part).mkdir(parents=True)
            etc = node.disk / "etc"
            (etc / "profile.d").mkdir(parents=True)
            (etc / "hosts").write_text(slurmconf.hosts(self._addresses))
            (etc / "profile.d" / "idleq.sh").write_text(python.PROFILE)
        self._write_slurm()

    def _write_slurm(self) -> None:
        folder = self.folder / "slurm"
        folder.mkdir()
        owner = _number_of(self._root, "slurm")
        (folder / "cgroup.conf").write_text(slurmconf.CGROUP)
        self._write_slurm_conf({})
        for name, content in (("slurmdbd.conf", slurmconf.ACCOUNTING.encode()), ("jwt.key", secrets.token_bytes(32))):
            path = folder / name
            path.touch(mode=0o600)
            path.write_bytes(content)
            os.chown(path, owner, owner)

    def _write_slurm_conf(self, changes: Mapping[str, str], sizes: Mapping[str, tuple[int, int]] | None = None) -> None:
        lacks = {} if self._recipe.has_accounting else slurmconf.WITHOUT_ACCOUNTING
        lacks |= {} if self._recipe.has_tokens else slurmconf.WITHOUT_TOKENS
        compute = {name: address for name, address in self._addresses.items() if name != LOGIN}
        (self.folder / "slurm" / "slurm.conf").write_text(slurmconf.slurm_conf(compute, {**lacks, **changes}, sizes))


def _number_of(root: Path, user: str) -> int:
    """Return the number that *user* has in *root*."""
    for line in (root / "etc" / "passwd").read_text().splitlines():
        name, _, number, *_ = line.split(":")
        if name == user:
            return int(number)
    raise TestbedError(f"{root} has no user {user}")
