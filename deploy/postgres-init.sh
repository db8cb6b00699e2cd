#!/bin/sh
# Run by the database container once, while its volume is empty. Makes the login of the running nodes: it owns nothing and
# can only act as tradegraph_app, whatever a query may contain. The owner's login stays with the migrations.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$SERVICE_PASSWORD" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
create role tradegraph_app nologin;
create role tradegraph_service login noinherit password :'password' in role tradegraph_app;
SQL
