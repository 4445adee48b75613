"""Maximum likelihood, once for all models: the climb, the optimum, covariance and intervals."""
