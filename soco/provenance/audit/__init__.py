"""The audit of a run: hash its files again, build its report again, repeat parts of its work."""
