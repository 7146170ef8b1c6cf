"""Floor 9: a made-up smart-home shop that plays the outside world, with the truth known."""
