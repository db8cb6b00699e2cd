# TimescaleDB with pgBackRest, which the server itself calls to archive its WAL.
FROM timescale/timescaledb:2.22.1-pg17
RUN apk add --no-cache pgbackrest && install -d -o postgres -g postgres -m 700 /var/lib/pgbackrest /var/log/pgbackrest
