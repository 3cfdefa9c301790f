"""Record what Slurm's commands say of a cluster: python -m testbed.record [SUITE [STATE...]] writes tests/data/slurm."""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from idleq.scheduler.slurm import questions
from idleq.scheduler.slurm.questions import Format
from testbed.cluster import CHECKOUT, Testbed
from testbed.errors import CommandRefused
from testbed.roots import BOOKWORM, TRIXIE, Root
from testbed.session import running
from testbed.waiting import wait_for

DATA = CHECKOUT / "tests" / "data" / "slurm"
EPOCH = ("env", *(f"{name}={value}" for name, value in questions.ENVIRONMENT.items()))
EPILOG = "#!/bin/sh\nwhile [ -e /shared/slow-epilog ]; do sleep 0.2; done\n"

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "jobs.json": tuple(questions.ask_jobs(Format.JSON)),
    "nodes.json": tuple(questions.ask_nodes(Format.JSON)),
    "reservations.json": tuple(questions.ask_reservations(Format.JSON)),
    "sdiag.json": tuple(questions.ask_scheduler(Format.JSON)),
    "sinfo.json": ("sinfo", "--json"),
    "sacct.json": ("sacct", "--json", "--allusers"),
    "jobs.txt": (*EPOCH, *questions.ask_jobs(Format.TEXT)),
    "nodes.txt": (*EPOCH, *questions.ask_nodes(Format.TEXT)),
    "reservations.txt": (*EPOCH, *questions.ask_reservations(Format.TEXT)),
    "sdiag.txt": (*EPOCH, *questions.ask_scheduler(Format.TEXT)),
    "config.txt": tuple(questions.ask_configuration()),
    "partitions.json": ("scontrol", "show", "partitions", "--json"),
    "partitions.txt": tuple(questions.ask_partitions()),
    "qos.txt": tuple(questions.ask_qos()),
    "associations.txt": tuple(questions.ask_associations("alice", "testbed")),
    "features.txt": (*EPOCH, *questions.ask_features()),
    "version.txt": tuple(questions.ask_version()),
}
OF_SITES = {"config.txt", "partitions.json", "partitions.txt", "qos.txt", "associations.txt", "version.txt"}
ONLY_ONCE = {"features.txt", "sacct.json", "sdiag.json", "sdiag.txt", "sinfo.json"} | OF_SITES
"""Recorded in the state `busy` only, and in those that `SPECIAL` names."""

Prepare = Callable[[Testbed], None]


def submit(cluster: Testbed, name: str, *options: str, user: str = "alice", seconds: int = 3000) -> str:
    """Submit a main job (or a guest, with --partition=guests) that sleeps; return its number."""
    argv = (
        "sbatch",
        "--parsable",
        f"--job-name={name}",
        "--output=/dev/null",
        "--chdir=/",
        *options,
        f"--wrap=sleep {seconds}",
    )
    return cluster.login.run(*argv, user=user).strip()


def idle(cluster: Testbed) -> None:
    """Nothing runs."""
    cluster.wait_until_idle()


def busy(cluster: Testbed) -> None:
    """Jobs run on whole nodes and on parts, a wide one waits with a plan, others wait for other reasons; a maintenance is announced."""
    submit(cluster, "whole", "--nodelist=n1", "--exclusive", "--time=30")
    submit(cluster, "part", "--nodelist=n2", "--ntasks=1", "--mem=1000", "--time=40", user="bob")
    submit(
        cluster,
        "guest",
        "--partition=guests",
        "--comment=idleq:a1",
        "--nodelist=n2",
        "--ntasks=1",
        "--time=10",
        "--no-requeue",
    )
    waiting = submit(cluster, "wide", "--nodes=3", "--exclusive", "--time=20")
    submit(cluster, "tasks", "--array=0-3%2", "--ntasks=1", "--time=50", "--begin=now+1hour")
    submit(cluster, "after", f"--dependency=afterok:{waiting}")
    submit(cluster, "held", "--hold")
    reserve(cluster, "Nodes=n3", "StartTime=now+120minutes", "Duration=60")
    wait_for("the guest to run", lambda: "RUNNING|guests" in said(cluster, "jobs.txt"), seconds=60, every=0.5)
    wait_for("a plan for the wide job", lambda: "|n[1-3]|" in said(cluster, "jobs.txt"), seconds=60, every=0.5)


