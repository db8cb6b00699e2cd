CREATE TABLE "sign_in_counters" (
	"bucket" varchar(64) PRIMARY KEY NOT NULL,
	"full_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ck_sign_in_counters_bucket" CHECK ("sign_in_counters"."bucket" ~ '^[0-9a-f]{64}$')
);
--> statement-breakpoint
CREATE TABLE "sign_in_places" (
	"place" varchar(64) PRIMARY KEY NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ck_sign_in_places_place" CHECK ("sign_in_places"."place" ~ '^[0-9a-f]{64}$')
);
--> statement-breakpoint
CREATE INDEX "idx_sign_in_counters_full_at" ON "sign_in_counters" USING btree ("full_at");--> statement-breakpoint
CREATE INDEX "idx_sign_in_places_seen_at" ON "sign_in_places" USING btree ("seen_at");--> statement-breakpoint
-- Hashes, but of few enough things that somebody could try them all: for nobody but the running program.
grant select, insert, update, delete on sign_in_counters, sign_in_places to tradegraph_app;
--> statement-breakpoint
-- Everybody's events, for operators: row-level security shows the running program those of one user at a time. It gives one page
-- in the order of the ids, which is that of time; what is null does not count.
create function read_audit_events(wanted_action text, wanted_user uuid, wanted_actor uuid, since timestamptz, until timestamptz,
    older_than uuid, newer_than uuid, oldest_first boolean, max_rows integer)
  returns table (id uuid, occurred_at timestamptz, action varchar, user_id uuid, actor_id uuid, details jsonb)
  language plpgsql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
#variable_conflict use_column
begin
  return query execute format(
    'select e.id, e.occurred_at, e.action, e.user_id, e.actor_id, e.details from audit_events e
     where ($1 is null or e.action = $1) and ($2 is null or e.user_id = $2) and ($3 is null or e.actor_id = $3)
       and ($4 is null or e.occurred_at >= $4) and ($5 is null or e.occurred_at < $5)
       and ($6 is null or e.id < $6) and ($7 is null or e.id > $7)
     order by e.id %s limit $8', case when oldest_first then 'asc' else 'desc' end)
    using wanted_action, wanted_user, wanted_actor, since, until, older_than, newer_than, max_rows;
end
$$;
--> statement-breakpoint
revoke execute on function read_audit_events(text, uuid, uuid, timestamptz, timestamptz, uuid, uuid, boolean, integer) from public;
--> statement-breakpoint
grant execute on function read_audit_events(text, uuid, uuid, timestamptz, timestamptz, uuid, uuid, boolean, integer) to tradegraph_app;
