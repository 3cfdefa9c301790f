"""What is said to podman, and what podman 5.4.2 with runc 1.1.15 really said (tests/data/podman)."""

import json
from pathlib import Path
from typing import Any

import pytest

from idleq.migration.confinement import Confinement
from idleq.migration.podmancli import (
    Files,
    LogLines,
    State,
    carried,
    checkpoint_argv,
    criu_log_of,
    has_image_argv,
    kept_argv,
    kept_in,
    mount_option,
    moved_config,
    moved_spec,
    remove_all_argv,
    restore_argv,
    run_argv,
    says_no_such_folder,
    says_no_such_image,
    says_not_executable,
    state_of,
    stopped_ms,
    variables_text,
)
from idleq.migration.ports import Mount

DATA = Path(__file__).parents[2] / "data" / "podman"
FILES = Files(Path("/run/own/1f"))


def said(name: str) -> str:
    return (DATA / name).read_text()


def container(**differences: Any) -> Confinement:
    known: dict[str, Any] = {
        "image": "workloads",
        "argv": ("train", "--steps", "9"),
        "environment": {"A": "b", "POEM": "one\ntwo"},
        "folder": "/run/idleq/output",
        "mounts": (Mount(source=Path("/scratch/7/output"), target=Path("/run/idleq/out"), is_writable=True),),
        "user": "0:0",
        "labels": {"org.idleq.mark": "a1/1/1/beef"},
        "memory": 1024,
        "cores": frozenset({3, 1}),
        "core_time": None,
        "cgroup_parent": "/slurm/job_5",
    }
    return Confinement(**{**known, **differences})


def test_a_container_is_started_with_next_to_no_rights_in_the_control_group_of_its_allocation() -> None:
    assert run_argv("idleq-1f", container(), FILES) == [
        *("podman", "run", "--detach", "--name=idleq-1f", "--pull=never", "--network=none"),
        *("--cap-drop=all", "--security-opt=no-new-privileges", "--read-only", "--read-only-tmpfs=false"),
        *("--image-volume=ignore", "--no-healthcheck", "--passwd=false"),
        *("--tmpfs=/tmp:rw,nosuid,nodev,mode=1777", "--pids-limit=4096", "--user=0:0"),
        *("--workdir=/run/idleq/output", "--label=org.idleq.mark=a1/1/1/beef"),
        *("--memory=1024b", "--memory-swap=1024b", "--cpuset-cpus=1,3", "--cgroup-parent=/slurm/job_5"),
        *("--env-file=/run/own/1f.env", "--env=POEM"),
        "--mount=type=bind,src=/scratch/7/output,dst=/run/idleq/out,ro=false,bind-propagation=rprivate",
        *("--log-driver=k8s-file", "--pidfile=/run/own/1f.pid", "--conmon-pidfile=/run/own/1f.monitor"),
        *('--entrypoint=["train"]', "--", "workloads", "--steps", "9"),
    ]


def test_one_that_is_bound_to_no_cores_is_limited_to_their_time() -> None:
    argv = run_argv("idleq-1f", container(cores=frozenset(), core_time=2), FILES)
    assert [word for word in argv if "cpu" in word] == ["--cpus=2"]


def test_variables_are_kept_out_of_the_command_in_a_file_if_they_are_a_line_and_else_as_podmans_own() -> None:
    long = "x" * 65_536
    environment = {"B": "x y", "A": "=", "POEM": "one\ntwo", "ENDS": "x\r", "LONG": long}
    assert variables_text(environment) == "A==\nB=x y\n"
    assert carried(environment) == {"POEM": "one\ntwo", "ENDS": "x\r", "LONG": long}
    argv = run_argv("n", container(environment=environment), FILES)
    assert [word for word in argv if word.startswith("--env=")] == ["--env=ENDS", "--env=LONG", "--env=POEM"]


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "PATH",
        "CONTAINERS_CONF",
        "GODEBUG",
        "http_proxy",
        "LC_ALL",
        "TMPDIR",
        "_CONTAINERS_USERNS_CONFIGURED",
    ],
)
def test_no_variable_of_a_job_is_podmans_own_that_podman_may_go_by(name: str) -> None:
    environment = {name: "/tmp/mine.so:\n"}
    assert (carried(environment), variables_text(environment)) == ({}, "")
    assert f"--env={name}=/tmp/mine.so:\n" in run_argv("n", container(environment=environment), FILES)


