"""`msgqueue bench`: our speed beside rq's, measured in one run on one server."""
