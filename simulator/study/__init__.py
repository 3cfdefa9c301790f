"""Strategies compared on one site: runs, intervals, figures, a page, and a folder that holds all of it."""
