drop function forget_node(uuid);
drop function beat(uuid, text, text, integer, jsonb, integer);
drop table nodes;
drop function has_event(uuid);
drop function drop_dead_letters();
drop function dead_letter_failed(uuid, text);
drop function publish_again(uuid);
drop function take_dead_letter(uuid);
drop function find_dead_letter(uuid);
drop function list_dead_letters(text, boolean, uuid, integer);
drop function add_dead_letter(text, uuid, uuid, bigint, integer, text);
drop function reset_projection(text);
drop function projection_states();
drop function projection_backlog(text, integer);
drop function event_refused(uuid, text, integer);
create or replace function unpublished_events(maximum integer)
  returns table (event_id uuid, user_id uuid, account_id uuid, account_sequence bigint, payload jsonb)
  language sql stable security definer set search_path = pg_catalog, public, pg_temp
as $$
  select q.event_id, q.user_id, q.account_id, q.account_sequence, q.payload from event_queue q where q.published_at is null
  order by q.created_at, q.account_id, q.account_sequence limit maximum
$$;
revoke insert, update on event_projections from tradegraph_app;
drop table account_activity;
drop table projection_cursors;
alter table event_projections drop column rebuilt_at;
alter table event_projections drop column error_count;
drop table dead_letters;
alter table event_queue drop constraint ck_event_queue_attempts;
alter table event_queue drop column next_attempt_at;
alter table event_queue drop column attempts;
drop table installation;
drop function require_lease(text, bigint);
drop function release_leases(uuid, text[]);
drop function take_leases(uuid, text[], interval);
drop function lease_key(text);
drop table leases;
