"""Training: one loop for every method, and federated rounds.

No module here knows a task or a method by name.
"""
