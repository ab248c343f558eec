"""Sampling of frames by MD with any ASE calculator, and statistics of the sampling."""
