"""What customers are worth: each of them, groups, newcomers, the whole base and what moved it."""
