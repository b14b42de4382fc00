from tests.landscape.cli.running import record, run

__all__ = ["record", "run"]
