"""Compares two results byte for byte."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two folders have in common.

    Attributes:
        identical: whether they hold the same files with the same bytes.
        files: how many files were compared.
        bytes: how many bytes those have.
        differences: the files that differ, or that only one folder has.
        digest: SHA-256 over the first folder's names and contents.
    """

    identical: bool
    files: int
    bytes: int
    differences: tuple[str, ...]
    digest: str


def compare(one: Path, other: Path) -> Comparison:
    """Compare every file of two folders; two empty ones are not called identical, since nothing was shown."""
    first, second = _digests(one), _digests(other)
    names = sorted(first.keys() | second.keys())
    differences = tuple(name for name in names if first.get(name) != second.get(name))
    total = hashlib.sha256("".join(f"{name}\0{first[name][0]}\n" for name in sorted(first)).encode())
    return Comparison(
        identical=bool(first) and not differences,
        files=len(names),
        bytes=sum(size for _, size in first.values()),
        differences=differences,
        digest=total.hexdigest(),
    )


def _digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.relative_to(folder).as_posix(): (_digest(path), path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
