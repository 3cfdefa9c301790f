import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.config import (
    CLUSTERS,
    Config,
    ContainerSettings,
    EmbeddedSettings,
    LocalSettings,
    ServerSettings,
    SnapshotSettings,
    check_that_nodes_reach,
    load_config,
)
from idleq.scheduler.core.commands import Mode, Sharing
from idleq.scheduler.core.policy import MINUTE, Policy
from idleq.scheduler.errors import BadConfig
from idleq.scheduler.keys import LIMITS, keys

ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_where_nothing_is_set_the_defaults_hold(file: Path) -> None:
    assert load_config(file) == Config()
    file.touch()
    assert load_config(file) == Config(server=ServerSettings(), policy=Policy(), cluster=LocalSettings())


def test_every_kind_of_value_is_read_in_human_units(file: Path) -> None:
    file.write_text("""
        [server]
        address = "::1"
        port = 8443
        database = "postgresql://idleq:secret@db/idleq"
        transport = "spool"
        [policy]
        mode = "window"
        grace = "1m30s"
        max_pending = 7
        [cluster]
        kind = "embedded"
        nodes = 8
        memory = "1.5G"
        load = 1
        speed = 60.5
        trace = "kth.swf"
        grace = "5s"
        [containers]
        roots = ["/data", "/projects/iact"]
        image = "idleq-workloads:2"
    """)
    assert load_config(file) == Config(
        server=ServerSettings(
            address="::1", port=8443, database="postgresql://idleq:secret@db/idleq", transport="spool"
        ),
        policy=dataclasses.replace(Policy(), mode=Mode.WINDOW, grace_ms=Millis(90_000), max_pending=7),
        cluster=EmbeddedSettings(
            nodes=8, memory_bytes=3 * 2**29, load=1.0, speed=60.5, trace="kth.swf", grace_ms=Millis(5000)
        ),
        containers=ContainerSettings(roots=("/data", "/projects/iact"), image="idleq-workloads:2"),
    )


def test_the_embedded_cluster_gives_the_grace_that_the_policy_believes_in(file: Path) -> None:
    file.write_text('policy.grace = "7s"\ncluster.kind = "embedded"')
    assert load_config(file).cluster == EmbeddedSettings(grace_ms=Millis(7000))


@pytest.mark.parametrize(
    ("text", "transport"),
    [
        ("", "api"),
        ("cluster.kind = 'slurm'", "spool"),
        ("cluster.kind = 'slurm'\nserver.transport = 'api'", "api"),
        ("server.transport = 'spool'", "spool"),
    ],
)
def test_agents_on_slurm_speak_by_files_unless_told_otherwise(file: Path, text: str, transport: str) -> None:
    file.write_text(text)
    assert load_config(file).transport == transport


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("", (1, 3_000)),
        ("cluster.kind = 'slurm'", (MINUTE, 15_000)),
        ("cluster.kind = 'slurm'\npolicy = {grain = '5m', begin = '1m'}", (5 * MINUTE, MINUTE)),
    ],
    ids=["here", "slurm", "set"],
)
def test_lengths_are_asked_for_as_slurm_counts_them_unless_told_otherwise(
    file: Path, text: str, lengths: tuple[int, int]
) -> None:
    file.write_text(text)
    policy = load_config(file).policy
    assert (policy.grain_ms, policy.begin_ms) == lengths


SITE = """
    [server]
    shared = "/shared/idleq"
    [cluster]
    kind = "slurm"
    rest = "http://login:6820"
"""


def test_a_daemon_of_many_users_keeps_them_apart_and_speaks_with_agents_by_https(file: Path) -> None:
    file.write_text(SITE)
    config = load_config(file)
    assert (config.transport, config.policy.sharing) == ("api", Sharing.USER)


