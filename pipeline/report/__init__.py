"""The report: one self-contained HTML page about a lake's largest surge, with its caveats."""
