"""How likely people are to reach the goals that a company names: an event, or a purchase of some products."""
