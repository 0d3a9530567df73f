"""The command line: `bus`, with each command in a file of its own that is imported when it is called."""
