"""What an agent says that its node can do, by what is installed there."""

import shutil

import pytest

from idleq.scheduler.agent import abilities as ours


@pytest.mark.parametrize(
    ("engines", "user", "criu", "docker_freezes", "abilities", "runtimes"),
    [
        ({"podman", "docker"}, 0, "", True, ("podman", "docker"), ()),
        (set(), 0, "4.2", False, ("criu",), ("process",)),
        ({"docker"}, 0, "4.2", False, ("criu", "docker"), ("process",)),
        ({"docker"}, 0, "4.2", True, ("criu", "docker", "docker-criu", "image-criu"), ("process", "docker")),
        (
            {"podman", "docker"},
            0,
            "4.2",
            False,
            ("criu", "podman", "docker", "podman-criu", "image-criu"),
            ("process", "podman"),
        ),
        ({"podman", "docker"}, 2001, "4.2", True, ("criu", "podman", "docker"), ("process",)),
    ],
)
def test_a_node_is_said_to_freeze_images_only_by_engines_that_do_so_for_root(
    monkeypatch: pytest.MonkeyPatch,
    engines: set[str],
    user: int,
    criu: str,
    abilities: tuple[str, ...],
    runtimes: tuple[str, ...],
    *,
    docker_freezes: bool,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in engines else None)
    monkeypatch.setattr(ours, "is_root", lambda: user == 0)
    monkeypatch.setattr(ours, "criu_version", lambda: criu)
    monkeypatch.setattr(ours, "can_docker_freeze", lambda: docker_freezes)

    said, machine = ours.look_here()
    assert said == abilities
    assert (machine.criu, machine.runtimes) == (criu, runtimes)
