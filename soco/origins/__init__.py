"""What made a file.

Told inside the file itself, and at length in the record of the job that made it.
"""

from soco.origins.inside import KEY, made_by, metadata_inside, origin_inside, origin_text
from soco.origins.record import Job, Record, described, read_record
from soco.origins.results import write_result
from soco.origins.stage import job_of, stage

__all__ = [
    "KEY",
    "Job",
    "Record",
    "described",
    "job_of",
    "made_by",
    "metadata_inside",
    "origin_inside",
    "origin_text",
    "read_record",
    "stage",
    "write_result",
]
