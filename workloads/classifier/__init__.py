"""Gamma or hadron: a small CNN on the camera's map, measured beside cuts on Hillas parameters."""
