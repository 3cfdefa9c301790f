"""A real agent process, and a made-up daemon that it talks to over real HTTPS."""

import dataclasses
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler import codec
from idleq.scheduler.api.access import Access, remove_access, write_access
from idleq.scheduler.api.tls import ensure_certificate
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill, Launch, SegmentPlan
from idleq.scheduler.core.inputs import AgentInput, AgentReady, Exited, Frozen, SnapshotRejected
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.scheduler.outbox import seal
from idleq.scheduler.paths import ServerPaths

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""After this a test gives up; nothing is asserted about how long things take."""

MEBI = 2**20
NO_END = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
NODE = Resources(4, 512 * MEBI)

RUNNER = """
import json, sys
from pathlib import Path
from idleq.errors import IdleqError
from idleq.scheduler.agent.main import run
from idleq.scheduler.agent.settings import AgentSettings, Pace, Transport
from idleq.scheduler.core.resources import Resources
given = json.loads(sys.argv[1])
given |= {"server_dir": Path(given["server_dir"]), "scratch": Path(given["scratch"]), "pace": Pace(**given["pace"]),
          "resources": Resources(**given["resources"]), "transport": Transport(given["transport"]),
          "key_file": Path(given["key_file"]) if given.get("key_file") else None}
try:
    sys.exit(run(AgentSettings(**given)))
except IdleqError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_code)
"""


def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


def spec(*argv: str, memory: int = 64 * MEBI, cores: int = 1, **more: Any) -> JobSpec:
    return JobSpec(name="test", argv=argv, resources=Resources(cores, memory), **more)


def python(code: str, **more: Any) -> JobSpec:
    return spec("{python}", "-c", code, **more)


def shell(script: str, **more: Any) -> JobSpec:
    """A job that knows nothing of the workload contract."""
    return spec("/bin/sh", "-c", script, freeze=FreezeMethod.NONE, **more)


# A job that follows the workload contract: it counts, and saves the count when it is asked to.
SAVER = """
import json, os, pathlib, signal, sys, time
total, pause, asked = int(sys.argv[1]), float(sys.argv[2]), []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
checkpoint, output = (pathlib.Path(os.environ[name]) for name in ("IDLEQ_CHECKPOINT_DIR", "IDLEQ_OUTPUT_DIR"))
state = checkpoint / "state"
step = int(state.read_text()) if state.exists() else 0
while step < total:
    if asked:
        state.write_text(str(step))
        sys.exit(85)
    step += 1
    with open(output / "progress.jsonl", "a") as progress:
        progress.write(json.dumps({"step": step, "total": total}) + "\\n")
    time.sleep(pause)
