"""The package of ``sanserve.http.server``."""
