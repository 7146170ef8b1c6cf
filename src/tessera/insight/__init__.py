"""Floor 5: what it means."""
