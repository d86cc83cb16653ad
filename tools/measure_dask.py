"""Measure what Dask costs per job and what a second worker brings: runs/dask.json.

First 10,000 jobs that do nothing, then trainings of one epoch: each with one worker and
with two, which share this machine.
"""

import datetime
import json
import shutil
import time

from distributed import Client, LocalCluster, wait
from jobs import Job, lecture
from provenance import provenance
from record import RUNS, run_on_worker, write

EMPTY, TRAININGS = 10_000, 2


def seconds_of(client, function, tasks):
    """Return how long the client takes for all tasks."""
    start = time.perf_counter()
    wait([client.submit(function, *task, pure=False) for task in tasks])
    return time.perf_counter() - start


def main():
    """Measure and write the record."""
    measured = {"empty_jobs": EMPTY, "trainings": TRAININGS, **provenance()}
    jobs = [
        Job("dask", f"training {n}", n, 425, lecture(), epochs=1)
        for n in range(TRAININGS)
    ]
    trainings = [(job._asdict(), job.folder) for job in jobs]
    for workers in (1, 2):
        cluster = {"n_workers": workers, "threads_per_worker": 1}
        with (
            LocalCluster(**cluster, host="127.0.0.1") as local,
            Client(local) as client,
        ):
            empty = seconds_of(client, int, [()] * EMPTY)
            training = seconds_of(client, run_on_worker, trainings)
        shutil.rmtree(RUNS / "dask")
        measured[f"workers_{workers}"] = {
            "milliseconds_per_empty_job": round(1000 * empty / EMPTY, 2),
            "trainings_per_hour": round(3600 * TRAININGS / training, 1),
        }
    measured["finished"] = datetime.date.today().isoformat()
    write(RUNS / "dask.json", json.dumps(measured, indent=2) + "\n")
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
