"""What a base will buy, on the season's clock, and how such forecasts fared before."""
