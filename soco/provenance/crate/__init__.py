"""A run as a Workflow Run RO-Crate: the workflow, its inputs and outputs, and all jobs.

Profiles: RO-Crate 1.1, Workflow RO-Crate 1.0, and Process, Workflow and Provenance Run Crate 0.5
(https://www.researchobject.org/workflow-run-crate/).
"""

from soco.provenance.crate.build import export_crate

__all__ = ["export_crate"]
