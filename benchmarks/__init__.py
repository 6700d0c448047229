"""msgqueue beside its peers, measured in one run: `nox -s bench`.

`roster` names who is measured and pins the versions; `environments` installs each by itself;
`contenders/` says, one file each, how to use a system; `agent` (and `node/`, `ruby/`) does it,
inside the system's own environment; `measurements/` says, one file each, what is done and which
figures count; `report` and `plot` show them.
"""
