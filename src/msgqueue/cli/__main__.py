"""`python -m msgqueue.cli`."""

from msgqueue.cli.command import main

main()
