"""Images of what the workflow makes of one image; `soco show`."""
