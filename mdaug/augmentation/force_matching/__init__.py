"""A valence force field matched to the frames' own forces, and the label rule made of it."""
