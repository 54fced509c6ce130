"""Files with a workflow or a job to run: read and checked, with the place of each mistake.

source.py   the text, and where in it something stands
content.py  what is in it, as the API takes it
"""
