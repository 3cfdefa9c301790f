"""The configuration of the test cluster's Slurm, as a site would have it, only quicker."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CORES, MEMORY_MB = 2, 4000
"""Of a node, whatever this machine has: several nodes share it."""

GUESTS = (Path(__file__).resolve().parents[2] / "deploy" / "slurm.conf").read_text(encoding="utf-8")
"""What a site is told to add for guests, to the letter: this cluster is the proof that it works."""

MAIN = "PartitionName=main Nodes=ALL Default=YES PriorityTier=10 PreemptMode=OFF MaxTime=1-0 State=UP"
"""A partition as the site has it, with the tier that it is told to add."""

GRACE_SECONDS = 15
"""As it says there."""

CLUSTER = "testbed"

CGROUP = """\
CgroupPlugin=autodetect
IgnoreSystemd=yes
ConstrainCores=yes
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
"""

ACCOUNTING = """\
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=/etc/slurm/jwt.key
DbdHost=login
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm
PidFile=/var/spool/slurmctld/slurmdbd.pid
LogFile=/var/spool/slurmctld/slurmdbd.log
"""

WITHOUT_ACCOUNTING = {"AccountingStorageType": "", "AccountingStorageHost": ""}
WITHOUT_TOKENS = {"AuthAltTypes": "", "AuthAltParameters": ""}
"""For roots that have no package for them."""

SLURM = {
    "ClusterName": CLUSTER,
    "SlurmctldHost": "login",
    "SlurmUser": "slurm",
    "AuthType": "auth/munge",
    "AuthAltTypes": "auth/jwt",
    "AuthAltParameters": "jwt_key=/etc/slurm/jwt.key",
    "StateSaveLocation": "/var/spool/slurmctld",
    "SlurmdSpoolDir": "/var/spool/slurmd",
    "SlurmctldLogFile": "/var/spool/slurmctld/log",
    "SlurmdLogFile": "/var/log/slurmd.log",
    "SlurmctldPidFile": "/var/spool/slurmctld/pid",
    "MailProg": "/bin/true",
    "JobAcctGatherType": "jobacct_gather/cgroup",
    "DefMemPerCPU": "500",
    "PriorityType": "priority/basic",
    "SchedulerType": "sched/backfill",
    # Quick, so that a test need not wait: sites have 30 s and 60 s.
    "SchedulerParameters": "bf_interval=2,bf_resolution=10,bf_continue",
    "AccountingStorageType": "accounting_storage/slurmdbd",
    "AccountingStorageHost": "login",
    "ReturnToService": "2",
    "SlurmdTimeout": "10",
    "MessageTimeout": "5",
    "TCPTimeout": "2",
    "KillWait": "5",
    "InactiveLimit": "0",
    "MinJobAge": "300",
    "SlurmdParameters": "config_overrides",
}


def slurm_conf(
    nodes: Mapping[str, str],
    changes: Mapping[str, str] | None = None,
    sizes: Mapping[str, tuple[int, int]] | None = None,
) -> str:
    """Return slurm.conf for compute *nodes* (name to address); *changes* of single keys win, an empty value leaves one out.

    *sizes* has cores and megabytes of nodes that are not like the others.
    """
    partitions = [line for line in _lines(GUESTS) if line.startswith("PartitionName=")]
    for_guests = dict(line.split("=", 1) for line in _lines(GUESTS) if line not in partitions)
    keys = SLURM | for_guests | dict(changes or {})
    lines = [f"{key}={value}" for key, value in keys.items() if value]
    for name, address in nodes.items():
        cores, megabytes = (sizes or {}).get(name, (CORES, MEMORY_MB))
        lines.append(f"NodeName={name} NodeAddr={address} CPUs={cores} RealMemory={megabytes} State=UNKNOWN")
    return "\n".join([*lines, MAIN, *partitions]) + "\n"


def _lines(conf: str) -> Iterator[str]:
    """Yield what is no comment."""
    return (line for line in conf.splitlines() if line and not line.startswith("#"))


def hosts(addresses: Mapping[str, str]) -> str:
    """Return /etc/hosts for all *addresses* (name to address)."""
    return "".join(["127.0.0.1 localhost\n", *(f"{address} {name}\n" for name, address in addresses.items())])


def names(count: int) -> Sequence[str]:
    """Return the names of *count* compute nodes."""
    return [f"n{number}" for number in range(1, count + 1)]
