"""A run from recipe to checkpoints: its stages, what is reused, and what is recorded."""
