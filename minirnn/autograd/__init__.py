"""The tape and its operations, each with its vector-Jacobian product beside it."""
