"""Durable background jobs and publish/subscribe on Redis."""

__version__ = "0.1.0"
