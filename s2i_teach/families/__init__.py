"""The families of the literature review, small: each colours the same sketches, each is one short file.

Every family learned from the same pages and for the same CPU minutes (``s2i train family NAME``). None of them asks
for more than torch once it is trained.
"""
