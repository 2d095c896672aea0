"""Hits become sessions, sessions become days; which days are stale, and how complete."""
