"""What of containers and of criu can be used on this machine, for tests that need it; the testbed's nodes have all of it."""

import os
import shutil
import subprocess

import pytest

from idleq.migration.capabilities import why_no_criu
from idleq.migration.enclosed import why_not

IMAGE = "idleq-workloads"


def has_image(engine: str) -> bool:
    """Whether *engine* is here, can be used by us to freeze, and has the workloads' image."""
    if shutil.which(engine) is None or os.geteuid() != 0:
        return False
    said = subprocess.run([engine, "image", "inspect", IMAGE], capture_output=True, check=False)
    return said.returncode == 0


NAMESPACES = pytest.mark.skipif(bool(why_not()), reason=f"no namespaces can be made here: {why_not()}")
CRIU = pytest.mark.skipif(bool(why_no_criu()), reason=f"criu cannot freeze here: {why_no_criu()}")
NO_CRIU = pytest.mark.skipif(not why_no_criu(), reason="here criu can freeze")
PODMAN, DOCKER = (
    pytest.mark.skipif(not has_image(engine), reason=f"{engine} here has no image {IMAGE}: the testbed's nodes have it")
    for engine in ("podman", "docker")
)
IMAGES = [pytest.param("podman", marks=PODMAN), pytest.param("docker", marks=DOCKER)]
