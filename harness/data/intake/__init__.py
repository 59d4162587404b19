"""The reading of a data file: its columns by their use, all of its faults in one list, and the flags that mend them."""
