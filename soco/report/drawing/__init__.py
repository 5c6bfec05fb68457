"""What `soco show` and the report draw alike: boxes and masks on images, samples with their views, curves."""
