"""Which sentence the figures support."""
