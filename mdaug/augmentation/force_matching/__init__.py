"""A valence force field fitted to the forces of the frames, and the label rule that uses it."""
