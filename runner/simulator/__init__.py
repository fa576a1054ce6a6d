"""A network server that shows the session surface of OceanBase's Oracle mode, as the documented page describes it."""