def maintenance(cluster: Testbed) -> None:
    """A reservation holds n3 now."""
    reserve(cluster, "Nodes=n3", "StartTime=now", "Duration=60")
    wait_for("it to begin", lambda: "maint" in cluster.states().get("n3", ""), seconds=30, every=0.5)


def drained(cluster: Testbed) -> None:
    """n1 is drained, n2 is draining: a job still runs there."""
    submit(cluster, "last", "--nodelist=n2", "--time=30")
    wait_for("the job to run", lambda: "RUNNING" in said(cluster, "jobs.txt"), seconds=30)
    for node in ("n1", "n2"):
        cluster.login.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=disk | swap")


def completing(cluster: Testbed) -> None:
    """A job is over on n1, its epilog is not."""
    (cluster.shared / "slow-epilog").touch()
    job = submit(cluster, "over", "--nodelist=n1")
    wait_for("the job to run", lambda: "RUNNING" in said(cluster, "jobs.txt"), seconds=30)
    cluster.login.run("scancel", job)
    wait_for("it to complete", lambda: "completing" in cluster.states().values(), seconds=30)


def down(cluster: Testbed) -> None:
    """n1 does not answer, n3 is powered down."""
    cluster.nodes["n1"].kill()
    cluster.configure(POWER)
    cluster.login.run("scontrol", "update", "NodeName=n3", "State=POWER_DOWN")
    wait_for("nodes to be known again", lambda: cluster.states().get("n2") == "idle", seconds=30)
    wait_for("n1 to be missed", lambda: "down" in cluster.states()["n1"], seconds=120, every=1)
    wait_for(
        "n3 to be off", lambda: "~" in cluster.states()["n3"] or "power" in cluster.states()["n3"], seconds=60, every=1
    )


def hidden(cluster: Testbed) -> None:
    """The site shows users their own jobs only, and alice, who asks, has none."""
    submit(cluster, "secret", "--nodelist=n2", "--exclusive", "--time=30", user="bob")
    wait_for("the job to run", lambda: cluster.states()["n2"] == "allocated", seconds=30)
    cluster.configure({"PrivateData": "jobs,reservations"} | BASE)
    told = {"n1": "idle", "n2": "allocated", "n3": "idle"}
    wait_for("nodes to be known again", lambda: cluster.states() == told, seconds=30)


def suspended(cluster: Testbed) -> None:
    """An admin has suspended the job on n1: its cores count as free, its memory does not."""
    job = submit(cluster, "stopped", "--nodelist=n1", "--exclusive", "--mem=1000", "--time=30")
    wait_for("the job to run", lambda: "RUNNING" in said(cluster, "jobs.txt"), seconds=30)
    cluster.login.run("scontrol", "suspend", job)
    wait_for("it to stop", lambda: "SUSPENDED" in said(cluster, "jobs.txt"), seconds=30)


def reserved(cluster: Testbed) -> None:
    """A course has n1 now, a flexible reservation n2 in half an hour, one that floats n3 an hour from whenever it is."""
    for words in (
        ("ReservationName=course", "Nodes=n1", "Users=bob", "StartTime=now", "Duration=60"),
        ("ReservationName=flexible", "Nodes=n2", "Users=bob", "StartTime=now+30minutes", "Duration=60", "Flags=FLEX"),
        (
            "ReservationName=floating",
            "Nodes=n3",
            "Users=bob",
            "StartTime=now+60minutes",
            "Duration=60",
            "Flags=TIME_FLOAT",
        ),
    ):
        cluster.login.run("scontrol", "create", "reservation", *words)
    wait_for("the course to begin", lambda: "reserved" in cluster.states().get("n1", ""), seconds=30, every=0.5)


def closed(cluster: Testbed) -> None:
    """The guests' partition takes jobs and starts none, the main one is down."""
    cluster.login.run("scontrol", "update", "PartitionName=guests", "State=INACTIVE")
    cluster.login.run("scontrol", "update", "PartitionName=main", "State=DOWN")  # what runs goes on; nothing starts


