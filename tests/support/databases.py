"""Fresh databases for journals: import these fixtures into a conftest."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from idleq.scheduler.store.database import sqlite_url
from support import postgres

COUNT = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A server's URL: IDLEQ_POSTGRES_URL, else a server started here, else the test is skipped and says so."""
    if url := os.environ.get("IDLEQ_POSTGRES_URL"):
        yield url
    elif folder := postgres.programs():
        with postgres.server(folder) as url:
            yield url
    else:
        why = "PostgreSQL is neither installed (Debian: apt-get install postgresql) nor named by IDLEQ_POSTGRES_URL"
        if os.environ.get("IDLEQ_REQUIRE_POSTGRES") == "1":
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A schema of the test's own."""
    schema = f"idleq_test_{os.getpid()}_{next(COUNT)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        separator = "&" if "?" in postgres_server else "?"
        yield f"{postgres_server}{separator}options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite_url(tmp_path / "journal.db")
