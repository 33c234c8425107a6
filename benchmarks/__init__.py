"""Side-by-side measurements of what the suite adds to plain PyTorch: `make bench`, on an otherwise idle machine."""
