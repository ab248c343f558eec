"""Pairs, periodic images, bond graphs, molecules, internal coordinates, rigid motion; neighbor lists."""
