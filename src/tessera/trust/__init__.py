"""Floor 3: who may use what for what."""
