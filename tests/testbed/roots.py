"""The root file systems of nodes: made once by recipe/root.sh, kept in the cache, shared by all nodes as their lower layer."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import slurmconf
from testbed.errors import TestbedError

RECIPE = Path(__file__).parent / "recipe"

APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
"""Mounts and processes that a recipe leaves, however it ends, end with it."""

OFFLINE = (*APART, "--net", "--uts", "--ipc")


@dataclass(frozen=True, slots=True)
class Root:
    """What a root file system is made of; another recipe is another root."""

    suite: str
    packages: tuple[str, ...]

    @property
    def has_accounting(self) -> bool:
        """Whether jobs are accounted for in a data base."""
        return "slurmdbd" in self.packages

    @property
    def has_tokens(self) -> bool:
        """Whether users may ask slurmrestd by token."""
        return "slurm-wlm-jwt-plugin" in self.packages

    @property
    def key(self) -> str:
        """Names this root in the cache: changes with the recipe."""
        scripts = [(RECIPE / name).read_bytes() for name in ("root.sh", "accounting.sh")]
        words = "\0".join((self.suite, slurmconf.ACCOUNTING, slurmconf.CLUSTER, *self.packages))
        digest = hashlib.sha256(b"\0".join([*scripts, words.encode()])).hexdigest()
        return f"{self.suite}-{digest[:16]}"


SLURM = ("munge", "slurmctld", "slurmd", "slurm-client", "slurmrestd")
CONTAINERS = ("criu", "docker-cli", "docker.io", "iptables", "podman", "runc")
ACCOUNTING = ("mariadb-server", "slurmdbd")
PYTHON_NEEDS = ("libexpat1", "libffi8", "libreadline8t64", "libsqlite3-0", "libssl3t64", "zlib1g")
"""What the interpreter of the tests, bound into the nodes, finds on the machine that it was built for."""

TRIXIE = Root("trixie", (*SLURM, "slurm-wlm-jwt-plugin", *ACCOUNTING, *CONTAINERS, *PYTHON_NEEDS))
BOOKWORM = Root("bookworm", SLURM)


def cache() -> Path:
    """Return where roots and running clusters are kept, outside any checkout."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "idleq" / "testbed"


def is_made(root: Root) -> bool:
    """Whether the cache has *root*."""
    return _folder_of(root).is_dir()


def log_of(root: Root) -> Path:
    """Return where it can be read how the making of *root* goes."""
    return _folder_of(root).with_suffix(".log")


def _folder_of(root: Root) -> Path:
    return cache() / "roots" / root.key


def find_or_make(root: Root) -> Path:
    """Return the folder of *root*, made first if the cache has none: beside, then renamed, by one maker at a time.

    Raises:
        TestbedError: it could not be made; the message has the end of what the recipe said.
    """
    folder = _folder_of(root)
    if folder.is_dir():
        return folder
    with one_at_a_time(folder.parent):
        if not folder.is_dir():
            _make(root, folder)
            _forget_others(root, folder)
    return folder


def _make(root: Root, folder: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise TestbedError("the test cluster needs debootstrap: apt-get install debootstrap")
    beside, said = folder.with_suffix(".new"), log_of(root)
    shutil.rmtree(beside, ignore_errors=True)
    said.unlink(missing_ok=True)
    run_recipe([*APART, "sh", str(RECIPE / "root.sh"), root.suite, str(beside), *root.packages], said)
    if root.has_accounting:
        conf = folder.with_suffix(".conf")
        conf.write_text(slurmconf.ACCOUNTING)
        run_recipe([*OFFLINE, "sh", str(RECIPE / "accounting.sh"), str(beside), str(conf), slurmconf.CLUSTER], said)
    beside.rename(folder)


def run_recipe(argv: list[str], said: Path) -> None:
    with said.open("ab") as log:
        code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
    if code != 0:
        raise TestbedError(f"{' '.join(argv)!r} ended with {code}:\n{said.read_text(errors='replace')[-2000:]}")


def _forget_others(root: Root, folder: Path) -> None:
    """Remove what older recipes of the same suite have left."""
    for other in folder.parent.glob(f"{root.suite}-*"):
        if other.is_dir() and other != folder:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
