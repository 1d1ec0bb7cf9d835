"""Products that keep themselves fresh: what is due, and the runs that build, test and publish it."""
