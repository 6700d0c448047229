"""The worker: a supervisor, its warm child processes, and what they agree on."""
