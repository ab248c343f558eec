"""Implementation of the commands, from several packages."""
