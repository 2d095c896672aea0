"""Simulated raw logs of November 2016, calibrated to the published totals.

Only ``pipeline.demo.demo`` and the command that calls it import this package: the pipeline itself knows
nothing of the figures in ``cells.csv``.
"""
