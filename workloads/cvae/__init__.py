"""A variational autoencoder conditioned on size, after arXiv:2211.12553, sized for one CPU core."""
