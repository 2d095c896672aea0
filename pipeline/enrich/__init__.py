"""Fields of a line become a hit: day, client, country, robot, asset, visitor."""
