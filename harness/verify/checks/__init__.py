"""The checks of `verify`, one file a concern, in rooms by what they read: files, records, answers, artifacts of training.

Each room's `catalogue` lists its checks and calls them; `harness.verify.checks.catalogue` joins the lists.

A check reads records and answers and returns findings; it writes nothing.
"""
