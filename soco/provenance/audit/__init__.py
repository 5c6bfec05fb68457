"""The audit of a run: its files hashed again, its report made again, parts of its work done again."""
