"""What people like: topics of a taxonomy, read from what they write and from what they look at and buy."""
