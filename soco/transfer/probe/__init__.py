"""Probe a frozen backbone on labelled images, by kNN and a linear layer, without a detector."""
