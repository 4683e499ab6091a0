"""Doors that wait for others to speak."""
