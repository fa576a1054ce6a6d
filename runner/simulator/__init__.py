"""A network server with the session features of OceanBase's Oracle mode, as the specification describes them."""
