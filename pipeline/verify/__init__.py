"""Proof of a lake: what it holds is what its inputs give, counted by other code than ``sql/``."""
