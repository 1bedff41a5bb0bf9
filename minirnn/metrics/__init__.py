"""Numbers that tables report."""

from minirnn.metrics.entities import Entity, EntityScores, Scores, entities, entity_f1
from minirnn.metrics.f1 import ClassScores
from minirnn.metrics.perplexity import Perplexity, bits_per_character, perplexity

__all__ = [
    "ClassScores",
    "Entity",
    "EntityScores",
    "Perplexity",
    "Scores",
    "bits_per_character",
    "entities",
    "entity_f1",
    "perplexity",
]
