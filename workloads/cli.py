"""`idleq-workload`: the named jobs as programs; each job's libraries are imported only when it runs."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from idleq.workloads.errors import MissingPackage, WorkloadError
from idleq.workloads.messages import say

# Job -> (its module, one line for --help). A module offers add_options(parser) and run(options) -> exit code.
JOBS = {
    "count": ("idleq.workloads.count", "count with a state of a given size: a job for trying the machinery"),
    "simulate-tods": ("idleq.workloads.tods.simulate", "simulate time-ordered data with cosmic-ray hits"),
    "train-todgan": ("idleq.workloads.todgan.train", "train a generator of time-ordered data: a GAN or a VAE"),
    "generate-todgan": ("idleq.workloads.todgan.generate", "generate time-ordered data with trained weights"),
    "evaluate-tods": ("idleq.workloads.todjudge.evaluate", "compare generated time-ordered data with held-out truth"),
    "make-data": ("idleq.workloads.iact.make", "make the TAIGA-IACT data set ahead of a training"),
    "ingest": ("idleq.workloads.iact.ingest", "bring other telescopes' events (HDF5, sim_telarray) into one form"),
    "simulate-showers": (
        "idleq.workloads.iact.simulate",
        "simulate TAIGA-IACT events, a file for each task of an array",
    ),
    "train-cgan": ("idleq.workloads.cgan.train", "train the conditional GAN on TAIGA-IACT images"),
    "generate-cgan": ("idleq.workloads.cgan.generate", "generate images with a trained conditional GAN"),
    "train-cvae": ("idleq.workloads.cvae.train", "train the conditional VAE on TAIGA-IACT images"),
    "generate-cvae": ("idleq.workloads.cvae.generate", "generate images with a trained conditional VAE"),
    "train-classifier": ("idleq.workloads.classifier.train", "train the gamma/hadron classifier on TAIGA-IACT images"),
    "evaluate-images": ("idleq.workloads.judging.evaluate", "compare generated TAIGA-IACT images with held-out truth"),
}

# Top-level packages of the `train` extra: their absence has a plain answer.
TRAIN_PACKAGES = (
    "torch",
    "ctapipe",
    "matplotlib",
    "safetensors",
    "astropy",
    "eventio",
    "h5py",
    "pyarrow",
    "scipy",
    "sklearn",
    "tables",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one job; errors become one line on stderr and the exit code of their kind."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except WorkloadError as error:
        say(f"idleq-workload: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(arguments: list[str]) -> int:
    name = arguments[0] if arguments and arguments[0] in JOBS else None
    parser, _ = _parsers(name)
    options = parser.parse_args(arguments)
    module = importlib.import_module(JOBS[options.job][0])
    try:
        return int(module.run(options))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAIN_PACKAGES:
            raise
        raise MissingPackage(error.name or "?") from error


def parser_of(job: str) -> argparse.ArgumentParser:
    """What reads the options of *job*, for its page of the documentation."""
    return _parsers(job)[1][job]


def _parsers(chosen: str | None) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """All the jobs together and by name, with the options of the *chosen* one only (the others stay unimported)."""
    parser = argparse.ArgumentParser(
        prog="idleq-workload", description="The named jobs of idleq, as programs.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="job", required=True, metavar="JOB")
    by_name = {
        name: commands.add_parser(name, help=description, description=description, allow_abbrev=False)
        for name, (_, description) in JOBS.items()
    }
    if chosen is not None:
        importlib.import_module(JOBS[chosen][0]).add_options(by_name[chosen])
    return parser, by_name


if __name__ == "__main__":
    sys.exit(main())
