"""The reading of a data file: its columns by their use, all of its faults in one list, and the flags that mend them.

A guess about a file is suggested to the user and never applied unseen. Only `harness.data` imports these modules.
"""
