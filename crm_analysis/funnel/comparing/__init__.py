"""Which part of the gap between firms each stage accounts for, and how surely."""
