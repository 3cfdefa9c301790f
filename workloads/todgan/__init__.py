"""Generators of time-ordered data: the GAN of CRAB's slides, a conditional one that does not collapse, and a VAE."""
