"""What frozen features of a backbone tell of labelled images: kNN and a linear layer, without a detector."""
