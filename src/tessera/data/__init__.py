"""Floor 4: what happened, to whom."""
