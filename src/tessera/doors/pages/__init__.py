"""The pages: what stands, made visible, for the people who work in it and for the customer herself."""
