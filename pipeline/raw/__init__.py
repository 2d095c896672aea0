"""Raw files: which are there, what they are packed in, and their lines."""
