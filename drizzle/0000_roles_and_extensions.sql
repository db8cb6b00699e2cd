-- What every later migration needs: trigram search, the roles that own no table, and shared trigger functions.
create extension if not exists pg_trgm;
--> statement-breakpoint
-- Roles belong to the whole cluster: another database of it may have made them already, even at this very moment.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['tradegraph_app', 'tradegraph_admin', 'tradegraph_readonly', 'tradegraph_monitor'] loop
    if not exists (select from pg_roles where rolname = role_name) then
      begin
        execute format('create role %I nologin', role_name);
      exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          raise exception 'role % does not exist and % may not create it', role_name, current_user
            using hint = 'Run the migration as a user with CREATEROLE, or create the role beforehand: CREATE ROLE '
              || role_name || ' NOLOGIN; GRANT ' || role_name || ' TO ' || current_user;
      end;
    end if;
    -- A superuser is a member of everything; anybody else needs the membership to act as the role.
    if not pg_has_role(current_user, role_name, 'member') then
      execute format('grant %I to current_user', role_name);
    end if;
    execute format('grant usage on schema public to %I', role_name);
  end loop;
end
$$;
--> statement-breakpoint
revoke create on schema public from public;
--> statement-breakpoint
create function set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := now();
  return new;
end
$$;
--> statement-breakpoint
-- What search looks through. Immutable, so that it can be indexed.
create function symbol_search_text(ticker varchar, display_name varchar, full_name varchar, full_name_tr varchar)
  returns text language sql immutable parallel safe
  return lower(ticker || ' ' || display_name || ' ' || coalesce(full_name, '') || ' ' || coalesce(full_name_tr, ''));
