"""Examination of a force field by one battery of tests: each part measures, and says whether it passes."""
