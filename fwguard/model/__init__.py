"""Frozen values that every room shares. What exists is valid."""
