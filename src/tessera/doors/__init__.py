"""Floor 9: every way in and out."""
