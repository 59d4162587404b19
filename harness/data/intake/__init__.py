"""The reading of a data file: columns by their use, all faults in one list, flags that mend them. A fault names its line."""
