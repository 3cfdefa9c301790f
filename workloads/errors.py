"""What can go wrong in a workload, each kind with the exit code that the process ends with.

    WorkloadError                1   the job failed
    |- BadOption                 2   an option, or a combination of options, that cannot work
    |- DamagedData              65   a data set, table or weights file that is not what it claims to be
    |- MissingInput             66   a file that the job was told to read is not there
    |- MissingPackage           69   a package of the `train` extra is not installed
    |- MissingDevice            71   the device that was asked for is not there
    |- CannotSave               74   a file could not be written: the disk is full, or not writable
    `- CheckpointRefused        76   a checkpoint verifies but does not belong to this job

0, 85 and 99 have a meaning of their own in the workload contract and are never used for an error.
"""


class WorkloadError(Exception):
    """The job failed."""

    exit_code = 1


class BadOption(WorkloadError):
    """An unknown option, or a value that cannot work (`--steps 0`, fewer events than a batch)."""

    exit_code = 2


class DamagedData(WorkloadError):
    """A data set, table or weights file is damaged, or is of another version."""

    exit_code = 65


class MissingInput(WorkloadError):
    """A file that the job was told to read is not there."""

    exit_code = 66


class MissingPackage(WorkloadError):
    """A package of the `train` extra is not installed."""

    exit_code = 69

    def __init__(self, package: str) -> None:
        super().__init__(
            f"the package '{package}' is not installed; install the training extra: pip install 'idleq[train]'"
        )
        self.package = package


class MissingDevice(WorkloadError):
    """The device that was asked for is not there: `--device cuda`, and torch finds no GPU."""

    exit_code = 71


class CannotSave(WorkloadError):
    """A file could not be written: the disk is full, or the folder not writable."""

    exit_code = 74


class CheckpointRefused(WorkloadError):
    """A checkpoint verifies but does not belong to this job."""

    exit_code = 76
