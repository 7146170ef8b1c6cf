"""Charts: pure functions from numbers to SVG."""
