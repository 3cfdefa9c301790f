"""What a container may do on its node is one value, and it is next to nothing."""

from dataclasses import replace
from pathlib import Path

from idleq.migration.confinement import Confinement, confine, docker_request
from idleq.migration.ports import ContainerName, Mount, Order, RuntimeName

ORDER = Order(
    name=ContainerName("a1/17/2"),
    argv=("python3", "-c", "print('--privileged')"),
    environment={"B": "two words", "A": "1"},
    folder=Path("/idleq/output"),
    stdout=Path("/q/stdout"),
    stderr=Path("/q/stderr"),
    cores=frozenset({3, 1}),
    runtime=RuntimeName.DOCKER,
    image="site/image:1",
    mounts=[
        Mount(source=Path("/scratch/1"), target=Path("/idleq"), is_writable=True),
        Mount(source=Path("/data"), target=Path("/data")),
    ],
    memory=2**30,
)


def confined(order: Order = ORDER) -> Confinement:
    return confine(
        order, whose="abc", owner="/scratch", keeper="0 b n 1 2", user="2001:2001", cgroup_parent="/slurm/job_7"
    )


def test_docker_is_asked_for_a_container_without_any_right() -> None:
    assert docker_request(confined()) == {
        "Image": "site/image:1",
        "Entrypoint": ["python3"],
        "Cmd": ["-c", "print('--privileged')"],
        "Env": ["A=1", "B=two words", "IDLEQ_MARK=a1/17/2/abc"],
        "WorkingDir": "/idleq/output",
        "User": "2001:2001",
        "Labels": {"org.idleq.mark": "a1/17/2/abc", "org.idleq.owner": "/scratch", "org.idleq.keeper": "0 b n 1 2"},
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": "none",
            "IpcMode": "private",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777"},
            "PidsLimit": 4096,
            "CpusetCpus": "1,3",
            "CgroupParent": "/slurm/job_7",
            "LogConfig": {"Type": "none"},
            "RestartPolicy": {"Name": "no"},
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/scratch/1",
                    "Target": "/idleq",
                    "ReadOnly": False,
                    "BindOptions": {"Propagation": "rprivate"},
                },
                {
                    "Type": "bind",
                    "Source": "/data",
                    "Target": "/data",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                },
            ],
            "Memory": 2**30,
            "MemorySwap": 2**30,
        },
    }


def test_whatever_a_job_calls_itself_changes_only_what_runs_inside() -> None:
    hostile = replace(
        ORDER,
        argv=("--privileged", "--volume=/:/host"),
        environment={"X": "1\n--privileged", "DOCKER_HOST": "tcp://elsewhere"},
    )
    plain, changed = docker_request(confined()), docker_request(confined(hostile))
    assert {key for key in plain if plain[key] != changed[key]} == {"Entrypoint", "Cmd", "Env"}


def test_a_job_cannot_take_another_name_for_itself() -> None:
    order = replace(ORDER, environment={"IDLEQ_MARK": "a2/1/1/other"})
    assert confined(order).environment == {"IDLEQ_MARK": "a1/17/2/abc"}


def test_one_that_is_bound_to_no_cores_is_limited_to_their_time() -> None:
    host = docker_request(confined(replace(ORDER, cores=frozenset(), core_time=2)))["HostConfig"]
    assert (host["CpusetCpus"], host["NanoCpus"]) == ("", 2 * 10**9)


def test_without_a_limit_of_memory_none_is_asked_for() -> None:
    host = docker_request(confined(replace(ORDER, memory=None)))["HostConfig"]
    assert not host.keys() & {"Memory", "MemorySwap"}