(output / "result").write_text(str(step))
"""


def saver(total: int, pause: float = 0.02, **more: Any) -> JobSpec:
    return spec("{python}", "-c", SAVER, str(total), str(pause), **more)


class FakeDaemon:
    """Answers agents over HTTPS with the commands that a test posts, and keeps all that they report."""

    def __init__(self, root: Path, allocation: AllocationId = AllocationId("a1")) -> None:
        self.paths, self.allocation = ServerPaths(root), allocation
        self.paths.create()
        where = self.paths.allocation(allocation)
        where.root.mkdir(mode=0o700)
        where.token.write_text("secret")
        self.lease_ms, self.leave = 60_000, False
        self.said: list[AgentInput] = []
        self.exchanges = 0
        self._ids, self._starts = count(1), count(1)
        self._taken = 0
        self._owed: dict[CommandId, AgentCommand] = {}
        self._changed = threading.Condition()
        self._server: _Server | None = None
        self._name = ""

    def start(self) -> None:
        """Listen, on another port than before, as another daemon than before."""
        certificate = ensure_certificate(self.paths, (), now())
        self._name = f"daemon {next(self._starts)}"
        server = _Server(("127.0.0.1", 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.paths.certificate, self.paths.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_address[1]}"
        write_access(self.paths, Access(url=url, token="p", certificate=certificate, pid=os.getpid(), started=now()))
        self._server = server

    def stop(self, *, renew: bool = False) -> None:
        """Be away; with *renew* the next start brings another certificate."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None
            remove_access(self.paths, "p")
        if renew:
            self.paths.key.unlink()

    def post(self, command: AgentCommand) -> None:
        with self._changed:
            self._owed[command.id] = command
            self._changed.notify_all()

    def launch(
        self,
        job_spec: JobSpec,
        *,
        job: str = "1",
        fence: int = 1,
        plan: SegmentPlan = NO_END,
        thaw_from: Snapshot | None = None,
        prefers: FreezeMethod | None = None,
    ) -> Launch:
        command = Launch(
            id=CommandId(next(self._ids)),
            allocation=self.allocation,
            job=JobId(job),
            fence=Fence(fence),
            spec=job_spec,
            plan=plan,
            thaw_from=thaw_from,
            prefers=prefers,
        )
        self.post(command)
        return command

    def freeze(self, job: str = "1", fence: int = 1) -> None:
        self.post(
            Freeze(id=self.next_id(), allocation=self.allocation, job=JobId(job), fence=Fence(fence), reason="asked")
        )

    def kill(self, job: str = "1", fence: int = 1) -> None:
        self.post(
            Kill(id=self.next_id(), allocation=self.allocation, job=JobId(job), fence=Fence(fence), reason="unwanted")
        )

    def next_id(self) -> CommandId:
        return CommandId(next(self._ids))

    def wait_for(self, found: Callable[[list[AgentInput]], T]) -> T:
        """Return what *found* makes of the reports once that is something; the test fails if it never is."""
        with self._changed:
            if not self._changed.wait_for(lambda: found(self.said), timeout=PATIENCE_SECONDS):
                raise AssertionError(f"never heard; heard: {self.said}")
            return found(self.said)

    def wait_for_kind(self, kind: type[T], number: int = 1) -> T:
        """Return the *number*th report of that kind."""
        return self.wait_for(lambda said: [each for each in said if isinstance(each, kind)][number - 1 :])[0]

    def wait_for_end(self, job: str = "1", fence: int = 1) -> Exited | Frozen | SnapshotRejected:
        """Return how the segment ended."""
        return self.wait_for(
            lambda said: [
                each
                for each in said
                if isinstance(each, Exited | Frozen | SnapshotRejected) and (each.job, each.fence) == (job, fence)
            ]
        )[0]

    def wait_until_ready(self, number: int = 1) -> AgentReady:
        return self.wait_for_kind(AgentReady, number)

    def exchange(self, token: str, told: Mapping[str, Any]) -> bytes | None:
        """Answer one request; None if the token is wrong."""
        if token != "Bearer secret":
            return None
        with self._changed:
            self.exchanges += 1
            for report in told["reports"]:
                if report["number"] > self._taken:
                    self.said.append(codec.decode_plain(report["kind"], report["body"], AgentInput))
                    self._taken = report["number"]
            for known in told["have"]:
                self._owed.pop(CommandId(known), None)
            self._changed.notify_all()
            mine = self._name
            self._changed.wait_for(
                lambda: self._owed or self.leave or self._name != mine, timeout=told["wait_ms"] / 1000
            )
            return b'{"taken":%d,"commands":[%s],"lease_ms":%d,"leave":%s,"daemon":"%s"}' % (
                self._taken,
                b",".join(seal(command).payload for command in self._owed.values()),
                self.lease_ms,
                b"true" if self.leave else b"false",
                mine.encode(),
            )


class _Server(ThreadingHTTPServer):
    def __init__(self, *args: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*args)

    def get_request(self) -> Any:
        found = super().get_request()
        self._open.add(found[0])
        return found

    def hang_up(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(2)
            each.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nothing to print about."""


def _handler(daemon: FakeDaemon) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 65_536

        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = daemon.exchange(self.headers["Authorization"], told)
            self.send_response(200 if answer is not None else 401)
            self.send_header("Content-Length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    return Handler


@dataclasses.dataclass
class AgentProcess:
    """One agent in a process of its own."""

    daemon: FakeDaemon
    process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        return self.process.pid

    def notify(self) -> None:
        """Send the notice of preemption."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> tuple[int, str]:
        """Return its exit code and what it printed."""
        output, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, output


@contextmanager
def agent(daemon: FakeDaemon, scratch: Path, **settings: Any) -> Iterator[AgentProcess]:
    """Run an agent; at the end it is killed, with all that bears its mark."""
    given: dict[str, Any] = {
        "server_dir": str(daemon.paths.root),
        "allocation": daemon.allocation,
        "node": "n1",
        "scratch": str(scratch),
        "resources": msgspec.structs.asdict(NODE),
        "until": None,
        "grace_ms": 20_000,
        "transport": "api",
        "pace": {"watch_ms": 100, "wait_ms": 1000, "retry_ms": 50, "retry_most_ms": 200},
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, json.dumps(given)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield AgentProcess(daemon, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_SECONDS)
        for pid in survivors(daemon):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


StartAgent = Callable[..., AgentProcess]


def survivors(daemon: FakeDaemon) -> list[int]:
    """Return the processes whose environment bears a mark of this test's server directory."""
    mark = str(daemon.paths.root.parent).encode()
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            environment = (entry / "environ").read_bytes().split(b"\0")
            is_guest = any(line.startswith(b"IDLEQ_MARK=") for line in environment)
            if is_guest and any(mark in line for line in environment):
                found.append(int(entry.name))
    return found
