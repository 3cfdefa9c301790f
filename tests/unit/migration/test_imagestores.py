"""Images on a node: how engines are asked, and what they answer."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from idleq.migration.errors import ImageRefused
from idleq.migration.imagestores import (
    Image,
    building_argv,
    images_here,
    listing_argv,
    loading_argv,
    read_loaded,
    run_engine,
)

PODMANS = json.dumps(
    [{"Id": "f" * 64, "Names": ["docker.io/library/a:1", "localhost/b:2"], "Size": 70}, {"Id": "e" * 64, "Size": 1}]
)
DOCKERS = '{"ID":"sha256:aa","Repository":"a","Tag":"1","Size":"70B"}\n{"ID":"sha256:aa","Repository":"site/c","Tag":"latest","Size":"70B"}\n'
INSPECTED = json.dumps([{"Id": "sha256:aa", "RepoTags": ["a:1", "site/c:latest"], "Size": 70}])


def engines(argv: Sequence[str]) -> str:
    if argv[0] == "podman":
        return PODMANS
    if list(argv) == ["docker", "image", "inspect", "sha256:aa"]:
        return INSPECTED
    assert list(argv) == listing_argv("docker")
    return DOCKERS


def test_the_images_of_both_engines_are_listed_by_name() -> None:
    assert images_here(["podman", "docker"], engines) == (
        Image(engine="docker", name="a:1", bytes=70, number="aa"),
        Image(engine="podman", name="docker.io/library/a:1", bytes=70, number="f" * 64),
        Image(engine="podman", name="localhost/b:2", bytes=70, number="f" * 64),
        Image(engine="docker", name="site/c:latest", bytes=70, number="aa"),
    )


def test_an_engine_without_images_is_asked_no_more() -> None:
    assert (
        images_here(["docker"], lambda argv: "" if list(argv) == listing_argv("docker") else pytest.fail(str(argv)))
        == ()
    )


def test_an_archive_is_brought_to_an_engine_or_to_a_store_that_nodes_share() -> None:
    archive = Path("/data/image.tar")
    assert loading_argv("docker", archive) == ["docker", "load", "--input", "/data/image.tar"]
    assert loading_argv("podman", archive, Path("/shared/images")) == [
        *("podman", "--root", "/shared/images", "load", "--input", "/data/image.tar")
    ]
    assert read_loaded("abc\nLoaded image: idleq-workloads:latest\nLoaded image: localhost/b:2\n") == (
        "idleq-workloads:latest",
        "localhost/b:2",
    )


def test_another_base_is_given_to_the_build() -> None:
    assert building_argv("podman", Path("/src"), "mine:1", "site/python:3.11") == [
        *("podman", "build", "--build-arg", "BASE=site/python:3.11", "--tag", "mine:1", "/src")
    ]


def test_an_engine_that_is_not_there_or_fails_is_told() -> None:
    with pytest.raises(ImageRefused, match="no-such-engine cannot be run here: No such file or directory"):
        run_engine(["no-such-engine", "load"])
    with pytest.raises(ImageRefused, match="false ended with 1"):
        run_engine(["false"])


def test_an_engine_that_is_off_hides_no_other_ones_images() -> None:
    def run(argv: Sequence[str]) -> str:
        if argv[0] == "docker":
            raise ImageRefused("docker ended with 1; what is wrong it has said above")
        return PODMANS

    assert {image.engine for image in images_here(("podman", "docker"), run)} == {"podman"}
    with pytest.raises(ImageRefused, match="docker ended with 1"):
        images_here(("docker",), run)
