"""Weights on disk: published layouts, the suite's own files, the run store and safe loading."""
