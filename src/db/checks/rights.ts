import type { DataCheck } from "./data-check.js";

const inPublic = "'public'::regnamespace";

export const rightsChecks: readonly DataCheck[] = [
  {
    name: "row-security-forced",
    severity: "CRITICAL",
    query: `select c.relname as id from pg_class c where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p')
      and not (c.relrowsecurity and c.relforcerowsecurity)
      and (c.relname = 'users' or exists (select from pg_policy p where p.polrelid = c.oid)
        or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped))`,
    advice:
      "Everybody's rows are open to everybody: alter table … enable row level security, force row level security.",
  },
  {
    name: "missing-policies",
    severity: "CRITICAL",
    query: `select c.relname as id from pg_class c where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p') and c.relrowsecurity
      and not exists (select from pg_policy p where p.polrelid = c.oid and 'tradegraph_app'::regrole = any (p.polroles)
        and pg_get_expr(p.polqual, p.polrelid) like '%app.user_id%')`,
    advice: "The policy that shows users their own rows is missing: make it again as the migrations do.",
  },
  {
    name: "application-owns-tables",
    severity: "CRITICAL",
    query: `select c.relname as id from pg_class c join pg_roles r on r.oid = c.relowner
      where r.rolname in ('tradegraph_app', 'tradegraph_readonly', 'tradegraph_monitor') and c.relkind in ('r', 'p', 'v', 'm', 'S')`,
    advice: "The application role must own nothing: alter table … owner to the migrating user.",
  },
  {
    name: "mixed-owners",
    severity: "MEDIUM",
    query: `select c.relname as id from pg_class c where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p', 'v', 'm', 'S')
      and c.relowner <> (select relowner from pg_class where oid = to_regclass('public.schema_migrations'))
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')`,
    advice: "Migrations cannot change what others own: alter table … owner to the migrating user.",
  },
  {
    name: "role-rights",
    severity: "CRITICAL",
    query: `select rolname as id from pg_roles where rolname in ('tradegraph_app', 'tradegraph_admin', 'tradegraph_readonly', 'tradegraph_monitor')
      and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)`,
    advice:
      "A role of the program stands above the policies: alter role … nosuperuser nobypassrls nocreaterole nocreatedb noreplication.",
  },
  {
    name: "append-only-rights",
    severity: "CRITICAL",
    query: `select t || ' ' || r as id from unnest(array['order_fills', 'ledger_entries', 'event_store', 'audit_events', 'risk_violations']) t
      cross join unnest(array['tradegraph_app', 'tradegraph_readonly', 'tradegraph_monitor']) r
      where to_regclass('public.' || t) is not null and has_table_privilege(r, 'public.' || t, 'update, delete, truncate')`,
    advice: "What happened is only ever added: revoke update, delete, truncate on the table from the role.",
  },
  {
    name: "public-rights",
    severity: "CRITICAL",
    query: `select c.relname as id from pg_class c cross join aclexplode(c.relacl) a
      where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p', 'v', 'm', 'S') and a.grantee = 0
        and c.relname <> 'schema_migrations' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')`,
    advice: "Every login of the server may use it: revoke all on it from public.",
  },
  {
    name: "definer-functions",
    severity: "CRITICAL",
    query: `select p.oid::regprocedure::text as id from pg_proc p where p.pronamespace = ${inPublic} and p.prosecdef
      and (not exists (select from unnest(p.proconfig) s where s like 'search\\_path=%')
        or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0))
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`,
    advice:
      "A function with the owner's rights must fix its search_path, and be for named roles: revoke execute … from public.",
  },
  {
    name: "open-views",
    severity: "CRITICAL",
    query: `select distinct v.relname as id from pg_depend d join pg_rewrite r on r.oid = d.objid join pg_class v on v.oid = r.ev_class
        join pg_class t on t.oid = d.refobjid
      where d.classid = 'pg_rewrite'::regclass and t.relrowsecurity and t.oid <> v.oid and v.relnamespace = ${inPublic}
        and has_table_privilege('tradegraph_app', v.oid, 'select') and not coalesce('security_barrier=true' = any (v.reloptions), false)`,
    advice:
      "The view shows private rows with its maker's rights: make it with (security_barrier) and a filter by app.user_id.",
  },
  {
    name: "readable-secrets",
    severity: "CRITICAL",
    query: `select r || ' ' || c.relname || '.' || a.attname as id from pg_class c join pg_attribute a on a.attrelid = c.oid
        cross join unnest(array['tradegraph_readonly', 'tradegraph_monitor', 'tradegraph_admin']) r
      where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
        and (a.attname like 'sealed\\_%' or a.attname like '%\\_hash') and c.relname <> 'orders'
        and not (r = 'tradegraph_admin' and c.relname = 'data_providers') and has_column_privilege(r, c.oid, a.attnum, 'select')`,
    advice: "A role of people may read secrets or what they can be guessed from: revoke select on the column.",
  },
  {
    name: "unwatched-tables",
    severity: "LOW",
    query: `select c.relname as id from pg_class c where c.relnamespace = ${inPublic} and c.relkind in ('r', 'p')
      and c.relname not in ('sign_in_counters', 'sign_in_places', 'schema_migrations')
      and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
      and (not has_any_column_privilege('tradegraph_monitor', c.oid, 'select') or (c.relrowsecurity and not exists (
        select from pg_policy p where p.polrelid = c.oid and 'tradegraph_monitor'::regrole = any (p.polroles))))`,
    needs: ["data_quality_results"],
    advice:
      "The checks of the running program cannot see this table: select let_monitor_read('…') in the migration that makes it.",
  },
];

export const secretChecks: readonly DataCheck[] = [
  {
    name: "unsealed-secrets",
    severity: "CRITICAL",
    query: "select table_name || ' ' || row_id || ' ' || column_name as id from sealed_secrets() where not is_sealed",
    needs: ["data_quality_results"],
    advice:
      "A secret is stored in the clear: take it away, make a new one at the exchange, and find out who dropped the constraint.",
  },
  {
    name: "missing-encryption-keys",
    severity: "CRITICAL",
    query: `select table_name || ' ' || row_id || ' ' || column_name as id from sealed_secrets()
      where is_sealed and key_id <> all (:key_ids)`,
    needs: ["data_quality_results"],
    advice:
      "Nobody can open these secrets: put their key back into ENCRYPTION_KEYS. tradegraph keys status tells which.",
  },
  {
    name: "old-encryption-keys",
    severity: "LOW",
    query: `select table_name || ' ' || row_id || ' ' || column_name as id from sealed_secrets()
      where is_sealed and key_id = any (:key_ids) and key_id <> (:key_ids)[1]`,
    needs: ["data_quality_results"],
    advice: "Sealed by an older key: run tradegraph keys rotate, then take the old key away.",
  },
];
