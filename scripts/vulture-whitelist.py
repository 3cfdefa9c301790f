"""Names that only look unused: something outside the code calls them."""
