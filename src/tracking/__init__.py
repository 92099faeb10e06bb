"""Records of evaluations, their provenance, and the W&B view of them."""
