"""Raw logs become hits in the lake, each line exactly once."""
