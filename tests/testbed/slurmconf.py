"""The configuration of the test cluster's Slurm, as a site would have it, only quicker."""

from collections.abc import Mapping, Sequence

CORES, MEMORY_MB = 2, 4000
"""Of a node, whatever this machine has: several nodes share it."""

GRACE_SECONDS = 15
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
    "ProctrackType": "proctrack/cgroup",
    "TaskPlugin": "task/cgroup,task/affinity",
    "JobAcctGatherType": "jobacct_gather/cgroup",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core_Memory",
    "DefMemPerCPU": "500",
    "PriorityType": "priority/basic",
    "PreemptType": "preempt/partition_prio",
    "PreemptMode": "REQUEUE",
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


def slurm_conf(nodes: Mapping[str, str], changes: Mapping[str, str] | None = None) -> str:
    """Return slurm.conf for compute *nodes* (name to address); *changes* of single keys win, an empty value leaves one out."""
    keys = SLURM | dict(changes or {})
    names = ",".join(nodes)
    lines = [f"{key}={value}" for key, value in keys.items() if value]
    lines += [
        f"NodeName={name} NodeAddr={address} CPUs={CORES} RealMemory={MEMORY_MB} State=UNKNOWN"
        for name, address in nodes.items()
    ]
    lines += [
        f"PartitionName=main Nodes={names} Default=YES PriorityTier=10 PreemptMode=OFF MaxTime=1-0 State=UP",
        f"PartitionName=guests Nodes={names} PriorityTier=1 PreemptMode=REQUEUE GraceTime={GRACE_SECONDS} MaxTime=1-0 State=UP",
    ]
    return "\n".join(lines) + "\n"


def hosts(addresses: Mapping[str, str]) -> str:
    """Return /etc/hosts for all *addresses* (name to address)."""
    return "".join(["127.0.0.1 localhost\n", *(f"{address} {name}\n" for name, address in addresses.items())])


def names(count: int) -> Sequence[str]:
    """Return the names of *count* compute nodes."""
    return [f"n{number}" for number in range(1, count + 1)]
