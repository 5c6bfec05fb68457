"""Stores between the stages: Parquet, one row per image; the merged one also as an Arrow file."""
