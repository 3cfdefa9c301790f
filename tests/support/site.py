"""People of the test cluster who run idleq there, as they would at a site."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from idleq.scheduler.slurm import questions
from idleq.scheduler.slurm.commandline import Output, refusal
from idleq.scheduler.slurm.rest import Fetch
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.machine import Node

IDLEQ = "/shared/venv/bin/idleq"
UNDISTURBED = (
    "cd $(mktemp -d) && /shared/venv/bin/python -m idleq.workloads.cli count"
    " --steps {steps} --step-seconds 0 --seed {seed} --output o >&2 && cat o/result.json"
)

ASK_REST = """
import json, sys, urllib.error, urllib.request
asked = json.load(sys.stdin)
headers = {"X-SLURM-USER-NAME": asked["user"], "X-SLURM-USER-TOKEN": asked["token"], "Content-Type": "application/json"}
request = urllib.request.Request("http://login:6820" + asked["path"], asked["body"].encode() or None, headers, method=asked["method"])
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status)
print(answer.read().decode())
"""


class Person:
    """What *user* types on the login node, or on another *host* that has Slurm's commands.

    *server* is the server directory, and *path* is where commands of idleq are looked for first.
    """

    def __init__(
        self, slurm: Testbed, user: str = "alice", host: Node | None = None, *, server: str = "", path: str = ""
    ) -> None:
        self.slurm, self.user, self.server = slurm, user, server or f"/shared/home/{user}/q"
        self._host = host or slurm.login
        self._before = ("env", "TERM=dumb", *([f"PATH={path}:/usr/sbin:/usr/bin:/sbin:/bin"] if path else []))

    def on(self, host: Node) -> "Person":
        """The same person, with the same server directory, on another machine."""
        return Person(self.slurm, self.user, host, server=self.server)

    def idleq(self, *words: str, seconds: float = 120) -> str:
        """Type an idleq command; return what it prints."""
        return self.run(*self._before, IDLEQ, "--server-dir", self.server, *words, seconds=seconds)

    def told(self, *words: str) -> Any:
        """Type an idleq command; return its JSON."""
        return json.loads(self.idleq(*words, "--json"))

    def run(self, *command: str, said: str = "", seconds: float = 120) -> str:
        """Type any command; return what it prints."""
        return self._host.run(*command, user=self.user, said=said, seconds=seconds)

    def configure(self, config: str) -> None:
        """Make the server directory, with *config* as its config.toml."""
        self.run("sh", "-c", f"umask 077; mkdir -p {self.server}; cat > {self.server}/config.toml", said=config)

    def read(self, name: str) -> str:
        """Return what a file of the server directory holds."""
        return self.run("cat", f"{self.server}/{name}")

    def is_answered(self) -> bool:
        """Whether this person's daemon answers, and its journal can be written."""
        try:
            self.told("status")
        except CommandRefused:
            return False
        return True

    def count(self, *options: str, steps: int = 300, step_seconds: float = 0.1, seed: int = 0) -> None:
        """Submit a count."""
        self.idleq(
            *("submit", *options, "count", "--steps", str(steps), "--step-seconds", str(step_seconds)),
            *("--seed", str(seed)),
        )

    def rows(self) -> list[dict[str, Any]]:
        """All jobs, as `idleq ps` shows them."""
        rows: list[dict[str, Any]] = self.told("ps", "--all")["jobs"]
        return sorted(rows, key=lambda row: int(row["id"]))

    def states(self) -> list[str]:
        """Each job's state."""
        return [row["state"] for row in self.rows()]

    def result(self, job: int) -> str:
        """The accepted result of a count."""
        return self.read(f"jobs/{job}/result/result.json")

    def held(self, *states: str) -> list[tuple[str, str]]:
        """Names and states of this person's jobs in Slurm; only those in *states* if any are named."""
        argv = ["squeue", "--noheader", f"--user={self.user}", "--format=%j %T"]
        argv += [f"--states={','.join(states)}"] if states else []
        return [(name, state) for name, state in map(str.split, self.slurm.login.run(*argv).splitlines())]


