"""A night, an hour, and what the DAGs share of them."""
