"""Stores between the stages: Parquet, one row an image; the merged one also as a memory-mapped Arrow file."""
