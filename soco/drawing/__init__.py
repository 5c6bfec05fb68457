"""What `soco show` and the report draw alike: boxes and masks on pictures, samples with their views, curves."""
