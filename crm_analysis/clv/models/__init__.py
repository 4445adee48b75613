"""Models of purchases and of spend, from one row per customer."""
