"""Where containers are put, where the freezer of a control group is, and how it is opened."""

from pathlib import Path

import pytest

from idleq.migration.cgroups import GroupFreezer, cgroup_of, freezer_in, freezer_of, members_of

OF_VERSION_1 = "6:freezer:/slurm/job_5/libpod-1\n4:memory:/slurm/job_5/libpod-1\n0::/\n"
OF_VERSION_2 = "0::/system.slice/job_5/user/libpod-1\n"


def group(root: Path, *, version: int, is_shut: bool) -> GroupFreezer:
    """A freezer as the kernel shows one."""
    found = freezer_in(OF_VERSION_1 if version == 1 else OF_VERSION_2, root)
    assert found is not None
    found.says.parent.mkdir(parents=True)
    found.switch.write_text("FROZEN")
    found.says.write_text("1\n" if is_shut else "0\n")
    return found


def test_it_is_the_containers_own_and_not_that_of_a_group_above(tmp_path: Path) -> None:
    first, second = freezer_in(OF_VERSION_1, tmp_path), freezer_in(OF_VERSION_2, tmp_path)
    assert first is not None
    assert second is not None
    assert first.switch == tmp_path / "freezer/slurm/job_5/libpod-1/freezer.state"
    assert second.switch == tmp_path / "system.slice/job_5/user/libpod-1/cgroup.freeze"


@pytest.mark.parametrize("membership", ["6:freezer:/\n0::/\n", "0::/\n", ""])
def test_the_root_has_none(membership: str) -> None:
    assert freezer_in(membership) is None


@pytest.mark.parametrize(("version", "opened"), [(1, "THAWED"), (2, "0")])
def test_one_that_is_shut_is_opened(tmp_path: Path, version: int, opened: str) -> None:
    freezer = group(tmp_path, version=version, is_shut=True)
    freezer.open()
    assert freezer.switch.read_text() == opened


@pytest.mark.parametrize("version", [1, 2])
def test_one_that_is_open_or_shut_by_a_group_above_is_left_alone(tmp_path: Path, version: int) -> None:
    freezer = group(tmp_path, version=version, is_shut=False)
    before = freezer.switch.read_text()
    freezer.open()
    assert freezer.switch.read_text() == before


def test_one_whose_group_is_gone_keeps_nobody(tmp_path: Path) -> None:
    freezer = freezer_in(OF_VERSION_2, tmp_path)
    assert freezer is not None
    freezer.open()
    assert not freezer.says.exists()


def test_a_process_that_has_ended_has_none() -> None:
    assert freezer_of(2**22 + 1) is None


def test_containers_are_put_below_the_callers_control_group() -> None:
    first = (
        "12:pids:/\n7:memory:/slurm/uid_2001/job_5/step_0\n5:freezer:/slurm/uid_2001/job_5/step_0\n1:name=systemd:/\n"
    )
    assert cgroup_of(first) == "/slurm/uid_2001/job_5/step_0"
    assert cgroup_of("7:memory:/m\n4:cpu,cpuacct:/c\n0::/\n") == "/m"
    assert cgroup_of("0::/system.slice/slurmstepd.scope/job_5/step_0/user/task_0\n") == (
        "/system.slice/slurmstepd.scope/job_5/step_0/user"
    )


def test_a_caller_at_the_root_leaves_it_to_the_engine() -> None:
    assert cgroup_of("12:pids:/\n5:freezer:/\n0::/\n") == ""
    assert cgroup_of("0::/\n") == ""
    assert cgroup_of("0::/init\n") == ""


def test_who_is_in_a_containers_group_is_known_by_its_whole_number_alone() -> None:
    number = 64 * "a"
    memberships = {1: "0::/\n", 7: f"4:memory:/slurm/job_5/libpod-{number}\n", 8: "4:memory:/nodes/n1/job_5\n"}
    assert members_of(number, memberships) == [7]
    for word in ("", "n1", "job_5", number[:63], f"{number}a"):
        assert members_of(word, memberships) == []