@pytest.mark.parametrize(
    ("instead", "of", "problem"),
    [
        ("shared", "/shared", "name it from the root"),
        ('kind = "local"\n', 'kind = "slurm"\n    rest = "http://login:6820"', "in each user's name"),
        ("", 'rest = "http://login:6820"', "in each user's name"),
        ('[server]\ntransport = "spool"', "[server]", "for the agents of one user"),
    ],
)
def test_what_a_daemon_of_many_users_cannot_do_without_is_told(file: Path, instead: str, of: str, problem: str) -> None:
    file.write_text(SITE.replace(of, instead, 1))
    with pytest.raises(BadConfig, match=problem):
        load_config(file)


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])
def test_an_address_that_nodes_cannot_reach_is_refused(address: str) -> None:
    with pytest.raises(BadConfig, match="agents on other nodes cannot reach that"):
        check_that_nodes_reach(ServerSettings(address=address))
    check_that_nodes_reach(ServerSettings(address="10.77.0.10"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("polcy.lease = '3s'", "there is no key polcy; did you mean policy?"),
        ("policy.leese = '3s'", "there is no key policy.leese; did you mean policy.lease?"),
        (
            "server.colour = 1",
            "there is no key server.colour; there are address, database, port, shared, takeover, transport",
        ),
        ("policy = 3", "policy is 3; it is a table"),
        ("containers.roots = '/data'", "containers.roots: '/data' is not a list of texts, like [\"/data\"]"),
        ("containers.roots = [7]", "containers.roots: 7 is not text in quotes"),
        ("containers.roots = ['/']", "containers.roots: / would show containers all of the node"),
        ("containers.roots = ['data']", "containers.roots: 'data' is no full path"),
        ("containers.roots = ['/data/../etc']", "containers.roots: '/data/../etc' holds '..'"),
        ("containers.image = '-x'", "containers.image: '-x' is no name of an image"),
        ("policy.lease = 30", 'policy.lease: 30 is not a duration like "30s"'),
        ("policy.lease = '-30s'", "policy.lease: '-30s' is not a duration like \"30s\""),
        ("policy.lease = '0s'", 'policy.lease: "0s" is not allowed; it must be "1ms" to "36600d"'),
        ("policy.lease = '99999d'", 'policy.lease: "99999d" is not allowed'),
        ("policy.max_pending = 0", "policy.max_pending: 0 is not allowed; it must be 1 or more"),
        ("policy.max_pending = 2.5", "policy.max_pending: 2.5 is not a whole number"),
        ("policy.max_pending = true", "policy.max_pending: True is not a whole number"),
        ("policy.mode = 'rude'", 'policy.mode: \'rude\' is not "preemptible" or "window"'),
        ("policy.min_gap = '5h'", "policy.min_gap is longer than policy.max_allocation"),
        (
            "policy = {min_gap = '90s', max_allocation = '119s'}\ncluster.kind = 'slurm'",
            "less than policy.min_gap once",
        ),
        (
            "policy = {min_gap = '9s', max_allocation = '9s', begin = '9s'}",
            "policy.begin is all of policy.max_allocation",
        ),
        ("policy.grain = '90s'\ncluster.kind = 'slurm'", "policy.grain: Slurm counts in whole minutes"),
        ("policy.grain = '0s'\ncluster.kind = 'slurm'", "policy.grain: Slurm counts in whole minutes"),
        ("policy.grain = '1ms'\ncluster.kind = 'slurm'", "policy.grain: Slurm counts in whole minutes"),
        ("server.port = 65536", "server.port: 65536 is not allowed; it must be 0 to 65535"),
        ("server.address = 'somewhere'", "server.address: 'somewhere' is no IP address"),
        ("server.address = 1", "server.address: 1 is not text in quotes"),
        ("server.transport = ['api']", 'server.transport: [\'api\'] is not "auto" or "api" or "spool"'),
        ("cluster.kind = 'pbs'", 'cluster.kind is \'pbs\'; it may be "local" or "embedded" or "slurm"'),
        ("cluster.kind = []", "cluster.kind is []; it may be"),
        ("cluster.seed = 3", 'cluster.seed is for cluster.kind = "embedded" only; this one is "local"'),
        ("cluster.cores = 0", "cluster.cores: 0 is not allowed; it must be 1 to 4096"),
        ("cluster.memory = '2'", "cluster.memory: '2' is not a size like \"512M\""),
        ("cluster.memory = '0B'", 'cluster.memory: "0B" is not allowed'),
        ("cluster = {kind = 'embedded', load = nan}", "cluster.load: nan is not allowed; it must be 0 to 2"),
        ("cluster = {kind = 'embedded', speed = 0}", "cluster.speed: 0.0 is not allowed"),
        ("cluster = {kind = 'embedded', seed = -1}", "cluster.seed: -1 is not allowed; it must be 0 or more"),
        *(
            (
                f"cluster = {{kind = 'slurm', rest = '{address}'}}",
                f"cluster.rest: '{address}' is no address like \"http://HOST:6820\"",
            )
            for address in (
                "http://login:68x0",
                "http://login:99999",
                "unix:/run/slurmrestd",
                "login:6820",
                "http://[::1",
            )
        ),
        ("[policy\nlease = 1", "is not TOML: Expected ']'"),
        ("a = 1\na = 2", "is not TOML: Cannot overwrite a value"),
    ],
)
def test_what_is_wrong_is_told_with_its_file_and_key_and_what_is_allowed(file: Path, text: str, problem: str) -> None:
    file.write_text(text)
    with pytest.raises(BadConfig) as caught:
        load_config(file)
    assert str(caught.value).startswith(str(file))
    assert problem in str(caught.value)


def test_a_password_in_a_url_is_not_repeated(file: Path) -> None:
    file.write_text("server.database = 'mysql://idleq:secret@db'")
    with pytest.raises(BadConfig, match=r'server.database: the URL does not begin with "sqlite:///" or') as caught:
        load_config(file)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfig, match=r"config\.toml is not TOML"):
        load_config(file)


def test_a_directory_in_its_place_is_refused(file: Path) -> None:
    file.mkdir()
    with pytest.raises(BadConfig, match=r"config\.toml cannot be read: Is a directory"):
        load_config(file)


@pytest.mark.parametrize("settings", [ServerSettings, Policy, *CLUSTERS.values()])
def test_every_default_is_allowed(settings: type) -> None:
    for key in keys(settings).values():
        least, most = key.limits
        assert not isinstance(key.default, int | float) or least <= key.default <= most, key.name


def test_every_limit_is_of_a_key_that_exists() -> None:
    known = {
        name for settings in (ServerSettings, Policy, SnapshotSettings, *CLUSTERS.values()) for name in keys(settings)
    }
    assert set(LIMITS) - known == set()


def test_the_reference_page_is_current() -> None:
    script = ROOT / "scripts" / "configuration-reference"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