@contextmanager
def serving(slurm: Testbed, config: str, user: str = "alice") -> Iterator[Person]:
    """A person whose daemon runs; nothing is left of it, nor of any job in Slurm, afterwards."""
    person = Person(slurm, user)
    with served(person, config):
        yield person


@contextmanager
def served(person: Person, config: str) -> Iterator[None]:
    """Run *person*'s daemon; nothing is left of it, nor of any job in Slurm, afterwards, also where it did not start."""
    try:
        person.configure(config)
        person.idleq("daemon", "start")
        yield
        person.idleq("daemon", "stop")
    except BaseException as error:
        error.add_note(evidence(person))
        raise
    finally:
        clear(person.slurm, person)


def evidence(person: Person) -> str:
    """What a person would look at where a test of a daemon failed: its jobs, Slurm's view, and the daemon's last words."""
    looked = {
        "sinfo": ("sinfo", "-N", "-O", "NodeList,Partition,StateLong,CPUsState,Memory,AllocMem,Reason"),
        "squeue": (
            "squeue",
            "-O",
            "JobID,Name,UserName,StateCompact,ReasonList,SchedNodes,TimeLimit,NumCPUs,MinMemory",
        ),
        "idleq ps": (IDLEQ, "--server-dir", person.server, "ps", "--all"),
        "the end of daemon.log": ("sh", "-c", f"tail -n 80 {person.server}/*.log"),
    }
    return "\n".join(f"-- {name}\n{_seen(person, command)}" for name, command in looked.items())


def _seen(person: Person, command: Sequence[str]) -> str:
    try:
        return person.slurm.login.run(*command, user=person.user)
    except CommandRefused as error:
        return str(error)


def clear(slurm: Testbed, person: Person) -> None:
    """End all jobs in Slurm and remove the server directory, with a daemon of it that should still live."""
    for node in slurm.nodes.values():
        node.run("pkill", "-KILL", "-u", person.user, "-f", "idleq.*daemon run", codes=(0, 1))
    for user in {"alice", "bob", person.user}:
        slurm.login.run("scancel", f"--user={user}")
    slurm.wait_until_idle()
    slurm.login.run("rm", "-rf", person.server)


def undisturbed(slurm: Testbed, seed: int = 0, steps: int = 300) -> str:
    """The result of a count that nobody froze."""
    return slurm.login.run("sh", "-c", UNDISTURBED.format(steps=steps, seed=seed), user="alice")


def main_job(slurm: Testbed, *options: str, seconds: float, minutes: int = 1) -> str:
    """Submit a main job of bob's on whole nodes; return its number."""
    fixed = ("sbatch", "--parsable", "--exclusive", f"--time={minutes}", "--output=/dev/null", "--chdir=/")
    return slurm.login.run(*fixed, *options, f"--wrap=sleep {seconds}", user="bob").strip()


def accounted(slurm: Testbed, job: str, *fields: str) -> list[str]:
    """What accounting has of *job*, times as seconds since the epoch."""
    argv = ("env", "SLURM_TIME_FORMAT=%s", "sacct", "-X", "-n", "-P", "-j", job, f"--format={','.join(fields)}")
    return slurm.login.run(*argv).strip().split("|")


def fetch_as(slurm: Testbed, user: str, token: Callable[[str], str]) -> Fetch:
    """Asks slurmrestd as *user*, from the login node: nobody else reaches it."""

    def fetch(method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        asked = {"user": user, "token": token(user), "method": method, "path": path, "body": (body or b"").decode()}
        status, _, answer = slurm.login.run("python3", "-c", ASK_REST, user="alice", said=json.dumps(asked)).partition(
            "\n"
        )
        return int(status), answer.encode()

    return fetch


def type_as(slurm: Testbed, user: str) -> Output:
    """Runs Slurm's commands as *user* on the login node."""
    settings = [f"{name}={value}" for name, value in questions.ENVIRONMENT.items()]

    def run(argv: Sequence[str], said: str) -> bytes:
        try:
            return slurm.login.run("env", *settings, *argv, user=user, said=said).encode()
        except CommandRefused as error:
            raise refusal(argv[0], error.said) from error

    return run
