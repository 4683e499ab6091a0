"""Verdicts that others made, read into our own: one file for each kind of source. Pure; all input is hostile.

Each reader is given `who_had`, which says who held an address at a time: an address alone is nobody's, and may
be another's since. What names nobody of ours gives nothing.
"""
