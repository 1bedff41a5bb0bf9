"""Models of the sources, one file each."""
