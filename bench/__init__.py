"""What `make bench` measures: every module here that has `rows() -> list[Row]`."""
