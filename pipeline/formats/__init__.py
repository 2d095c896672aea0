"""One module per family of log layouts; each turns the lines of a block into fields."""
