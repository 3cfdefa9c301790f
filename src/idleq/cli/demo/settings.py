"""What the demo's cluster and daemon are set to: so busy that gaps come and go while one watches."""

from dataclasses import dataclass
from pathlib import Path

EVENTS = 12_000
"""What the training is told to train on; made first, so that it can begin at once."""

STEPS = 1_200
"""A minute of a quick core, several of a slow one: several gaps long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What a person can choose.

    Attributes:
        nodes: virtual nodes.
        seed: of the main jobs and of the training.
        steps: training steps.
        slow_down: how many times longer gaps are than on a usual machine.
    """

    nodes: int = 4
    seed: int = 1
    steps: int = STEPS
    slow_down: int = 1

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the training is given."""
        return ("--quick", "--steps", str(self.steps), "--events", str(EVENTS), "--seed", str(self.seed))

    def config(self) -> str:
        """Return config.toml: minutes of a real site are seconds here, more of them on a slow machine, whose saves take longer too."""
        times = self.slow_down
        return f"""\
[policy]
grace = "{5 * times}s"
min_gap = "{10 * times}s"
max_allocation = "{2 * times}m"
lease = "{20 * times}s"
freeze = "{2 * times}s"
thaw = "{5 * times}s"
margin = "{times}s"
retry = "2s"
slow = "5s"
progress = "1s"

[cluster]
kind = "embedded"
main_jobs = "busy"
speed = {1 / self.slow_down}
nodes = {self.nodes}
cores = 1
memory = "4G"
seed = {self.seed}
"""

    def write(self, path: Path) -> None:
        """Write config.toml."""
        path.write_text(self.config(), encoding="utf-8")