def test_a_comma_in_a_path_makes_no_other_option_of_the_rest() -> None:
    mount = Mount(source=Path('/a,ro=false"'), target=Path("/in"))
    assert mount_option(mount) == 'type=bind,"src=/a,ro=false""",dst=/in,ro=true,bind-propagation=rprivate'


def test_an_image_cannot_be_taken_for_an_option() -> None:
    argv = run_argv("n", container(image="--privileged"), FILES)
    assert argv[argv.index("--privileged") - 1] == "--"


def test_a_freeze_exports_without_compressing_and_a_thaw_takes_another_name() -> None:
    assert checkpoint_argv("idleq-1f", Path("/i")) == [
        *("podman", "container", "checkpoint", "--export=/i/container.tar", "--compress=none"),
        *("--print-stats", "--file-locks", "idleq-1f"),
    ]
    assert restore_argv("idleq-2e", Path("/i")) == [
        *("podman", "container", "restore", "--import=/i/container.tar", "--name=idleq-2e", "--file-locks"),
    ]


def test_what_is_left_of_an_allocation_is_removed_by_its_label() -> None:
    assert remove_all_argv("/scratch/a1") == [
        *("podman", "rm", "--force", "--volumes", "--time=0", "--filter=label=org.idleq.owner=/scratch/a1"),
    ]


def test_podman_is_asked_whose_the_containers_are_that_it_knows() -> None:
    assert kept_argv() == [
        *("podman", "ps", "--all", "--no-trunc", "--filter=label=org.idleq.keeper", "--format=json"),
    ]
    said = [
        {"Id": "1f", "Names": ["idleq-0123456789abcdef"], "Pid": 4711, "Labels": {"org.idleq.keeper": "n1 0 b x 7 99"}},
        {"Id": "2e", "Names": ["idleq-fedcba9876543210"], "Pid": 0, "Labels": {"org.idleq.keeper": "junk\n--all 0"}},
        {"Id": "3d", "Names": ["by-hand-of-our-image"], "Pid": 0, "Labels": {"org.idleq.keeper": "n1 0 b x 8 99"}},
        {
            "Id": "4c",
            "Names": ["idleq-0123456789abcdef --all"],
            "Pid": 0,
            "Labels": {"org.idleq.keeper": "n1 0 b x 8 9"},
        },
    ]
    assert kept_in(json.dumps(said)) == [
        ("idleq-0123456789abcdef", "n1 0 b x 7 99"),
        ("idleq-fedcba9876543210", "junk\n--all 0"),
    ]


@pytest.mark.parametrize(
    "said", ["", "[", "null", '[{"Names": []}]', '[{"Names": ["idleq-0123456789abcdef"], "Labels": null}]']
)
def test_what_is_no_answer_about_containers_names_none(said: str) -> None:
    assert kept_in(said) == []


def test_podman_is_asked_for_an_image_whatever_that_is_called() -> None:
    assert has_image_argv("--all") == ["podman", "image", "exists", "--", "--all"]


def test_a_podman_that_does_not_work_says_nothing_of_an_image() -> None:
    assert says_no_such_image(1, "")
    assert not says_no_such_image(1, "Error: configure storage: runroot must be set\n")
    assert not says_no_such_image(125, "")


def test_a_folder_to_start_in_that_an_image_lacks_is_the_jobs_fault() -> None:
    assert says_no_such_folder('Error: workdir "/nothere" does not exist on container 2cb6')
    assert not says_no_such_folder("Error: no such container")


