"""What frozen features of a backbone tell of labelled pictures: kNN and a linear layer, without a detector."""
