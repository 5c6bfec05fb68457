"""What frozen features of a backbone tell of labelled images.

KNN and a linear layer, without a detector.
"""
