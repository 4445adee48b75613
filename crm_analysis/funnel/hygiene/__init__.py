"""Lists of what is to be put right before counting, or before the next contact."""
