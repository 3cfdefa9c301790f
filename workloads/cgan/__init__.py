"""The conditional GAN of arXiv:2211.15807, sized for one CPU core."""
