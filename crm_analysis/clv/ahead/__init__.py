"""What a base will buy and be worth, on the season's clock, and how such forecasts fared before."""
