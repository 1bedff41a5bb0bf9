"""Modules: layers, losses, initialisation."""
