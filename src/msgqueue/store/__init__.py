"""What msgqueue keeps in Redis: the only place that knows a key, a hash field or a corner of rq."""
