"""Figures used by chapters and reports."""
