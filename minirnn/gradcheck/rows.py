"""A checked case as a line of the table: its parts, their errors and verdicts."""

from dataclasses import dataclass, replace

from minirnn.gradcheck.findings import Finding
from minirnn.gradcheck.verdict import Verdict, severest


@dataclass(frozen=True)
class Part:
    """One of the ways a case is checked: against differences (with its Finding), or one form against another."""

    label: str
    error: float
    verdict: Verdict
    finding: Finding | None = None

    def named(self, case):
        """The same part, its finding named after the case."""
        finding = self.finding and replace(self.finding, name=f"{case}, {self.label}")
        return replace(self, finding=finding)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: str
    name: str
    parts: tuple
    seconds: float

    @property
    def verdict(self):
        return severest(part.verdict for part in self.parts)

    @property
    def proven(self):
        """The findings in float64, whose errors count."""
        return [p.finding for p in self.parts if p.finding is not None and p.finding.dtype == "float64"]

    @property
    def error(self):
        """Worst relative error against the best measurement, in float64."""
        return max((finding.error for finding in self.proven), default=0.0)

    @property
    def bottom(self):
        """Worst relative error at the bottom of the V-curves of differences alone, in float64."""
        return max((finding.bottom for finding in self.proven), default=0.0)


def measured(label, finding):
    return Part(label, finding.error, finding.verdict, finding)
