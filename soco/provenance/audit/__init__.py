"""The audit of a run.

Its files hashed again, its report made again, parts of its work done again.
"""
