"""Stores between the stages: Parquet, one row an image.

The merged one also as a memory-mapped Arrow file.
"""
