"""Run folders: their files, records and owners."""
