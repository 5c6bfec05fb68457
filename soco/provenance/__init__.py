"""Where results come from: the audit of a run, the comparison of two, the run as an RO-Crate."""
