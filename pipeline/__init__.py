"""Tidegauge: session counts per country and local day from raw web server logs.

Raw lines become hits, hits become sessions, sessions become days, SQL turns days into answers;
every step can be re-run and gives the same files. ``docs/understand/line.md`` follows one line.
"""

__version__ = "0.5.0"