def unlike(cluster: Testbed) -> None:
    """n1 has features, n2 two GPUs of which a job has one, n3 neither."""
    for name in ("gpu0", "gpu1"):  # slurmd wants to see devices, and does not look what they are
        (cluster.shared / name).touch()
    gres = "NodeName=n2 Name=gpu Type=a100 File=/shared/gpu[0-1]\n"
    (cluster.folder / "slurm" / "gres.conf").write_text(gres)
    cluster.configure(BASE | {"GresTypes": "gpu"})
    conf = cluster.folder / "slurm" / "slurm.conf"
    text = conf.read_text()
    for name, words in (("n1", "Feature=avx2,bigmem"), ("n2", "Feature=avx2 Gres=gpu:a100:2")):
        text = text.replace(f"NodeName={name} ", f"NodeName={name} {words} ")
    conf.write_text(text)
    cluster.login.run("scontrol", "reconfigure")
    wait_for("nodes to be idle again", lambda: cluster.states().get("n2") == "idle", seconds=60)
    submit(cluster, "one-gpu", "--nodelist=n2", "--ntasks=1", "--mem=500", "--gpus=1", "--time=30")
    wait_for("the job to run", lambda: "RUNNING" in said(cluster, "jobs.txt"), seconds=30)


def powering(cluster: Testbed) -> None:
    """n1 is being powered down, n3 up."""
    cluster.configure(POWER | {"SuspendTimeout": "20", "ResumeTimeout": "120"})
    wait_for("nodes to be known again", lambda: set(cluster.states().values()) == {"idle"}, seconds=30)
    cluster.login.run("scontrol", "update", "NodeName=n3", "State=POWER_DOWN")
    wait_for("n3 to be off", lambda: "POWERED_DOWN" in said(cluster, "nodes.txt").upper(), seconds=90, every=0.5)
    cluster.login.run("scontrol", "update", "NodeName=n3", "State=POWER_UP")
    cluster.login.run("scontrol", "update", "NodeName=n1", "State=POWER_DOWN")
    wait_for(
        "both to be on their way", lambda: is_on_its_way(said(cluster, "nodes.txt").upper()), seconds=15, every=0.2
    )


def is_on_its_way(nodes: str) -> bool:
    """Whether one node goes up and another down."""
    return "POWERING_UP" in nodes and "POWERING_DOWN" in nodes


def plain(_cluster: Testbed) -> None:
    """A site that preempts by partitions, as the test cluster does."""


def by_qos(cluster: Testbed) -> None:
    """A site that preempts by QOS and enforces limits; alice may use one that `normal` preempts, and is not charged."""
    for words in (
        ("add", "account", "lab"),
        ("add", "qos", "idleq"),
        (
            "modify",
            "qos",
            "idleq",
            "set",
            "GraceTime=60",
            "UsageFactor=0",
            "MaxSubmitJobsPerUser=8",
            "MaxWall=02:00:00",
        ),
        ("modify", "qos", "normal", "set", "Preempt=idleq"),
        ("add", "user", "alice", "account=lab", "qos=normal,idleq", "defaultqos=normal"),
        ("modify", "user", "alice", "set", "MaxSubmitJobs=100"),
    ):
        cluster.login.run("sacctmgr", "--immediate", *words)
    enforced = {"AccountingStorageEnforce": "associations,limits,qos", "PreemptType": "preempt/qos"}
    cluster.configure(BASE | enforced)
    wait_for("nodes to be known again", lambda: set(cluster.states().values()) == {"idle"}, seconds=30)


def unpreempted(cluster: Testbed) -> None:
    """A site that preempts nobody."""
    cluster.configure(BASE | {"PreemptType": "preempt/none", "PreemptMode": "OFF"})
    wait_for("nodes to be known again", lambda: set(cluster.states().values()) == {"idle"}, seconds=30)


BASE = {"Epilog": "/etc/slurm/epilog.sh"}
POWER = BASE | {
    "SuspendProgram": "/bin/true",
    "ResumeProgram": "/bin/true",
    "SuspendTimeout": "1",
    "SuspendTime": "100000",
}
STATES: Mapping[str, Prepare] = {
    state.__name__: state
    for state in (
        *(idle, busy, maintenance, drained, completing, suspended, reserved, closed),
        *(plain, unpreempted, unlike, by_qos, powering, hidden, down),
    )
}
SITES = {"plain", "by_qos", "unpreempted"}
"""Recorded for how they are set up."""

