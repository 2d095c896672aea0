"""November 2016, to try: the storm simulated, counted, and held against what was published."""
