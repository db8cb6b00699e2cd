import type { DataCheck } from "../db/checks/data-check.js";

export const peopleChecks: readonly DataCheck[] = [
  {
    name: "rows-without-user",
    severity: "HIGH",
    query: `select 'api_keys ' || k.id as id from api_keys k where k.id >= :since_id and not exists (select from users u where u.id = k.user_id)
      union all select 'refresh_tokens ' || t.id from refresh_tokens t
        where t.id >= :since_id and not exists (select from users u where u.id = t.user_id)
      union all select 'one_time_tokens ' || t.id from one_time_tokens t
        where t.id >= :since_id and not exists (select from users u where u.id = t.user_id)
      union all select 'user_dashboard_preferences ' || p.id from user_dashboard_preferences p
        where p.id >= :since_id and not exists (select from users u where u.id = p.user_id)`,
    advice: "Delete the rows of users that are gone; a foreign key was dropped by hand.",
  },
  {
    name: "dashboards-without-symbol",
    severity: "MEDIUM",
    query: `select p.id from user_dashboard_preferences p where p.id >= :since_id
      and not exists (select from symbols s where s.id = p.symbol_id)`,
    advice: "Delete the dashboard items of symbols that are gone; a foreign key was dropped by hand.",
  },
  {
    name: "dashboards-too-large",
    severity: "MEDIUM",
    query: `select user_id as id from user_dashboard_preferences
      where user_id in (select user_id from user_dashboard_preferences where id >= :since_id) group by user_id having count(*) > 200`,
    advice: "A dashboard holds at most 200 symbols: the trigger that counts them was disabled.",
  },
  {
    name: "too-many-api-keys",
    severity: "MEDIUM",
    query: `select user_id as id from api_keys where revoked_at is null and user_id in (select user_id from api_keys where id >= :since_id)
      group by user_id having count(*) > 50`,
    advice: "A user has at most 50 keys: the trigger that counts them was disabled.",
  },
  {
    name: "closed-users-not-erased",
    severity: "CRITICAL",
    query: "select user_id as id from unsound_users(:since_id) where fault = 'not-erased'",
    needs: ["data_quality_results"],
    advice: "Personal data of closed accounts is still there: erase it, and find out who dropped the constraint.",
  },
  {
    name: "duplicate-users",
    severity: "HIGH",
    query: "select user_id as id from unsound_users(:since_id) where fault = 'duplicate'",
    needs: ["data_quality_results"],
    advice:
      "Two users have one e-mail address or Telegram account: close one of them, and make the unique index again.",
  },
  {
    name: "credentials-of-closed-users",
    severity: "CRITICAL",
    query: `select 'api_keys ' || k.id as id from users u join api_keys k on k.user_id = u.id
        where (u.deleted_at is not null or u.status = 'CLOSED') and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
      union all select 'refresh_tokens ' || t.id from users u join refresh_tokens t on t.user_id = u.id
        where (u.deleted_at is not null or u.status = 'CLOSED') and t.revoked_at is null and t.used_at is null and t.expires_at > now()`,
    advice: "Revoke them: set revoked_at. Closing an account does that; somebody closed it by hand.",
  },
  {
    name: "expired-credentials-kept",
    severity: "LOW",
    query: `select 'refresh_tokens ' || t.id as id from refresh_tokens t where t.expires_at < now() - interval '1 day'
        and not exists (select from refresh_tokens o where o.family_id = t.family_id and o.expires_at >= now() - interval '1 day')
      union all select 'one_time_tokens ' || t.id from one_time_tokens t where t.expires_at < now() - interval '1 day'`,
    advice: "Nobody deletes what has expired: run a node with the role worker.",
  },
  {
    name: "living-tokens-of-one-session",
    severity: "CRITICAL",
    query: `select t.family_id as id from refresh_tokens t where t.id >= :since_id and t.used_at is null and t.revoked_at is null
      group by t.family_id having count(*) > 1`,
    advice: "A session has more than one living refresh token: revoke the family, and make the unique index again.",
  },
  {
    name: "admins-without-verified-address",
    severity: "HIGH",
    query: "select id from users where role = 'ADMIN' and deleted_at is null and email_verified_at is null",
    advice:
      "An operator whose address nobody has proved: set the role back with users set-role, or verify the address.",
  },
  {
    name: "api-keys-without-audit",
    severity: "HIGH",
    query: `select k.id from api_keys k where k.id >= :since_id and not exists (select from audit_events a
      where a.user_id = k.user_id and a.action = 'api-key.create' and a.details ->> 'apiKey' = k.id::text
        and a.occurred_at between k.created_at - interval '1 minute' and k.created_at + interval '1 minute')`,
    advice: "Nobody wrote down that these keys were made: revoke them unless their users know them.",
  },
  {
    name: "sessions-without-audit",
    severity: "HIGH",
    query: `select t.family_id as id from refresh_tokens t where t.id >= :since_id and t.created_at = t.started_at and not exists (
      select from audit_events a where a.user_id = t.user_id and a.action = 'session.start' and a.details ->> 'session' = t.family_id::text
        and a.occurred_at between t.started_at - interval '1 minute' and t.started_at + interval '1 minute')`,
    advice: "Nobody wrote down that these sessions began: revoke them, and find out who writes to the table.",
  },
];
