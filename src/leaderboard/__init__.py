"""Tables and curves that are built from records alone."""
