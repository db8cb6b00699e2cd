do $$
declare
  c record;
begin
  for c in select p.polname, p.polrelid::regclass as relation from pg_policy p where p.polname like 'monitor\_%' loop
    execute format('drop policy %I on %s', c.polname, c.relation);
  end loop;
  for c in select oid::regclass as relation, relkind, oid from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S') and relname <> 'schema_migrations' loop
    if c.relkind = 'S' then
      execute format('revoke all on sequence %s from tradegraph_monitor', c.relation);
    else
      execute format('revoke all on %s from tradegraph_monitor', c.relation);
      execute (
        select case count(*) when 0 then 'select'
          else format('revoke all (%s) on %s from tradegraph_monitor', string_agg(quote_ident(attname), ', '), c.relation) end
        from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped and attacl is not null
      );
    end if;
  end loop;
end
$$;
drop function let_monitor_read(regclass);
drop function unsound_users(uuid);
drop function sealed_secrets();
drop index idx_audit_events_actor_id;
drop table data_quality_results;
drop type severity_enum;
