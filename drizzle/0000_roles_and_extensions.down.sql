drop function symbol_search_text(varchar, varchar, varchar, varchar);
drop function set_updated_at();
-- The roles stay where another database of the cluster still uses them.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['tradegraph_app', 'tradegraph_admin', 'tradegraph_readonly', 'tradegraph_monitor'] loop
    execute format('revoke usage on schema public from %I', role_name);
    begin
      execute format('drop role %I', role_name);
    exception
      when dependent_objects_still_exist or insufficient_privilege or object_in_use or undefined_object then null;
    end;
  end loop;
end
$$;
drop extension pg_trgm;
