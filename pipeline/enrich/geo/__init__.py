"""Where an address was, by the dated database in force that day: find, fetch, look up."""
