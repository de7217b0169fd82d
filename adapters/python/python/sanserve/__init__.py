"""sanserve: Python's http.server, done again in Rust.

- ``python -m sanserve`` and ``sanserve`` are the command, which serves a directory over HTTP and HTTPS.
- ``sanserve.http.server`` has the names of ``http.server``, and runs handlers on the engine of sanserve.
- ``sanserve.aio`` serves coroutines with the engine on the running loop of asyncio.
"""

from sanserve._engine import __version__

__all__ = ["__version__"]
