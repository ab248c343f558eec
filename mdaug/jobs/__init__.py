"""Independent jobs: in this process, in several of this machine, or on the workers of a Dask cluster.

A job that fails runs once more, elsewhere if possible; one whose process is killed runs again, at most three
times in all. Neither costs the other jobs anything.
"""

from mdaug.jobs.job import Failure, Job, error_of
from mdaug.jobs.queue import JobQueue, run_jobs
from mdaug.jobs.workers import Where

__all__ = ["Failure", "Job", "JobQueue", "Where", "error_of", "run_jobs"]
