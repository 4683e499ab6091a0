"""The contract as data. Reads the folder `rules/`."""
