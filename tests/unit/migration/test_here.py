"""What a snapshot will remember of this machine."""

import os
from pathlib import Path

from idleq.migration.here import _gpu, cpu_class, cpu_flags, machine_here, origin_here


def test_the_features_of_a_machine_are_those_that_all_its_cpus_have() -> None:
    assert cpu_flags("processor: 0\nflags\t\t: fpu avx2 sse\n\nprocessor: 1\nflags : sse fpu\n") == ("fpu", "sse")
    assert cpu_flags("Features : neon aes\n") == ("aes", "neon")
    assert cpu_flags("nothing known") == ()


def test_cpus_with_equal_flags_are_of_one_class() -> None:
    assert cpu_class(("avx2", "fpu")) == cpu_class(cpu_flags("flags : fpu avx2"))
    assert cpu_class(("avx2", "fpu")) != cpu_class(("fpu",))
    assert cpu_class(()) == ""


def test_gpus_are_told_by_the_model_that_their_driver_names(tmp_path: Path) -> None:
    for card, model in (("0000:01:00.0", "NVIDIA H100"), ("0000:02:00.0", "NVIDIA H100")):
        (tmp_path / card).mkdir()
        (tmp_path / card / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t 11\n")
    assert _gpu(tmp_path) == "NVIDIA H100"
    assert _gpu(tmp_path / "none") == ""


def test_a_snapshot_remembers_its_time_and_this_machine() -> None:
    origin = origin_here(42, "podman")
    assert (origin.created, origin.runtime, origin.machine) == (42, "podman", machine_here())
    assert (origin.machine.kernel, origin.machine.architecture) == (os.uname().release, os.uname().machine)
