"""Where results come from: audit, comparison of runs, and the run as an RO-Crate."""
