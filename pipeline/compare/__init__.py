"""What a changed setting would do to the figures, without touching the lake."""
