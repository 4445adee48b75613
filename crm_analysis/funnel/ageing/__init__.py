"""How old opportunities are when they are won or lost, and what becomes of the open ones."""
