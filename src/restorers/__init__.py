"""Methods behind one interface: degraded faces in, restored faces out."""
