"""Run `true` jobs through HyperQueue's own Python package, for comparison: `python -m bench.hyperqueue_run JOBS FOLDER`.

Prints jobs and seconds as JSON. Its package holds server and worker in one process; each job writes a file for its
output and one for its errors, as idleq's do.
"""

import json
import sys
import time
from pathlib import Path

from hyperqueue import Job, LocalCluster  # type: ignore[import-not-found]  # installed for this run only
from hyperqueue.cluster import WorkerConfig  # type: ignore[import-not-found]  # as above

CORES = 2


def main(jobs: int, folder: Path) -> None:
    """Time from the submission to the last job; HyperQueue is asked once a second, the jobs' files say it better."""
    with LocalCluster(server_dir=str(folder / "server")) as cluster:
        cluster.start_worker(WorkerConfig(cores=CORES))
        client = cluster.client()
        start = time.time()
        job = Job(folder)
        for _ in range(jobs):
            job.program(["true"])
        client.wait_for_jobs([client.submit(job)])
        written = [path.stat().st_mtime for path in folder.glob("*.stdout")]
    print(json.dumps({"jobs": len(written), "seconds": max(written) - start}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
