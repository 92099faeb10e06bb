"""Configuration: schema registration, validation, run identity and the jobs of a sweep. Imports no torch."""
