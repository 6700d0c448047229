"""What msgqueue tells about its work: log records."""
