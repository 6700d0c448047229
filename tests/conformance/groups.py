"""Which of rq's tests are about what."""

QUEUE_AND_JOB = ("test_job.py", "test_queue.py", "test_queue_unique.py")


def is_about_queue_and_job(test: str) -> bool:
    """Whether a test, by its node id, is of rq's queue and job, not of its workers."""
    return test.partition("::")[0].rpartition("/")[2] in QUEUE_AND_JOB
