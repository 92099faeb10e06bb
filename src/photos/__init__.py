"""Whole photographs: find faces, restore them, and put them back."""
