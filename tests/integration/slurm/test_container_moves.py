"""Guests in containers, frozen on one node and thawed on another again and again: they end as if nothing had been."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.cluster import Testbed
from testbed.images import NAME
from testbed.machine import Node

pytestmark = [pytest.mark.testbed, pytest.mark.image, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

MOVES = 5
NO_END = 10**6
LINES = 15
"""What the training tells of itself to its end."""

GIVEN = "/run/idleq/given"
EVENTS = "200"
TRAINING = (
    *("idleq-workload", "train-cgan", "--quick", "--steps", str(10 * LINES), "--events", EVENTS, "--batch", "64"),
    *("--data", f"{GIVEN}/data", "--output", "."),
)

ENGINES = pytest.mark.parametrize("engine", ["podman", "docker"])


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder that all nodes see; what lies in its folder `given` is shown to containers."""

    cluster: Testbed
    name: str

    @property
    def root(self) -> Path:
        return self.cluster.shared / self.name

    def segment(
        self, node: Node, trial: str, number: int, engine: str, *argv: str, until: int = NO_END
    ) -> dict[str, Any]:
        """One stretch of *argv* on *node*, in the image; what it said of its end."""
        (self.root / trial).mkdir(exist_ok=True)
        said = node.run(
            *("env", "PYTHONPATH=/shared/idleq/tests", "/shared/venv/bin/python", "-m", "support.segment"),
            *(f"/shared/{self.name}/{trial}", str(number), f"{engine}:{NAME}", str(until), *argv),
            seconds=200,
        )
        told: dict[str, Any] = json.loads(said)
        return told

    def moved(self, engine: str, *argv: str) -> list[dict[str, Any]]:
        """Run *argv* to its end, frozen on one node and thawed on the other whenever it has told one line more."""
        hosts = self.cluster.compute[:2]
        return [
            self.segment(
                hosts[number % 2],
                engine,
                number,
                engine,
                *argv,
                until=number + 1 if number < MOVES else NO_END,
            )
            for number in range(MOVES + 1)
        ]

    def output(self, trial: str, number: int = 0) -> Path:
        return self.root / trial / str(number) / "output"


@pytest.fixture(scope="module")
def stage(with_docker: Testbed) -> Stage:
    stage = Stage(with_docker, "moves")
    (stage.root / "given").mkdir(parents=True)
    return stage


@pytest.fixture(scope="module")
def undisturbed_weights(stage: Stage) -> str:
    """Those of a training that nobody froze, in the same image; its data set is left for the others."""
    # Made here, where what compiles it has been compiled before.
    make = [sys.executable, "-m", "idleq.workloads.cli", "make-data", "--events", EVENTS]
    subprocess.run([*make, "--data", str(stage.root / "given" / "data")], check=True)
    end = stage.segment(stage.cluster.compute[2], "alone", 0, "podman", *TRAINING)
    assert end["code"] == 0
    return weights(stage.output("alone"))


def weights(output: Path) -> str:
    return hashlib.sha256((output / "generator.safetensors").read_bytes()).hexdigest()


def containers(node: Node, engine: str) -> list[str]:
    """All that *engine* has there, running or not."""
    return node.run("env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", engine, "ps", "--all", "--quiet").splitlines()


@ENGINES
def test_five_moves_between_nodes_leave_the_weights_of_a_training_as_they_would_have_been(
    stage: Stage, undisturbed_weights: str, engine: str, record_property: Callable[[str, object], None]
) -> None:
    hosts = stage.cluster.compute[:2]
    before = [containers(host, engine) for host in hosts]

    *frozen, end = stage.moved(engine, *TRAINING)

    assert all(state.get("ended") == 0 and state["bytes"] > 50 * 2**20 for state in frozen), frozen
    assert end["code"] == 0
    assert weights(stage.output(engine, MOVES)) == undisturbed_weights
    assert [containers(host, engine) for host in hosts] == before
    stopped = [state["stopped_ms"] for state in frozen]
    record_property("summary", f"{MOVES} moves in {engine}, frozen within {stopped} ms")
