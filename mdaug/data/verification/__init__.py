"""Checks of frames: each returns a verdict; certain faults are refused at every load."""