@pytest.mark.parametrize(
    ("said", "is_programs_fault"),
    [
        (
            'Error: runc: unable to start container process: exec: "/etc/passwd": permission denied: OCI permission denied',
            True,
        ),
        ('Error: OCI runtime error: runc: unable to start container process: exec: "/tmp": is a directory', True),
        ("Error: OCI runtime error: runc: read unixpacket @->@: EOF", False),
    ],
)
def test_a_runtime_that_was_killed_is_not_taken_for_a_program_that_cannot_be_run(
    said: str, *, is_programs_fault: bool
) -> None:
    assert says_not_executable(said) is is_programs_fault


def test_where_criu_wrote_down_its_reason_is_read_from_the_command_that_podman_says_has_failed() -> None:
    failed = "Error: `/usr/bin/runc {} --image-path /s/9a/userdata/checkpoint --work-path /s/9a/userdata 9a` failed: exit status 1"
    assert criu_log_of(failed.format("checkpoint")) == Path("/s/9a/userdata/dump.log")
    assert criu_log_of(failed.format("restore")) == Path("/s/9a/userdata/restore.log")
    assert criu_log_of("Error: no such container") is None


def test_the_state_and_the_time_that_it_stood_still_are_read() -> None:
    assert state_of(said("state.json")) == State(is_running=True, code=0)
    assert state_of(said("state-frozen.json")) == State(is_running=False, code=0, is_frozen=True)
    assert state_of("Error: no such object") is None
    assert stopped_ms(said("checkpoint.json")) == 790
    assert stopped_ms("") == 0


def test_what_was_frozen_elsewhere_goes_on_with_the_folders_labels_cores_memory_and_control_group_of_here() -> None:
    before = json.loads(said("config.dump"))
    after = moved_config(before, container(), FILES)

    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"spec", "labels", "cgroupParent", "conmonPidFile", "pid_file"}
    assert after["cgroupParent"] == "/slurm/job_5"
    assert after["labels"] == {"org.idleq.mark": "a1/1/1/beef"}
    sources = {mount["destination"]: mount["source"] for mount in after["spec"]["mounts"]}
    assert sources == {
        **{mount["destination"]: mount["source"] for mount in before["spec"]["mounts"]},
        "/run/idleq/out": "/scratch/7/output",
    }
    assert after["spec"]["linux"]["resources"]["cpu"] == {"cpus": "1,3"}
    assert after["spec"]["linux"]["resources"]["memory"] == {"limit": 1024, "swap": 1024}
    elsewhere = moved_config(after, container(cores=frozenset(), core_time=2), FILES)
    assert elsewhere["spec"]["linux"]["resources"]["cpu"] == {"quota": 200_000, "period": 100_000}
    unlimited = moved_config(before, container(memory=None), FILES)
    assert unlimited["spec"]["linux"]["resources"]["memory"] == before["spec"]["linux"]["resources"]["memory"]


def test_its_runtime_is_told_of_the_same_folders() -> None:
    after = moved_spec(json.loads(said("spec.dump")), container())
    assert [mount["source"] for mount in after["mounts"] if mount["destination"] == "/run/idleq/out"] == [
        "/scratch/7/output"
    ]


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_what_a_container_printed_is_taken_apart_wherever_its_log_is_cut(cut: int) -> None:
    log = (
        b"2026-11-26T01:08:06.456398666+00:00 stdout F hello\n"
        b"2026-11-26T01:08:06.556398666+00:00 stderr P half \n"
        b"2026-11-26T01:08:06.556398667+00:00 stderr F a line\n"
        b"2026-11-26T01:08:06.656398666+00:00 stdout F \n"
    )
    lines = LogLines()
    first, second = lines.feed(log[:cut]), lines.feed(log[cut:])
    assert (first[0] + second[0], first[1] + second[1]) == (b"hello\n\n", b"half a line\n")
