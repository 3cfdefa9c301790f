"""What a job may not say about its container: refused by whoever reads it first, and again by the daemon, whoever asks it."""

import json

import pytest
from msgspec import structs

from idleq.scheduler.api.sanity import check
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import Inputs, JobSpec, Mount, RuntimeWish
from idleq.scheduler.errors import BadJobFile
from idleq.scheduler.jobfile import read_job_file

ROOTS = ("/data", "/projects/iact")
FAIR = JobSpec(
    name="fair",
    argv=("train",),
    resources=Resources(1, 2**30),
    image="registry.site:5000/group/image:v1.2",
    mounts=(
        Mount(source="/data/run 7", target="/data/run 7"),
        Mount(source="/projects/iact/out", target="/out", is_writable=True),
    ),
    workdir="/out",
)

IMAGES = [
    "",
    "-v",
    "--privileged",
    "--volume=/:/host",
    "image --privileged",
    "image -v /:/host",
    "image\n--privileged",
    "image\0",
    "image;reboot",
    "$(reboot)",
    "`reboot`",
    "../image",
    "/etc/shadow",
    "./image",
    "image:../../x",
    "image:",
    "image@",
    "image@sha256:xyz",
    "image:-tag",
    "-image",
    "IMAGE",
    "docker://image",
    "dir:x",
    "oci-archive:x",
    "docker-daemon:x",
    "containers-storage:x",
    "host:port/image",
    "image:" + "x" * 129,
    "a/" * 128 + "a",
    "x" * 100_000,
    "ímage",
    "image:tàg",
    "[::1/image",
]

MOUNTS = [
    "",
    "/",
    "/:/host",
    "data",
    "~",
    "$HOME:/data",
    "./data:/data",
    "//data:/data",
    "/data/../etc:/data",
    "/data/..:/data",
    "/data/.:/data",
    "/data/:/data",
    "/data//x:/data",
    "/data:/",
    "/data:../x",
    "/data:/proc",
    "/data:/proc/sys",
    "/data:/sys/fs/cgroup",
    "/data:/dev",
    "/data:/dev/shm",
    "/data:/run/idleq/control",
    "/data:/x:rw,suid,dev",
    "/data:/x:z",
    "/data:/x:ro:rw",
    "/data,dst=/x",
    "/data\n:/x",
    "/data\0:/x",
    "/data\\:/x",
    "type=bind,src=/,dst=/host",
    "/" + "x" * 5000,
]

OUTSIDE = ["/etc", "/var/run/docker.sock", "/datafile", "/projects", "/projects/iactual", "/root/.ssh"]

RIGHTS = {
    "privileged": True,
    "network": "host",
    "devices": ["/dev/sda"],
    "device": "/dev/mem",
    "cap_add": ["SYS_ADMIN"],
    "capabilities": ["ALL"],
    "security_opt": ["seccomp=unconfined"],
    "user": "root",
    "userns": "host",
    "pid": "host",
    "ipc": "host",
    "cgroup_parent": "/",
    "entrypoint": ["sh"],
    "options": ["--privileged"],
    "podman_args": ["--privileged"],
    "volumes_from": ["other"],
}


def refusal(**keys: object) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"command": ["train"], **keys}.items()]
    with pytest.raises(BadJobFile) as caught:
        read_job_file("\n".join(lines), {})
    assert caught.value.exit_code == 19
    return str(caught.value)


def daemons_refusal(spec: JobSpec) -> str:
    with pytest.raises(BadJobFile) as caught:
        check(spec, ROOTS)
    return str(caught.value)


def test_a_fair_job_passes() -> None:
    text = """
        name = "fair"
        command = ["train"]
        image = "registry.site:5000/group/image:v1.2"
        mounts = ["/data/run 7", "/projects/iact/out:/out:rw"]
        workdir = "/out"
    """
    (submission,) = read_job_file(text, {})
    assert structs.replace(submission.spec, freeze=FAIR.freeze) == FAIR
    check(FAIR, ROOTS)


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.11-slim-bookworm",
        "localhost/idleq-workloads:latest",
        "registry.site:5000/a/b-c__d.e:Tag_1.0",
        f"a/b@sha256:{'0' * 64}",
        f"a/b:c@sha256:{'0' * 64}",
        "[2001:db8::1]:5000/image",
        "sha256/x",
        "dir",
        "site/dir:x",
    ],
)
def test_names_that_registries_know_pass(image: str) -> None:
    check(structs.replace(FAIR, image=image), ROOTS)


