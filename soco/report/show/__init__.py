"""`soco show`: drawings of proposals, views and losses."""
