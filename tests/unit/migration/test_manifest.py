"""The manifest's text."""

import json

import pytest

from idleq.migration.errors import SnapshotDamaged
from idleq.migration.manifest import FileEntry, Manifest, Origin, decode, digest_of, encode

ENTRY = FileEntry(path="output/a b\n'\udcff", size=3, sha256="0" * 64, mode=0o640)
MANIFEST = Manifest(
    kind="app",
    files=(ENTRY,),
    folders=("output", "checkpoint"),
    origin=Origin(created=17, kernel="6.1", machine="x86_64", cpu="abc"),
)


def test_a_manifest_comes_back_as_it_was_even_with_names_that_are_not_text() -> None:
    assert decode(encode(MANIFEST)) == MANIFEST
    assert MANIFEST.bytes == 3


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
    [("size", -1), ("size", "3"), ("size", True), ("sha256", "x" * 64), ("sha256", "00"), ("mode", None)],
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
    body["format"] = 2
    with pytest.raises(SnapshotDamaged, match="format 2; this idleq reads format 1"):
        decode(json.dumps(body).encode())
