"""A second, slow reading of docs/definitions.md, written from that page alone.

It shares no code with the program that it checks, uses no DuckDB and no Arrow table, and reads one
line after the other in plain Python: `reading` (bytes to lines), `lines` (line to hit), `visits`
(what a hit is and whose), `databases` (country in force), `counting` (sessions, days, hours).
"""
