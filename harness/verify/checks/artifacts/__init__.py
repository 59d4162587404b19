"""Checks that read what training left: logged steps and adapters.

A check reads numbers and compares them with records. It builds no model of them.
"""
