"""Perplexity and its kin."""
