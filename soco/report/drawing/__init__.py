"""What `soco show` and the report draw alike.

Boxes and masks on images, samples with their views, curves.
"""
