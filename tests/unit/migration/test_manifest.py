"""The manifest's text."""

import json

import pytest

from idleq.machines import Machine, Needs
from idleq.migration.errors import SnapshotDamaged
from idleq.migration.manifest import FileEntry, Manifest, Origin, decode, digest_of, encode, needs_of

ENTRY = FileEntry(path="output/a b\n'\udcff", size=3, digest="0" * 64, mode=0o640, stored=3)
SPARSE = FileEntry(path="checkpoint/s", size=9000, digest="1" * 64, mode=0o600, stored=44, data=((0, 10), (4096, 20)))
MACHINE = Machine(
    architecture="x86_64",
    kernel="6.1.0",
    cpu="abc",
    flags=("avx2", "fpu"),
    gpu="H100",
    criu="4.1.1",
    runtimes=("podman",),
)
ORIGIN = Origin(
    created=17, machine=MACHINE, runtime="podman", image="sha256:1", job="17_3", fence=4, parent="0003-0001"
)
MANIFEST = Manifest(
    kind="criu",
    files=(ENTRY, SPARSE),
    folders=("output", "checkpoint"),
    origin=ORIGIN,
    compression="zstd",
    encryption="aes-256-gcm-stream",
    key="0123456789abcdef",
)
FORMAT_1 = {
    "format": 1,
    "kind": "app",
    "files": [{"path": "output/x", "size": 3, "sha256": "0" * 64, "mode": 0o640}],
    "folders": ["output"],
    "origin": {"created": 17, "kernel": "6.1", "machine": "x86_64", "cpu": "abc"},
}


def test_a_manifest_comes_back_as_it_was_even_with_names_that_are_not_text() -> None:
    assert decode(encode(MANIFEST)) == MANIFEST
    assert (MANIFEST.bytes, MANIFEST.stored) == (9003, 47)


def test_a_manifest_of_the_first_format_is_still_read() -> None:
    assert decode(json.dumps(FORMAT_1).encode()) == Manifest(
        kind="app",
        files=(FileEntry(path="output/x", size=3, digest="0" * 64, mode=0o640, stored=3),),
        folders=("output",),
        origin=Origin(created=17, machine=Machine(architecture="x86_64", kernel="6.1", cpu="abc")),
    )


def test_processes_as_they_ran_need_a_machine_like_theirs_and_what_saved_itself_needs_none() -> None:
    assert needs_of("criu", ORIGIN) == Needs(
        architecture="x86_64",
        kernel="6.1.0",
        flags=("avx2", "fpu"),
        gpu="H100",
        criu="4.1.1",
        runtime="podman",
        image="sha256:1",
    )
    assert needs_of("app", ORIGIN) is None


def test_results_that_shall_come_out_bit_for_bit_pin_the_class_of_the_cpu_and_the_image() -> None:
    assert needs_of("app", ORIGIN, is_reproducible=True) == Needs(cpu="abc", image="sha256:1")
    pinned = needs_of("criu", ORIGIN, is_reproducible=True)
    assert pinned is not None
    assert pinned.cpu == "abc"


def test_the_digest_of_results_does_not_depend_on_where_they_were_made() -> None:
    results = Manifest(kind="output", files=(ENTRY,), folders=())
    assert digest_of(encode(results)) == digest_of(encode(Manifest(kind="output", files=(ENTRY,), folders=())))
    assert b"kernel" not in encode(results)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", "", "a//b", "./a", "a\0b", "a/"])
def test_a_path_that_leads_outside_is_refused(path: str) -> None:
    body = json.loads(encode(MANIFEST))
    body["files"][0]["path"] = path
    with pytest.raises(SnapshotDamaged):
        decode(json.dumps(body).encode())
    body = json.loads(encode(MANIFEST))
    body["folders"] = [path]
    with pytest.raises(SnapshotDamaged):
        decode(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", -1),
        ("size", "3"),
        ("size", True),
        ("sha256", "x" * 64),
        ("sha256", "00"),
        ("mode", None),
        ("stored", -1),
        ("stored", "3"),
        ("data", [[0, 4]]),
        ("data", [[2, 1], [0, 1]]),
        ("data", [[0, 0]]),
        ("data", 3),
        ("data", [[0, 1.0]]),
        ("data", [[0]]),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(key: str, value: object) -> None:
    body = json.loads(encode(MANIFEST))
    body["files"][0][key] = value
    with pytest.raises(SnapshotDamaged):
        decode(json.dumps(body).encode())


def test_a_path_named_twice_is_refused() -> None:
    body = json.loads(encode(MANIFEST))
    body["folders"] = [ENTRY.path]
    with pytest.raises(SnapshotDamaged, match="twice"):
        decode(json.dumps(body).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"format": 1}', b"\xff"])
def test_what_is_no_manifest_is_refused(text: bytes) -> None:
    with pytest.raises(SnapshotDamaged):
        decode(text)


def test_a_newer_format_is_refused_and_named() -> None:
    body = json.loads(encode(MANIFEST))
    body["format"] = 4
    with pytest.raises(SnapshotDamaged, match="format 4; this idleq reads formats up to 3"):
        decode(json.dumps(body).encode())
