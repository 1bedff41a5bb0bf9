"""Optimisers, clipping, schedules, weight averaging."""
