"""Convert pretrained weights, fine-tune and evaluate detectors, and probe backbones."""
