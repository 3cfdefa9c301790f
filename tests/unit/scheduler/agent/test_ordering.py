"""What a guest's runtime is asked for."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.migration.errors import MountRefused, ProgramMissing, StartFailed
from idleq.migration.ports import ContainerName, Mount, Order, RuntimeName
from idleq.scheduler.agent.folders import Folders
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.ordering import order_of, runtime_of
from idleq.scheduler.agent.room import Share
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import Inputs, JobSpec, RuntimeWish
from idleq.scheduler.core.submission import Mount as Wish
from idleq.scheduler.paths import ServerPaths

SEGMENT = ServerPaths(Path("/q")).job(JobId("17_3")).segment(Fence(2))
NODES_OWN = {"PATH": "/node/bin", "HOME": "/home/ada", "LANG": "C.UTF-8", "IDLEQ_TOKEN": "secret"}
PLAN = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
SPEC = JobSpec(
    name="train",
    argv=("{python}", "train.py"),
    resources=Resources(1, 2**30, 1),
    environment=(("SEED", "3"),),
    image="site/image:1",
    runtime=RuntimeWish.DOCKER,
)


def guest(spec: JobSpec, scratch: Path = Path("/scratch/5"), cores: frozenset[int] = frozenset({2})) -> Guest:
    launch = Launch(
        id=CommandId(1),
        allocation=AllocationId("a9"),
        job=JobId("17_3"),
        fence=Fence(2),
        spec=spec,
        plan=PLAN,
        thaw_from=None,
    )
    share = Share(spec.resources, cores, ("GPU-0",))
    return Guest(launch, Folders(scratch), share, taken_at=Millis(0), plan=PLAN)


def order(spec: JobSpec, roots: tuple[str, ...] = ()) -> Order:
    return order_of(guest(spec), SEGMENT, NODES_OWN, roots)


def test_a_guest_in_a_container_finds_the_same_folders_on_every_node_and_nothing_of_the_nodes_own() -> None:
    assert order(SPEC) == Order(
        name=ContainerName("a9/17_3/2"),
        argv=("python3", "train.py"),
        environment={
            "LANG": "C.UTF-8",
            "HOME": "/run/idleq/tmp",
            "TMPDIR": "/run/idleq/tmp",
            "SEED": "3",
            "IDLEQ_JOB_ID": "17_3",
            "IDLEQ_ARRAY_INDEX": "3",
            "IDLEQ_CHECKPOINT_DIR": "/run/idleq/checkpoint",
            "IDLEQ_OUTPUT_DIR": "/run/idleq/output",
            "IDLEQ_CONTROL": "/run/idleq/control",
            "CUDA_VISIBLE_DEVICES": "GPU-0",
        },
        folder=Path("/run/idleq/output"),
        stdout=SEGMENT.stdout,
        stderr=SEGMENT.stderr,
        cores=frozenset({2}),
        runtime=RuntimeName.DOCKER,
        image="site/image:1",
        mounts=tuple(
            Mount(source=Path(f"/scratch/5/{name}"), target=Path(f"/run/idleq/{name}"), is_writable=True)
            for name in ("checkpoint", "output", "control", "tmp")
        ),
        memory=2**30,
    )


def test_a_container_that_has_no_cores_of_its_own_is_limited_to_the_time_of_as_many() -> None:
    everywhere = order_of(guest(SPEC, cores=frozenset()), SEGMENT, NODES_OWN, ())
    assert (everywhere.cores, everywhere.core_time) == (frozenset(), 1)
    assert order(SPEC).core_time is None


def test_a_plain_process_is_no_container() -> None:
    plain = order(structs.replace(SPEC, image="", runtime=RuntimeWish.AUTO))
    assert (plain.runtime, plain.image, plain.mounts, plain.memory) == (RuntimeName.PROCESS, "", (), None)
    assert plain.environment["PATH"] == "/node/bin"


def test_it_starts_where_its_job_says_and_sees_what_its_job_shows(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    wish = Wish(source=f"{tmp_path}/run", target="/data")

    asked = order(structs.replace(SPEC, workdir="/data", mounts=(wish,)), roots=(str(tmp_path),))

    assert asked.folder == Path("/data")
    assert list(asked.mounts)[4:] == [Mount(source=tmp_path / "run", target=Path("/data"))]


def test_what_it_is_given_it_sees_read_only() -> None:
    asked = order(structs.replace(SPEC, inputs=Inputs(sources=("/home/ada/data.csv",), id="0" * 32)))
    assert list(asked.mounts)[4:] == [Mount(source=Path("/scratch/5/input"), target=Path("/run/idleq/input"))]
    assert asked.environment["IDLEQ_INPUT_DIR"] == "/run/idleq/input"


@pytest.mark.parametrize("is_enclosed", [False, True])
def test_a_plain_process_starts_in_the_nodes_own_folder_that_its_job_names(
    tmp_path: Path, *, is_enclosed: bool
) -> None:
    spec = structs.replace(SPEC, image="", runtime=RuntimeWish.AUTO, workdir=str(tmp_path))
    asked = order_of(replace(guest(spec), is_enclosed=is_enclosed), SEGMENT, NODES_OWN, ())
    assert asked.folder == tmp_path
    assert asked.environment["IDLEQ_OUTPUT_DIR"] == ("/run/idleq/output" if is_enclosed else "/scratch/5/output")


def test_a_node_without_the_folder_that_a_job_is_to_start_in_says_so(tmp_path: Path) -> None:
    spec = structs.replace(SPEC, image="", runtime=RuntimeWish.AUTO, workdir=f"{tmp_path}/gone")
    with pytest.raises(ProgramMissing, match=f"it is to start in '{tmp_path}/gone', which is no folder on this node"):
        order(spec)


def test_a_link_that_was_put_there_since_it_was_submitted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("/etc")
    with pytest.raises(MountRefused, match="leads over the link 'run'"):
        order(structs.replace(SPEC, mounts=(Wish(source=f"{tmp_path}/run", target="/data"),)), roots=(str(tmp_path),))


@pytest.mark.parametrize(
    ("wish", "image", "there", "runtime"),
    [
        (RuntimeWish.AUTO, "", "", RuntimeName.PROCESS),
        (RuntimeWish.PROCESS, "", "podman docker", RuntimeName.PROCESS),
        (RuntimeWish.AUTO, "x", "podman docker", RuntimeName.PODMAN),
        (RuntimeWish.AUTO, "x", "docker", RuntimeName.DOCKER),
        (RuntimeWish.DOCKER, "x", "podman", RuntimeName.DOCKER),
        (RuntimeWish.PODMAN, "x", "", RuntimeName.PODMAN),
    ],
)
def test_an_image_is_run_by_what_the_job_wants_or_by_what_is_there(
    wish: RuntimeWish, image: str, there: str, runtime: RuntimeName
) -> None:
    spec = structs.replace(SPEC, runtime=wish, image=image)
    assert runtime_of(spec, lambda name: name if name in there.split() else None) is runtime


def test_where_nothing_runs_images_the_node_says_so() -> None:
    with pytest.raises(
        StartFailed, match="neither podman nor docker is on this node, and the job is the image 'site/image:1'"
    ):
        runtime_of(structs.replace(SPEC, runtime=RuntimeWish.AUTO), lambda _: None)
