"""Which machine can thaw what was frozen on another."""

from dataclasses import replace

import pytest

from idleq.machines import Machine, Needs, obstacles

HERE = Machine(
    architecture="x86_64",
    kernel="6.1.0-18-amd64",
    cpu="c1",
    flags=("avx", "avx2", "fpu"),
    gpu="H100",
    criu="4.1.1",
    runtimes=("podman", "process"),
)
NEEDS = Needs(
    architecture="x86_64",
    kernel="6.1.0-17-amd64",
    flags=("avx", "fpu"),
    gpu="H100",
    criu="4.1",
    runtime="podman",
    image="sha256:1",
)


def test_a_machine_that_has_all_that_is_needed_and_more_will_do() -> None:
    assert obstacles(NEEDS, HERE, "sha256:1") == ()


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        (replace(NEEDS, architecture="aarch64"), "it was made on aarch64, and this is x86_64"),
        (replace(NEEDS, flags=("amx", "avx512f", "fpu")), "the CPU lacks amx, avx512f"),
        (replace(NEEDS, flags=tuple(f"f{number}" for number in range(9))), "the CPU lacks f0, f1, f2, f3, f4, f5 and 3 more"),
        (replace(NEEDS, kernel="6.12.1"), "the kernel 6.1.0-18-amd64 is older than 6.12.1"),
        (replace(NEEDS, gpu="A100"), "it needs a GPU A100, and here is H100"),
        (replace(NEEDS, runtime="docker"), "it was frozen in docker, and here is podman, process"),
        (replace(NEEDS, criu="4.2"), "criu 4.1.1 is older than 4.2"),
        (replace(NEEDS, image="sha256:2"), "it was made in the image sha256:2, and the job's is sha256:1 now"),
        (replace(NEEDS, cpu="c2"), "its results are to come out bit for bit, and the CPU is of class c1, not c2"),
    ],
)  # fmt: skip
def test_each_thing_that_is_missing_is_an_obstacle_that_is_named(needs: Needs, reason: str) -> None:
    assert obstacles(needs, HERE, "sha256:1") == (reason,)


def test_all_obstacles_are_named() -> None:
    assert obstacles(NEEDS, Machine(architecture="aarch64", flags=("neon",)), "sha256:1") == (
        "it was made on x86_64, and this is aarch64",
        "the CPU lacks avx, fpu",
        "it needs a GPU H100, and here is none",
    )


def test_what_is_not_needed_or_not_known_is_in_nobodys_way() -> None:
    assert obstacles(None, HERE) == ()
    assert obstacles(NEEDS, None) == ()
    assert obstacles(Needs(), Machine()) == ()
    assert obstacles(Needs(cpu="c1", flags=("avx",), kernel="6.1", criu="4", architecture="x86_64"), Machine()) == ()
    assert obstacles(NEEDS, HERE) == ()
