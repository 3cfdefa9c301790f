"""What `make bench` measures. Each module but run, row and one has `rows() -> list[Row]`."""
