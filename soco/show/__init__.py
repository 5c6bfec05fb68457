"""Pictures of what the workflow makes of one picture; `soco show`."""
