"""What each command does, between the command line that parses and the modules that know how."""
