"""Floor 2: where it lies."""
