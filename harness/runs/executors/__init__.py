"""Places where runs work beside processes that share one machine: its cards, a cluster.

An `Executor` of `harness.runs.job` starts jobs there; SLURM starts the program itself, by a script. Law: an executor starts jobs and carries back what they report. It decides no setting of a run and writes no record. It is imported
only by the branch of its flag, since a plain run does not need it.
"""
