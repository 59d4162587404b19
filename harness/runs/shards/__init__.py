"""A run that is divided over processes (`--shard`): its processes, and the checkpoints that they write.

May import what `harness.runs` may. Only a divided run loads it.
"""
