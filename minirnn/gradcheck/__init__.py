"""Gradient verification: checkers, V-curves, verdicts, error signatures, reports."""
