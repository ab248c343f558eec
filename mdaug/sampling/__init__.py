"""Frames made by MD with any ASE calculator, and the statistics of a sampling."""
