"""Measurements on models and trajectories: accuracy, scans, drift, stability, frequencies, label errors."""
