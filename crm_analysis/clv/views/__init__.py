"""What a model makes of single customers and of every history: the tables behind the figures."""
