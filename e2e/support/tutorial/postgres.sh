#!/bin/sh
# As the official image does: makes its data at the first start, then serves everybody.
set -e
data=/var/lib/postgresql/data
method=${POSTGRES_HOST_AUTH_METHOD:-trust}
busybox mkdir -p "$data" /var/run/postgresql /dev/shm
busybox chown -R postgres "$data" /var/run/postgresql
busybox chmod 700 "$data"
as_postgres() { busybox su postgres -s /bin/sh -c "$1"; }
if [ ! -e "$data/PG_VERSION" ]; then
  as_postgres "initdb --no-sync --no-locale --encoding=UTF8 --auth=trust -D $data" >/dev/null
  echo "host all all all $method" >>"$data/pg_hba.conf"
fi
exec busybox su postgres -s /bin/sh -c "exec postgres -D $data -c listen_addresses='*'"
