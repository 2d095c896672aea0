"""Simulated raw logs of November 2016, calibrated to the published totals.

Only the modules of ``demo`` import this package: the pipeline itself knows nothing of
 the figures in ``cells.csv``.
"""
