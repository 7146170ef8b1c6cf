"""Floor 6, what we do about it: people as the live engine knows them, and what is decided for them."""
