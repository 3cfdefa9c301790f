"""Gamma or hadron: a small CNN on images as their own showers see them, measured beside cuts on Hillas parameters."""
