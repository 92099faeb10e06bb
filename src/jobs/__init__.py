"""Jobs: configuration in, runs, records and pictures out. The only place where settings become objects."""
