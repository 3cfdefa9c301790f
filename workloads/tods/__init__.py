"""Time-ordered data of a LiteBIRD-like detector: noise, cosmic rays, the files that hold them."""
