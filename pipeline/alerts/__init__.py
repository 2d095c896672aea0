"""What is said unasked: surges, incomplete and restated days, failures; to whom."""
