"""Blind face restoration suite."""
