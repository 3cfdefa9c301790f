"""What an agent has written down, as it lies in its allocation's directory."""

from idleq.ids import AllocationId
from idleq.scheduler import codec
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.paths import ServerPaths


def write_reports(paths: ServerPaths, allocation: AllocationId, *said: Input) -> None:
    """Let the agent of *allocation* have written these, numbered from 1."""
    folder = paths.allocation(allocation)
    folder.root.mkdir(parents=True, exist_ok=True)
    lines = [
        codec.to_json({"number": number, "kind": type(one).__name__, "body": codec.to_plain(one)})
        for number, one in enumerate(said, start=1)
    ]
    folder.reports.write_bytes(b"".join(line + b"\n" for line in lines))
