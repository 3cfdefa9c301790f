"""What podman leaves of a frozen container: the memory of its processes beside an export that holds links to it."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from idleq.migration import podmancli as cli
from idleq.migration import podmanexport
from idleq.migration.confinement import Confinement, confine
from idleq.migration.errors import FreezeFailed, ImageMissing, ThawFailed
from idleq.migration.ports import ContainerName, Mount, Order

NUMBER = 64 * "1"
CONFIG: dict[str, object] = {
    "spec": {"mounts": [], "linux": {}},
    "labels": {},
    "rootfsImageID": NUMBER,
    "rootfsImageName": "site/image",
}
PRINTED = b"told before\n"


def order_of(tmp_path: Path, *, is_writable: bool = True) -> Order:
    (tmp_path / "work").mkdir(exist_ok=True)
    return Order(
        name=ContainerName("a1/1/1"),
        argv=("train",),
        environment={},
        folder=Path("/run/idleq/work"),
        stdout=tmp_path / "stdout",
        stderr=tmp_path / "stderr",
        image="site/image",
        mounts=(
            Mount(source=tmp_path / "work", target=Path("/run/idleq/work"), is_writable=is_writable),
            Mount(source=tmp_path, target=Path("/run/idleq/given")),
        ),
        may_freeze=True,
    )


def confined(order: Order) -> Confinement:
    return confine(order, whose="me", owner="us", keeper="0 b n 1 2", user="0:0", cgroup_parent="/here")


def leave(images: Path) -> None:
    """As a freeze does."""
    images.mkdir(exist_ok=True)
    members = {cli.CONFIG: json.dumps(CONFIG).encode(), cli.SPEC: json.dumps(CONFIG["spec"]).encode(), cli.LOG: PRINTED}
    with tarfile.open(images / cli.EXPORT, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    (images / "pages-1.img").write_bytes(b"memory")


def links_in(images: Path) -> dict[str, str]:
    with tarfile.open(images / cli.EXPORT) as tar:
        return {member.name: member.linkname for member in tar.getmembers() if member.issym()}


def test_criu_writes_memory_into_the_folder_of_the_freeze_also_after_one_that_failed(tmp_path: Path) -> None:
    order, bundle = order_of(tmp_path), tmp_path / "bundle"
    bundle.mkdir()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        podmanexport.lead_pages(order, bundle, tmp_path / name)
        (bundle / "checkpoint" / "pages-1.img").write_bytes(b"memory")

    assert (tmp_path / "second" / "pages-1.img").read_bytes() == b"memory"
    assert len(list((bundle / "checkpoint").iterdir())) == 64


def test_where_no_folder_could_carry_it_back_memory_goes_into_the_export_as_podman_does_it(tmp_path: Path) -> None:
    podmanexport.lead_pages(order_of(tmp_path, is_writable=False), tmp_path / "bundle", tmp_path)
    assert not (tmp_path / "bundle").exists()


def test_a_folder_of_podmans_that_cannot_be_written_fails_the_freeze(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("no folder")
    with pytest.raises(FreezeFailed, match="podman's folder of it cannot be written"):
        podmanexport.lead_pages(order_of(tmp_path), tmp_path / "bundle", tmp_path)


def test_one_whose_export_failed_goes_on_from_podmans_own_folder(tmp_path: Path) -> None:
    order, bundle, into = order_of(tmp_path), tmp_path / "bundle", tmp_path / "into"
    bundle.mkdir()
    into.mkdir()
    podmanexport.lead_pages(order, bundle, into)
    (bundle / "checkpoint" / "pages-1.img").write_bytes(b"memory")

    podmanexport.give_back_pages(bundle, into)

    page = bundle / "checkpoint" / "pages-1.img"
    assert (page.is_symlink(), page.read_bytes()) == (False, b"memory")


def test_while_it_is_thawed_the_container_sees_its_memory_and_no_longer(tmp_path: Path) -> None:
    order, images = order_of(tmp_path), tmp_path / "images"
    leave(images)

    with podmanexport.of_here(images, order, confined(order), cli.Files(tmp_path / "x"), NUMBER) as printed:
        seen = {path.name: path.read_bytes() for path in (tmp_path / "work").iterdir()}

    assert printed == len(PRINTED)
    assert seen == {".idleq-pages-1.img": b"memory"}
    assert links_in(images) == {"checkpoint/pages-1.img": "/run/idleq/work/.idleq-pages-1.img"}
    assert list((tmp_path / "work").iterdir()) == []
    assert (images / "pages-1.img").read_bytes() == b"memory"


@pytest.mark.parametrize(("number", "sought"), [(NUMBER, NUMBER), ("", "site/image")])
def test_its_image_is_looked_for_by_its_number_where_that_is_known(tmp_path: Path, number: str, sought: str) -> None:
    order, images = order_of(tmp_path), tmp_path / "images"
    leave(images)

    with podmanexport.of_here(images, order, confined(order), cli.Files(tmp_path / "x"), number):
        assert last_config_in(images)["rootfsImageName"] == sought


def last_config_in(images: Path) -> dict[str, object]:
    """What podman takes, of two members of that name."""
    with tarfile.open(images / cli.EXPORT) as tar:
        content = tar.extractfile([member for member in tar.getmembers() if member.name == cli.CONFIG][-1])
        assert content is not None
        return dict(json.load(content))


def test_what_an_earlier_version_has_left_has_all_of_it_in_the_export(tmp_path: Path) -> None:
    order, images = order_of(tmp_path), tmp_path / "images"
    leave(images)
    (images / "pages-1.img").unlink()

    with podmanexport.of_here(images, order, confined(order), cli.Files(tmp_path / "x"), NUMBER):
        pass

    assert links_in(images) == {}


def test_what_another_image_of_that_name_has_left_waits_for_that_one(tmp_path: Path) -> None:
    order, images = order_of(tmp_path), tmp_path / "images"
    leave(images)

    with (
        pytest.raises(
            ImageMissing, match=f"another one \\(aaaaaaaaaaaa\\) than what was frozen had \\({NUMBER[:12]}\\)"
        ),
        podmanexport.of_here(images, order, confined(order), cli.Files(tmp_path / "x"), 64 * "a"),
    ):
        pass

    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("is_writable", "message"), [(True, "Expecting value"), (False, "pages-1.img was left by a container")]
)
def test_what_is_not_whole_is_not_thawed_and_nothing_of_it_is_left(
    tmp_path: Path, message: str, *, is_writable: bool
) -> None:
    order, images = order_of(tmp_path, is_writable=is_writable), tmp_path / "images"
    leave(images)
    with tarfile.open(images / cli.EXPORT, "w") as tar:
        tar.addfile(tarfile.TarInfo(cli.CONFIG))

    with (
        pytest.raises(ThawFailed, match=f"what was frozen is not whole: .*{message}"),
        podmanexport.of_here(images, order, confined(order), cli.Files(tmp_path / "x"), NUMBER),
    ):
        pass

    assert list((tmp_path / "work").iterdir()) == []
