"""Measures ALEJO. Adds the command `alejo bench`."""
