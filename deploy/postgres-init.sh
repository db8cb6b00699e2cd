#!/bin/sh
# Run by the database container once, while its volume is empty. Makes the login of the running nodes: it owns nothing and
# can only act as tradegraph_app, whatever a query may contain. The owner's login stays with the migrations.
# The checks of the data have a login of their own, which can only read.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$SERVICE_PASSWORD" --set monitor_password="$MONITOR_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role tradegraph_app nologin;
create role tradegraph_service login noinherit password :'password' in role tradegraph_app;
create role tradegraph_monitor nologin;
create role tradegraph_monitoring login noinherit password :'monitor_password' in role tradegraph_monitor;
SQL
