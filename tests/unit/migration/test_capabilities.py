"""What doctor says about this machine."""

from idleq.migration.capabilities import Capability, cpu_class, origin_here, probe


def test_engines_are_reported_as_found_but_not_used() -> None:
    assert probe({"podman": "/usr/bin/podman"}.get) == (
        Capability("process", True, "ordinary processes, each in a session of its own"),
        Capability("app", True, "jobs that save themselves on a signal (the workload contract)"),
        Capability("podman", False, "found at /usr/bin/podman, not used yet"),
        Capability("docker", False, "not found (and not used yet)"),
        Capability("criu", False, "not found (and not used yet)"),
    )


def test_cpus_with_equal_flags_are_of_one_class_whatever_the_order() -> None:
    first = cpu_class("model name: x\nflags\t\t: fpu avx2 sse\n")
    assert first == cpu_class("flags : sse fpu avx2")
    assert first != cpu_class("flags : sse fpu")
    assert cpu_class("nothing known") == ""


def test_this_machine_has_a_kernel_and_a_time() -> None:
    origin = origin_here(42)
    assert origin.created == 42
    assert origin.kernel
    assert origin.machine
