"""Makes a table of the lines of JSON in a file: a column for each line, a row for each figure that is not nothing.

Usage: table.py FILE
"""

import json
import sys

with open(sys.argv[1]) as file:
    columns = [json.loads(line) for line in file]
for name in columns[0]:
    if any(column[name] for column in columns):
        print(f"| {name} | " + " | ".join(f"{column[name]:.4g}" for column in columns) + " |")
