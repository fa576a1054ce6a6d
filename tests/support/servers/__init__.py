"""Real private database servers for the tests: OceanBase's kernel (seekdb), MariaDB and MySQL.

Each is a child process that only this test run can reach, made new and removed with all it wrote. Use them as
context managers, in a fixture of the scope you need (one to three seconds to start; MySQL takes longer):

    with start_seekdb() as server:
        server.dsn()
"""

from .base import ServerError
from .mariadb import MariaDB, start_mariadb
from .mysql import MySQL, mysql_command, start_mysql, unpack_mysql
from .seekdb import SeekDB, start_seekdb

__all__ = [
    "MariaDB",
    "MySQL",
    "SeekDB",
    "ServerError",
    "mysql_command",
    "start_mariadb",
    "start_mysql",
    "start_seekdb",
    "unpack_mysql",
]
