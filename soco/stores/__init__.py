"""Stores between the stages: Parquet, one row a picture; the merged one also as a memory-mapped Arrow file."""
