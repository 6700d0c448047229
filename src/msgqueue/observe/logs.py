"""One log line an event, as text for people or as JSON.

The library only calls `event` and never configures logging; `configure` is for our own commands,
`make_heard` for a command of somebody else's that runs us.
A record carries its facts in `record.facts`, so that another formatter finds them too. Facts are
named job, task, queue, attempt, seconds, outcome, worker, ...; never arguments, results or secrets.
"""

import json
import logging
import logging.config
import time
from typing import Any

LIBRARY = "msgqueue"
_EVENT_WIDTH = 24
_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_REQUEST = ("client", "method", "path", "http", "status")
"""What uvicorn.access logs as a record's arguments."""


def event(
    logger: logging.Logger,
    name: str,
    *,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **facts: Any,
) -> None:
    """Log that something happened.

    Args:
        logger: of the module that tells it.
        name: what happened, in a few lower-case words: `job finished`.
        level: of the record.
        error: whose traceback follows the line.
        facts: what is known about it; None is left out.
    """
    if logger.isEnabledFor(level):
        known = {key: value for key, value in facts.items() if value is not None}
        logger.log(level, "%s", name, extra={"facts": known}, exc_info=error, stacklevel=2)


def configure(format: str = "text", level: str = "info") -> None:
    """Send the log of this process to standard error: for msgqueue's own commands only."""
    logging.config.dictConfig(configuration(format, level))


def make_heard() -> None:
    """Send what we warn of to standard error as lines with their facts, unless somebody listens.

    Python prints the warnings that nobody listens to as well, but their names alone.
    """
    ours = logging.getLogger(LIBRARY)
    if not ours.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter())
        ours.addHandler(handler)


def configuration(format: str = "text", level: str = "info") -> dict[str, Any]:
    """What `configure` sets up, as `logging.config.dictConfig` and uvicorn's `log_config` take it.

    uvicorn's records lose their own handlers and look like ours. What tasks and other libraries
    log is heard too, from INFO on at the lowest.
    """
    everybody = "INFO" if level == "debug" else level.upper()
    formatter = JsonFormatter if format == "json" else TextFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"{__name__}.{formatter.__name__}"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": everybody, "handlers": ["stderr"]},
        "loggers": {
            LIBRARY: {"level": level.upper()},
            **{name: {"level": everybody, "handlers": [], "propagate": True} for name in _UVICORN},
        },
    }


class TextFormatter(logging.Formatter):
    """`12:30:01.250 info    job finished             job=... task=charge seconds=0.012`."""

    def format(self, record: logging.LogRecord) -> str:
        """Lay out one record."""
        name, facts = _name_and_facts(record)
        second = time.strftime("%H:%M:%S", time.localtime(record.created))
        start = f"{second}.{int(record.msecs):03d} {record.levelname.lower():<8}"
        told = " ".join(f"{key}={_word(value)}" for key, value in facts.items())
        line = f"{start}{_plain(name):<{_EVENT_WIDTH}} {told}".rstrip()
        trace = _traceback(self, record)
        return f"{line}\n{trace}" if trace else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, logger, then the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Lay out one record."""
        name, facts = _name_and_facts(record)
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        stamp = f"{second}.{int(record.msecs):03d}Z"
        line = {"time": stamp, "level": record.levelname.lower(), "event": name}
        line["logger"] = record.name
        line |= {
            key if key not in line else f"{key}_": _json_value(value)
            for key, value in facts.items()
        }
        trace = _traceback(self, record)
        if trace:
            line["traceback"] = trace
        return json.dumps(line, ensure_ascii=False)


def _name_and_facts(record: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    facts = getattr(record, "facts", None)
    if isinstance(facts, dict):
        return record.getMessage(), facts
    if record.name == "uvicorn.access" and isinstance(record.args, tuple):
        request = dict(zip(_REQUEST, record.args, strict=False))
        request["path"] = str(request.get("path")).partition("?")[0]  # a query may hold secrets
        return "request", request
    if record.name.split(".")[0] in (LIBRARY, "uvicorn"):
        return record.getMessage(), {}
    return record.getMessage(), {"logger": record.name}


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback without the values of locals, which `logging` never shows."""
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    return "\n".join(_plain(line) for line in (record.exc_text or "").splitlines())


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    if text and text.isprintable() and not any(sign in text for sign in ' "='):
        return text
    return _plain(json.dumps(text, ensure_ascii=False))


def _plain(text: str) -> str:
    """Escape line breaks and terminal sequences, which must not come from elsewhere."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _json_value(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return value if isinstance(value, bool | int | str) else str(value)
