"""What the demo's cluster and daemon are set to: so busy that gaps come and go while one watches."""

from dataclasses import dataclass
from pathlib import Path

EVENTS = 12_000
"""What the training is told to train on; made first, so that it can begin at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What a person can choose.

    Attributes:
        nodes: virtual nodes.
        seed: of the main jobs and of the training.
        steps: training steps; None for those of --quick.
    """

    nodes: int = 4
    seed: int = 1
    steps: int | None = None

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the training is given."""
        steps = () if self.steps is None else ("--steps", str(self.steps))
        return ("--quick", *steps, "--events", str(EVENTS), "--seed", str(self.seed))

    def config(self) -> str:
        """Return config.toml: minutes of a real site are seconds here."""
        return f"""\
[policy]
grace = "5s"
min_gap = "10s"
max_allocation = "2m"
lease = "20s"
freeze = "2s"
thaw = "5s"
margin = "1s"
retry = "2s"
slow = "5s"
progress = "1s"

[cluster]
kind = "embedded"
main_jobs = "busy"
nodes = {self.nodes}
cores = 1
memory = "4G"
seed = {self.seed}
"""

    def write(self, path: Path) -> None:
        """Write config.toml."""
        path.write_text(self.config(), encoding="utf-8")
