import type { Sql } from "../../src/db/connect.js";

/** Everything that migrations make, as the system catalogues describe it. */
export async function schemaOf(sql: Sql): Promise<string[]> {
  const rows = await sql<{ line: string }[]>`
    select format('column %s.%s %s %s %s %s', table_name, column_name, data_type, coalesce(numeric_precision::text, ''),
      coalesce(column_default, ''), is_nullable) as line from information_schema.columns where table_schema = 'public'
    union all select format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      from pg_constraint where connamespace = 'public'::regnamespace
    union all select indexdef from pg_indexes where schemaname = 'public'
    union all select regexp_replace(pg_get_triggerdef(t.oid), '''\\d+''', '') from pg_trigger t join pg_class c on c.oid = tgrelid
      where not tgisinternal and relnamespace = 'public'::regnamespace
    union all select pg_get_functiondef(p.oid) || coalesce(p.proacl::text, '') from pg_proc p
      where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
      and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    union all select format('enum %s %s', enumtypid::regtype, enumlabel) from pg_enum
    union all select format('grant %s %s %s', table_name, grantee, privilege_type) from information_schema.role_table_grants
      where table_schema = 'public' and table_name <> 'schema_migrations'
    union all select format('column grant %s %s %s %s', attrelid::regclass, attname, rolname, privilege_type)
      from pg_attribute join pg_class c on c.oid = attrelid, aclexplode(attacl) g join pg_roles r on r.oid = g.grantee
      where relnamespace = 'public'::regnamespace and not attisdropped
    union all select format('policy %s %s %s %s %s %s', tablename, policyname, roles, cmd, qual, with_check) from pg_policies
      where schemaname = 'public'
    union all select format('row security %s %s', oid::regclass, relforcerowsecurity) from pg_class
      where relrowsecurity and relnamespace = 'public'::regnamespace
    union all select format('extension %s', extname) from pg_extension
    union all select format('options %s %s', relname, reloptions) from pg_class
      where relnamespace = 'public'::regnamespace and reloptions is not null
    order by 1`;
  const lines = [...rows, ...(await timescaleSchemaOf(sql))].map((row) => row.line);
  return lines.filter((line) => !line.includes("schema_migrations"));
}

/** Without the numbers that TimescaleDB gives to what it keeps, which are new each time. */
async function timescaleSchemaOf(sql: Sql): Promise<{ line: string }[]> {
  const [extension] = await sql`select from pg_extension where extname = 'timescaledb'`;
  if (extension === undefined) return [];
  return sql<{ line: string }[]>`
    select format('hypertable %s %s %s', hypertable_name, column_name, time_interval) as line
      from timescaledb_information.dimensions where hypertable_schema = 'public'
    union all select format('compression %s %s %s %s', hypertable_name, attname, segmentby_column_index, orderby_column_index)
      from timescaledb_information.compression_settings where hypertable_schema = 'public'
    union all select format('aggregate %s %s %s %s', view_name, materialized_only, view_definition,
        (select time_interval from timescaledb_information.dimensions d where d.hypertable_name = materialization_hypertable_name))
      from timescaledb_information.continuous_aggregates
    union all select format('job %s %s %s %s', coalesce(view_name, jobs.hypertable_name), proc_name, schedule_interval,
        config - 'hypertable_id' - 'mat_hypertable_id')
      from timescaledb_information.jobs left join timescaledb_information.continuous_aggregates
        on materialization_hypertable_name = jobs.hypertable_name where job_id >= 1000
    order by 1`;
}
