"""Pictures: pure functions from numbers to SVG; colours by class, so that the page's theme gives them; no script needed."""
