"""What doctor says about this machine."""

from idleq.migration.capabilities import Capability, probe


def test_engines_are_reported_as_found_but_not_used() -> None:
    assert probe({"podman": "/usr/bin/podman"}.get) == (
        Capability("process", True, "ordinary processes, each in a session of its own"),
        Capability("app", True, "jobs that save themselves on a signal (the workload contract)"),
        Capability("podman", False, "found at /usr/bin/podman, not used yet"),
        Capability("docker", False, "not found (and not used yet)"),
        Capability("criu", False, "not found (and not used yet)"),
    )
