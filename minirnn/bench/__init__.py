"""Speed, side by side: the same work in minirnn, PyTorch and JAX, timed in turn, after their gradients agreed."""
