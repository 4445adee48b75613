"""Raw input becomes checked tables, once: every row is kept, or set aside under a reason that is counted."""
