"""Readers of the outside world, one file per kind of source."""
