"""What becomes of the weights: converted to detectron2, fine-tuned, evaluated, probed."""
