"""The command line: one thin file per command, which parses options and prints results."""