SPECIAL: Mapping[str, set[str]] = dict.fromkeys(SITES, OF_SITES) | {
    "hidden": {"config.txt"},
    "unlike": {"features.txt"},
    "closed": {"partitions.json", "partitions.txt"},
}
BREAKING = {"powering", "down"}
"""Nodes do not come back from these by themselves: each is recorded of a cluster of its own."""


def reserve(cluster: Testbed, *options: str) -> None:
    """Announce a maintenance."""
    fixed = ("ReservationName=upkeep", "Users=root", "Flags=MAINT,IGNORE_JOBS")
    cluster.login.run("scontrol", "create", "reservation", *fixed, *options)


def said(cluster: Testbed, name: str) -> str:
    """Return what the command of that recording says now, to alice."""
    return cluster.login.run(*COMMANDS[name], user="alice")


def clean_up(cluster: Testbed) -> None:
    """Let nothing run, no reservation be left, and everything be set as it was."""
    (cluster.shared / "slow-epilog").unlink(missing_ok=True)
    (cluster.folder / "slurm" / "gres.conf").unlink(missing_ok=True)
    cluster.configure(BASE)
    for user in ("alice", "bob"):
        cluster.login.run("scancel", f"--user={user}")
    changes: list[tuple[str, ...]] = [
        ("delete", f"ReservationName={name}") for name in ("upkeep", "course", "flexible", "floating")
    ]
    changes += [("update", f"NodeName={node}", "State=RESUME") for node in ("n1", "n2")]
    changes += [("update", f"PartitionName={name}", "State=UP") for name in ("guests", "main")]
    for change in changes:
        with contextlib.suppress(CommandRefused):
            cluster.login.run("scontrol", *change)
    wait_for("the queue to be empty", lambda: not said(cluster, "jobs.txt"), seconds=120, every=0.5)
    cluster.wait_until_idle(seconds=120)


def record(cluster: Testbed, folder: Path, state: str) -> None:
    """Write what every command says now."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recorded.json").write_text(json.dumps({"at": int(cluster.login.run("date", "+%s"))}) + "\n")
    for name in COMMANDS:
        if name in ONLY_ONCE - SPECIAL.get(state, set()) and state != "busy":
            continue
        try:
            text = said(cluster, name)
        except CommandRefused as error:
            print(f"{folder.name}: no {name}: {error.said.strip()[:100]}")
            continue
        (folder / name).write_text(compact(text) if name.endswith(".json") else text)


def compact(text: str) -> str:
    """Return JSON with each record on a line of its own; an answer that is no JSON as it is."""
    try:
        whole = json.loads(text)
    except ValueError:
        return text
    parts = []
    for key, value in whole.items():
        if isinstance(value, list) and value:
            lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in value)
            parts.append(f"{json.dumps(key)}:[\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}")
    return "{" + ",\n".join(parts) + "}\n"


def record_all(root: Root, wanted: Sequence[str]) -> None:
    """Record the *wanted* states of clusters made of *root*."""
    lasting = [name for name in wanted if name not in BREAKING]
    for names in filter(None, [lasting, *([name] for name in wanted if name in BREAKING)]):
        with running(root=root) as cluster:
            epilog = cluster.folder / "slurm" / "epilog.sh"
            epilog.write_text(EPILOG)
            epilog.chmod(0o755)
            cluster.configure(BASE)
            version = ".".join(cluster.login.run("sinfo", "--version").split()[-1].split(".")[:2])
            for name in names:
                record_one(cluster, DATA / version / name, name)


def record_one(cluster: Testbed, folder: Path, name: str) -> None:
    """Record one state, unless this Slurm cannot come into it."""
    try:
        STATES[name](cluster)
    except CommandRefused as error:
        print(f"{folder.parent.name}: not {name}: {error.said.strip()[:100]}")
    else:
        record(cluster, folder, name)
    if name not in BREAKING:
        clean_up(cluster)


if __name__ == "__main__":
    roots = {root.suite: root for root in (TRIXIE, BOOKWORM)}
    suite, *states = sys.argv[1:] or [""]
    for each in [suite] if suite else roots:
        record_all(roots[each], states or list(STATES))
