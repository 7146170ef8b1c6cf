"""Pictures: SVG that Python draws, from numbers to a Markup string."""
