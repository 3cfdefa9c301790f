"""The interpreter of the tests and its packages, as nodes see them: read-only, with the checkout as `idleq`."""

import shutil
import sys
import sysconfig
from pathlib import Path

from testbed import lagging

PACKAGES = Path("/shared/packages")
CHECKOUT = Path("/shared/idleq")
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
SYSTEM = Path("/usr")

PROFILE = """\
PATH=/shared/venv/bin:$PATH
cd
"""
"""Where a person's shell begins, and what is at hand there."""

IDLEQ = """\
#!/shared/venv/bin/python
import sys

from idleq.cli import main

sys.exit(main())
"""


def base() -> Path:
    """Return the folder of the interpreter on this machine."""
    return Path(sys.base_prefix)


def home() -> Path:
    """Return where nodes see that folder: a built Python wants to stay where it is, Debian's own would cover theirs."""
    return Path("/shared/python") if base() == SYSTEM else base()


def packages() -> Path:
    """Return the folder of the packages that the tests have."""
    return Path(sysconfig.get_path("purelib"))


def make_environment(folder: Path) -> None:
    """Make what nodes see as /shared/venv: bin/python with idleq and its packages, and bin/idleq."""
    site = folder / "lib" / VERSION / "site-packages"
    for part in (folder / "bin", site):
        part.mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(home() / "bin" / VERSION)
    (folder / "pyvenv.cfg").write_text(f"home = {home()}/bin\ninclude-system-site-packages = false\n")
    # A folder named in a .pth is searched, its own .pth files are not: the checkout's editable install stays out.
    (site / "nodes.pth").write_text(f"{CHECKOUT}/src\n{PACKAGES}\nimport lagging\n")
    shutil.copy(lagging.__file__, site)
    idleq = folder / "bin" / "idleq"
    idleq.write_text(IDLEQ)
    idleq.chmod(0o755)
