"""What is said to criu, and what criu 4.1.1 really said (tests/data/criu)."""

from pathlib import Path

import pytest

from idleq.migration.criu import dump_argv, is_whole, reason, restore_argv, stopped_ms, version_of, why_too_old

DATA = Path(__file__).parents[2] / "data" / "criu"


def said(name: str) -> str:
    return (DATA / name).read_text()


def test_a_dump_leaves_control_groups_alone() -> None:
    assert dump_argv("/usr/sbin/criu", Path("/scratch/1/images"), is_root=True) == [
        *("/usr/sbin/criu", "dump", "--tree", "300", "--images-dir", "/scratch/1/images"),
        *("--log-file", "dump.log", "-v4", "--display-stats", "--ghost-limit", "1073741824"),
        *("--file-locks", "--manage-cgroups=ignore"),
    ]


def test_a_restore_leaves_the_guest_to_its_caller_and_gives_it_new_files_to_print_to() -> None:
    assert restore_argv("criu", Path("/scratch/2/images"), "/shared/1/stdout", "/shared/1/stderr", is_root=True) == [
        *("criu", "restore", "--images-dir", "/scratch/2/images", "--log-file", "restore.log", "-v4"),
        "--restore-detached",
        *("--inherit-fd", "fd[{stdout}]:shared/1/stdout", "--inherit-fd", "fd[{stderr}]:shared/1/stderr"),
        *("--file-locks", "--manage-cgroups=ignore"),
    ]


def test_for_an_ordinary_user_it_does_with_what_such_a_one_may_do() -> None:
    assert dump_argv("criu", Path("/scratch/1/images"), is_root=False)[-1] == "--unprivileged"
    assert (
        restore_argv("criu", Path("/scratch/2/images"), "/1/stdout", "/1/stderr", is_root=False)[-1] == "--unprivileged"
    )


def test_the_version_is_read() -> None:
    assert version_of(said("version.txt")) == (4, 1)
    assert version_of("Version: 3.17.1\nGitID: v3.17.1\n") == (3, 17)
    assert version_of("criu: command not found") is None


@pytest.mark.parametrize(
    ("release", "oldest"),
    [("6.18.44", (4, 1)), ("6.16.0-rc1", (4, 1)), ("6.12.63+deb13-amd64", (3, 15)), ("?", (3, 15))],
)
def test_new_kernels_and_ordinary_users_need_a_new_criu(release: str, oldest: tuple[int, int]) -> None:
    before = (oldest[0], oldest[1] - 1)
    assert not why_too_old(oldest, release, is_root=True)
    assert why_too_old(before, release, is_root=True).endswith(f": install {oldest[0]}.{oldest[1]} or newer")
    assert bool(why_too_old((3, 19), release, is_root=False)) == (oldest > (3, 19))
    assert why_too_old((3, 18), release, is_root=False)


def test_the_time_that_processes_stood_still_is_read() -> None:
    assert stopped_ms(said("dump-stats.txt")) == 70
    assert stopped_ms("") == 0


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("dump-connected.log", "inet: Connected TCP socket, consider using --tcp-established option."),
        ("dump-connected-user.log", "inet: Connected TCP socket, consider using --tcp-established option."),
        ("restore-grown.log", "File run/idleq/work/counted has bad size 25 (expect 20)"),
    ],
)
def test_the_reason_is_the_first_error_from_which_criu_did_not_go_on(log: str, why: str) -> None:
    assert reason(said(log), "it ended with 1") == why


def test_where_the_log_has_no_error_what_is_known_otherwise_is_the_reason() -> None:
    assert reason("(00.000004) Version: 4.1.1\n", "it ended with 1") == "it ended with 1"


def test_a_freeze_is_whole_once_criu_has_listed_its_images(tmp_path: Path) -> None:
    (tmp_path / "pages-1.img").touch()
    assert not is_whole(tmp_path)
    (tmp_path / "inventory.img").touch()
    assert is_whole(tmp_path)