@pytest.mark.parametrize("image", IMAGES)
def test_what_is_no_name_of_an_image_is_refused(image: str) -> None:
    assert refusal(image=image).startswith("the job file: image: ") or "not TOML" in refusal(image=image)
    if image:
        assert daemons_refusal(structs.replace(FAIR, image=image)).startswith("job 'fair': ")


@pytest.mark.parametrize("mount", MOUNTS)
def test_what_is_no_honest_mount_is_refused(mount: str) -> None:
    said = refusal(image="image", mounts=[mount])
    assert said.startswith("the job file: mounts: ")
    source, _, target = mount.partition(":")
    assert daemons_refusal(structs.replace(FAIR, mounts=(Mount(source=source, target=target or source),)))


@pytest.mark.parametrize("source", OUTSIDE)
def test_nothing_outside_the_allowed_folders_is_shown(source: str) -> None:
    said = daemons_refusal(structs.replace(FAIR, mounts=(Mount(source=source, target="/x"),)))
    assert (
        said
        == f"job 'fair': {source} may not be seen in containers here; only what lies in /data or /projects/iact may be"
    )


def test_where_no_folder_is_allowed_nothing_is_shown() -> None:
    with pytest.raises(BadJobFile, match=r"nothing may be: containers\.roots is empty"):
        check(FAIR, ())


@pytest.mark.parametrize(("key", "value"), RIGHTS.items())
def test_no_right_can_be_asked_for(key: str, value: object) -> None:
    assert refusal(image="image", **{key: value}) == (
        f"the job file: there is no key {key!r}: a guest has no rights on its node and no network, and none can be given"
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mounts": ["/data"]}, "mounts: only a job with an image has that; others see the node's own files"),
        ({"workdir": "out"}, "workdir: 'out' is no full path; it must begin with one /"),
        ({"runtime": "docker"}, 'runtime: "docker" runs images, and this job has none; give image = "NAME"'),
        ({"runtime": "process", "image": "x"}, 'image: a job with runtime = "process" has none'),
        ({"runtime": "runc", "image": "x"}, "runtime: it must be one of auto, docker, podman, process, not 'runc'"),
        ({"image": "x", "workdir": "../x"}, "workdir: '../x' is no full path; it must begin with one /"),
        (
            {"image": "x", "mounts": ["/data:/x", "/data/y:/x/y"]},
            "mounts: /x and /x/y would cover each other in the container",
        ),
        (
            {"image": "x", "mounts": [f"/data/{n}" for n in range(65)]},
            "mounts: there are 65 mounts, and there may be 64",
        ),
        ({"image": "x", "mounts": "/data"}, "mounts: it must be a list of texts, like [\"--quick\"], not '/data'"),
        ({"inputs": [""]}, "inputs: it must be paths of 1 to 4000 printable characters, not ''"),
        ({"inputs": "data.csv"}, "inputs: it must be a list of texts, like [\"--quick\"], not 'data.csv'"),
        ({"outputs": ["../x"]}, "outputs: '../x' must be a path in the job's output folder, without '..'"),
        ({"transfer_input_files": ["x"]}, "there is no key 'transfer_input_files'; did you mean 'inputs'?"),
        ({"image": "x", "volumes": ["/data"]}, "there is no key 'volumes'; did you mean 'mounts'?"),
    ],
)
def test_what_does_not_go_together_is_said(keys: dict[str, object], message: str) -> None:
    assert refusal(**keys) == f"the job file: {message}"


def test_the_daemon_believes_no_client() -> None:
    assert "runs images" in daemons_refusal(
        structs.replace(FAIR, image="", mounts=(), workdir="", runtime=RuntimeWish.PODMAN)
    )
    assert "has none" in daemons_refusal(structs.replace(FAIR, runtime=RuntimeWish.PROCESS))
    assert "no full path" in daemons_refusal(structs.replace(FAIR, workdir="--privileged"))
    elsewhere = Inputs(sources=("/data/x",), id="../../../../etc", digest="0" * 64)
    assert "no copy that a node could find" in daemons_refusal(structs.replace(FAIR, inputs=elsewhere))
    assert "must be a path in the job's output folder" in daemons_refusal(structs.replace(FAIR, outputs=("/etc",)))
    twice = (Mount(source="/data", target="/x"), Mount(source="/data", target="/x"))
    assert "cover each other" in daemons_refusal(structs.replace(FAIR, mounts=twice))
