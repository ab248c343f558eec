"""Settings of the commands, and where they come from: files, options, defaults."""
