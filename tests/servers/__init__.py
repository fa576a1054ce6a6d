"""Real private database servers for the tests: OceanBase's kernel (seekdb) and MariaDB.

Each is a child process that only this test run can reach, made new and removed with all it wrote. Use them as
context managers, in a fixture of the scope you need (either takes one to three seconds to start):

    with start_seekdb() as server:
        server.dsn()
"""

from .mariadb import MariaDB, start_mariadb
from .seekdb import SeekDB, start_seekdb

__all__ = ["MariaDB", "SeekDB", "start_mariadb", "start_seekdb"]
