"""`--cluster ray`: runs on the nodes of a Ray cluster, which need neither a shared disk nor a copy of this project.

`executor` places the runs and writes what comes back, `session` connects, `parcels` are the files that a run needs there. On a
node, `agent` is Ray's actor: it has the files by their hash and talks to `host`, the process with this project's code.
"""
