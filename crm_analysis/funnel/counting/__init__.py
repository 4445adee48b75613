"""Who reached which stage, by declared rules: from stage history, from events, or from counts."""
