"""Who a user of the site is, by MUNGE, as Slurm itself knows its users: every node has the daemon, and nobody can be another there."""

import pwd
import subprocess

from idleq.scheduler.errors import DaemonAway

TIMEOUT_S = 10

ENCODE = ("munge", "--no-input")
DECODE = ("unmunge", "--numeric", "--keys=UID", "--metadata=-", "--output=/dev/null")


def credential_for(reader: int) -> str:
    """Return what tells the process of user number *reader*, and nobody else, once, who we are.

    Raises:
        DaemonAway: this machine has no MUNGE, so the daemon cannot be asked from here.
    """
    try:
        argv = [*ENCODE, f"--restrict-uid={reader}"]
        made = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise DaemonAway(f"the site's daemon knows its users by MUNGE, which fails here: {error}") from error
    return made.stdout.decode("ascii").strip()


def user_of(credential: bytes) -> str | None:
    """Return who made *credential*, None if it is none for us, has been shown before, or is minutes old."""
    try:
        read = subprocess.run(DECODE, input=credential, capture_output=True, timeout=TIMEOUT_S, check=True)
        return pwd.getpwuid(number_in(read.stdout.decode())).pw_name
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def number_in(said: str) -> int:
    """Return the user's number in what unmunge *said*; raise ValueError if there is none."""
    key, _, number = said.strip().partition(":")
    if key != "UID" or not number.strip().isdecimal():
        raise ValueError(said)
    return int(number)
