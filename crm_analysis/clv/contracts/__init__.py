"""Models of renewals, for customers who say when they leave."""
