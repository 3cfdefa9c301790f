"""Agents that reach the daemon by its HTTPS API, at the login node's address."""

import json

import pytest

from support.site import accounted, serving, undisturbed
from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

CONFIG = """
[server]
address = "{address}"
transport = "api"

[policy]
min_gap = "1m"
max_allocation = "10m"
grace = "{grace}s"

[cluster]
kind = "slurm"
partition = "guests"
poll = "1s"
"""

ASK = """
import json, ssl, sys, urllib.error, urllib.request
said = json.load(sys.stdin)
context = ssl.create_default_context(cadata=said["certificate"])
request = urllib.request.Request(said["url"], said["body"].encode() or None, {"Authorization": "Bearer " + said["token"]})
try:
    print(urllib.request.urlopen(request, context=context).status)
except urllib.error.HTTPError as error:
    print(error.status)
except urllib.error.URLError as error:
    print(type(error.reason).__name__)
"""

PRINT_ENVIRONMENT = "import os; print(sorted(os.environ.items()), open('/proc/self/cmdline').read())"


def test_a_guest_is_run_frozen_and_finished_by_agents_that_speak_https(slurm: Testbed) -> None:
    with serving(slurm, CONFIG.format(address=slurm.login.address, grace=GRACE_SECONDS)) as alice:
        alice.count(steps=600)
        wait_for("the guest to run", lambda: alice.states() == ["running"], seconds=60, every=0.5)
        wide = slurm.login.run(
            *("sbatch", "--parsable", "--nodes=3", "--exclusive", "--time=1", "--output=/dev/null", "--chdir=/"),
            "--wrap=sleep 2",
            user="bob",
        ).strip()
        wait_for("the main job to end", lambda: accounted(slurm, wide, "State") == ["COMPLETED"], seconds=90, every=1)
        wait_for("the guest to be done", lambda: alice.states() == ["done"], seconds=120, every=1)

        (row,) = alice.rows()
        assert row["fence"] >= 2
        assert alice.result(1) == undisturbed(slurm, steps=600)
        assert alice.run("sh", "-c", f"ls {alice.server}/allocations/*/ | grep -c question || true") == "0\n"


def test_an_agents_token_serves_its_allocation_and_nothing_else_and_guests_are_not_given_it(slurm: Testbed) -> None:
    with serving(slurm, CONFIG.format(address=slurm.login.address, grace=GRACE_SECONDS)) as alice:
        for _ in range(2):
            alice.count("--cores", "2", steps=3000)
        wait_for("two allocations", lambda: alice.states() == ["running"] * 2, seconds=60, every=0.5)
        access, token = json.loads(alice.read("access.json")), alice.read("allocations/a1/token").strip()
        other = slurm.login.run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "9",
            "-subj",
            "/CN=idleq daemon",
            "-addext",
            f"subjectAltName=IP:{slurm.login.address}",
            "-keyout",
            "/dev/null",
            user="alice",
        )

        def ask(path: str, body: str = "", *, shown: str = token, certificate: str = access["certificate"]) -> str:
            said = {"url": access["url"] + path, "body": body, "token": shown, "certificate": certificate}
            return slurm.nodes["n3"].run("python3", "-c", ASK, user="bob", said=json.dumps(said)).strip()

        nothing = '{"wait_ms": 0}'
        assert ask("/v1/agents/a1/sync", nothing) == "200"
        assert ask("/v1/agents/a2/sync", nothing) == "401", "that is another allocation's"
        assert ask("/v1/jobs") == "401", "and it is no person's"
        assert ask("/v1/agents/a1/sync", nothing, shown="x") == "401"
        assert ask("/v1/agents/a1/sync", nothing, certificate=other) == "SSLCertVerificationError"

        alice.idleq("cancel", "1", "2")
        alice.idleq("submit", "--freeze", "none", "--", "/shared/venv/bin/python", "-c", PRINT_ENVIRONMENT)
        alice.idleq("wait", "3")
        printed = alice.idleq("logs", "3")
        assert "IDLEQ_JOB_ID" in printed
        tokens = alice.run("sh", "-c", f"cat {alice.server}/allocations/*/token").splitlines()
        assert not [word for word in (*tokens, access["token"]) if word in printed]
        modes = alice.run("sh", "-c", f"stat --format=%a {alice.server}/allocations/*/token {alice.server}/access.json")
        assert set(modes.split()) == {"600"}


def test_a_daemon_that_no_node_could_reach_does_not_start(slurm: Testbed) -> None:
    with (
        pytest.raises(Exception, match="agents on other nodes cannot reach that"),
        serving(slurm, CONFIG.format(address="127.0.0.1", grace=GRACE_SECONDS)),
    ):
        pytest.fail("it started")
