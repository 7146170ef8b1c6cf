"""Pictures as SVG, made of numbers and words by plain functions: no script, colours by classes of app.css, a name for whoever
listens. Each page prints the same figures in a table beside it."""
