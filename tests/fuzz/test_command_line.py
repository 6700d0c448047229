"""The command line, with any text and over damaged jobs: an answer, or a line that says why not."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import canary
from tests.fuzz.effort import fuzzed
from tests.fuzz.strategies import system_text
from tests.fuzz.wreck import PLACES, VICTIM, Damage, Place, Wreck, damages
from typer.testing import CliRunner, Result

from msgqueue import cli
from msgqueue.connection import Source
from msgqueue.embedded import EmbeddedServer
from msgqueue.errors import MsgqueueError
from msgqueue.jobs import JobStatus
from msgqueue.store.run import Store

commands = st.one_of(
    st.tuples(st.sampled_from(("job", "cancel", "retry", "damaged")), system_text),
    st.tuples(st.just("jobs"), st.sampled_from(list(JobStatus)) | system_text),
    st.tuples(
        st.just("jobs"),
        st.just("failed"),
        st.sampled_from(("--limit", "--cursor", "--queue")),
        system_text,
    ),
    st.tuples(st.just("damaged"), system_text, st.sampled_from(("--requeue", "--delete"))),
)


@pytest.fixture(scope="module")
def store(server: EmbeddedServer) -> Iterator[Store]:
    source = Source(server.url)
    yield Store(source)
    source.close()


def run(server: EmbeddedServer, *words: str) -> Result:
    """Run a command on the test's server."""
    done = CliRunner().invoke(cli.app, [words[0], f"--url={server.url}", *words[1:]])
    if done.exception is not None and not isinstance(done.exception, MsgqueueError | SystemExit):
        raise done.exception
    return done


@fuzzed(60)
@given(command=commands)
def test_any_words_are_a_command_or_refused(
    server: EmbeddedServer, command: tuple[str, ...]
) -> None:
    name, *rest = command

    done = run(server, name, *rest)

    assert "Traceback" not in done.output


@fuzzed(10)
@given(place=st.sampled_from(PLACES), wrong=damages)
def test_a_damaged_job_is_shown_or_told_of(
    server: EmbeddedServer, store: Store, place: Place, wrong: Damage
) -> None:
    canary.SANG.clear()
    wreck = Wreck(store, store._source.client(), place, wrong)
    wreck.claim()

    for command in (("job", VICTIM), ("damaged",), ("damaged", VICTIM), ("queues",), ("workers",)):
        run(server, *command)
        done = run(server, *command, "--json")
        assert done.exception is not None or json.loads(done.output) is not None
    for status in JobStatus:
        assert run(server, "jobs", status).exit_code == 0 or wrong.kinds
    assert canary.SANG == []
