"""Policies: findings in, verdict out. They know nothing of expressions, GPUs or sockets."""
