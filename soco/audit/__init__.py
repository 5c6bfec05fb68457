"""The audit of a run: its files hashed again, its report made again, parts of its work done again."""

from soco.audit.checks import Check
from soco.audit.run import Options, audit
from soco.audit.table import as_table, failed, write_audit

__all__ = ["Check", "Options", "as_table", "audit", "failed", "write_audit"]
