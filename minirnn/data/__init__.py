"""Data sets: registry, loaders, generated twins, verified downloads."""
