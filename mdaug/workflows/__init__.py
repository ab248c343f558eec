"""What a command does, made of several packages."""
