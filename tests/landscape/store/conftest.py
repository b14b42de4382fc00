from tests.landscape.store.written import cell, config, folder

__all__ = ["cell", "config", "folder"]
