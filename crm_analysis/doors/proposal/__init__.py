"""A workspace proposed from an export: its columns by names and values, everything else to be confirmed."""
