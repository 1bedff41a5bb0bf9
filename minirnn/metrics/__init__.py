"""Numbers that tables report."""

from minirnn.metrics.perplexity import Perplexity, bits_per_character, perplexity

__all__ = ["Perplexity", "bits_per_character", "perplexity"]
