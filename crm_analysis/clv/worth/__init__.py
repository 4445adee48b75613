"""What customers are worth: each of them, newcomers, the whole base and what moved it."""
