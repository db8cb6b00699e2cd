import { sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgEnum,
  pgTable,
  unique,
  uniqueIndex,
  uuid,
  varchar,
} from "drizzle-orm/pg-core";
import { symbols } from "../catalogue/tables.js";
import { instant } from "../db/columns.js";

export const userRoleEnum = pgEnum("user_role_enum", ["USER", "READONLY", "ADMIN"]);
export const userStatusEnum = pgEnum("user_status_enum", ["PENDING_VERIFICATION", "ACTIVE", "SUSPENDED", "CLOSED"]);
export const riskProfileEnum = pgEnum("risk_profile_enum", ["LOW", "MEDIUM", "HIGH", "ULTRA_HIGH"]);
export const apiKeyScopeEnum = pgEnum("api_key_scope_enum", ["READ", "TRADE"]);
export const oneTimePurposeEnum = pgEnum("one_time_purpose_enum", ["EMAIL_VERIFICATION", "PASSWORD_RESET"]);

/** Made in the application: a UUID of version 7. */
const id = () => uuid("id").primaryKey();
const createdAt = () => instant("created_at").notNull().defaultNow();
const updatedAt = () => instant("updated_at").notNull().defaultNow();
/** SHA-256 in hex: of secrets with more entropy than anybody can try, so that they need no slow hash. */
const digest = (column: AnyPgColumn) => sql`${column} ~ '^[0-9a-f]{64}$'`;
/** An object of at most so many bytes of JSON. */
const smallObject = (column: AnyPgColumn, maxBytes: number) =>
  sql`jsonb_typeof(${column}) = 'object' and octet_length(${column}::text) <= ${sql.raw(String(maxBytes))}`;
/** Text that somebody typed for others, or for later, to read: something to see, and no control characters. */
const shown = (column: AnyPgColumn) => sql`${column} ~ '[^[:space:]]' and ${column} !~ '[\\x01-\\x1f\\x7f]'`;

export const users = pgTable(
  "users",
  {
    id: id(),
    /** As it was typed. Null once the account is closed, which erases everything that says who it was. */
    email: varchar("email", { length: 320 }),
    /** What two spellings of one address have in common; see `email-address.ts`. */
    emailKey: varchar("email_key", { length: 320 }),
    emailVerifiedAt: instant("email_verified_at"),
    /** Argon2id in the usual text form. */
    passwordHash: varchar("password_hash", { length: 200 }),
    username: varchar("username", { length: 50 }),
    firstName: varchar("first_name", { length: 100 }),
    lastName: varchar("last_name", { length: 100 }),
    phone: varchar("phone", { length: 32 }),
    telegramId: bigint("telegram_id", { mode: "bigint" }),
    timezone: varchar("timezone", { length: 64 }).notNull().default("UTC"),
    locale: varchar("locale", { length: 35 }).notNull().default("en"),
    role: userRoleEnum("role").notNull().default("USER"),
    status: userStatusEnum("status").notNull().default("PENDING_VERIFICATION"),
    riskProfile: riskProfileEnum("risk_profile").notNull().default("MEDIUM"),
    plan: varchar("plan", { length: 30 }).notNull().default("FREE"),
    preferences: jsonb("preferences").$type<Record<string, unknown>>().notNull().default({}),
    lastLoginAt: instant("last_login_at"),
    /** Grows when role or status change: access tokens that carry a smaller one are refused. */
    accessVersion: integer("access_version").notNull().default(1),
    accessChangedAt: instant("access_changed_at").notNull().defaultNow(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
    deletedAt: instant("deleted_at"),
    /** When the last of what was kept for a while after the account was closed was taken away. */
    purgedAt: instant("purged_at"),
  },
  (t) => [
    uniqueIndex("uk_users_email_key").on(t.emailKey).where(sql`deleted_at is null`),
    uniqueIndex("uk_users_telegram_id").on(t.telegramId).where(sql`deleted_at is null`),
    index("idx_users_access_changed_at").on(t.accessChangedAt),
    index("idx_users_deleted_at").on(t.deletedAt).where(sql`deleted_at is not null and purged_at is null`),
    check("ck_users_email", sql`${t.email} ~ '^[^@[:space:]]+@[^@[:space:]]+$' and ${t.email} !~ '[\\x01-\\x20\\x7f]'`),
    check("ck_users_email_pair", sql`(${t.email} is null) = (${t.emailKey} is null)`),
    // Of other addresses than plain ones, lower case is more than this database may know.
    check("ck_users_email_key", sql`${t.emailKey} = lower(${t.emailKey} collate "C")`),
    check(
      "ck_users_email_key_plain",
      sql`${t.email} ~ '[^\\x01-\\x7f]' or ${t.emailKey} = lower(${t.email} collate "C")`,
    ),
    check("ck_users_password_hash", sql`${t.passwordHash} ~ '^[$]argon2id[$]'`),
    check("ck_users_username", sql`char_length(${t.username}) >= 3 and ${shown(t.username)}`),
    check("ck_users_first_name", shown(t.firstName)),
    check("ck_users_last_name", shown(t.lastName)),
    check("ck_users_phone", sql`${t.phone} ~ '^[+]?[0-9 ().-]{3,31}$'`),
    check("ck_users_telegram_id", sql`${t.telegramId} > 0`),
    check("ck_users_timezone", sql`${t.timezone} ~ '^[A-Za-z0-9_+/-]+$'`),
    check("ck_users_locale", sql`${t.locale} ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$'`),
    check("ck_users_plan", sql`${t.plan} ~ '^[A-Z][A-Z0-9_]*$'`),
    check("ck_users_preferences", smallObject(t.preferences, 16_384)),
    check("ck_users_access_version", sql`${t.accessVersion} > 0`),
    check("ck_users_active", sql`${t.status} <> 'ACTIVE' or ${t.emailVerifiedAt} is not null`),
    check("ck_users_pending", sql`${t.status} <> 'PENDING_VERIFICATION' or ${t.emailVerifiedAt} is null`),
    check("ck_users_closed", sql`(${t.status} = 'CLOSED') = (${t.deletedAt} is not null)`),
    check(
      "ck_users_open",
      sql`${t.deletedAt} is not null or (${t.email} is not null and ${t.passwordHash} is not null)`,
    ),
    check(
      "ck_users_erased",
      sql`${t.deletedAt} is null or num_nonnulls(${t.email}, ${t.passwordHash}, ${t.username}, ${t.firstName}, ${t.lastName}, ${t.phone}, ${t.telegramId}) = 0`,
    ),
    check("ck_users_deleted_at", sql`${t.deletedAt} >= ${t.createdAt}`),
    check("ck_users_purged_at", sql`${t.purgedAt} is null or ${t.purgedAt} >= ${t.deletedAt}`),
  ],
);

/**
 * One row per refresh token; those of one sign-in are a family, whose id is the id of the session. A token that was used is
 * kept, so that it is known when somebody uses it again.
 */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    id: id(),
    userId: uuid("user_id").notNull(),
    familyId: uuid("family_id").notNull(),
    tokenHash: varchar("token_hash", { length: 64 }).notNull(),
    /** When the session began. */
    startedAt: instant("started_at").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    /** When the next one of the family took its place. */
    usedAt: instant("used_at"),
    revokedAt: instant("revoked_at"),
    /** What the user calls the device, or a few words about it; see `device-name.ts`. */
    deviceName: varchar("device_name", { length: 60 }),
    /** When the session was last used, to some minutes. */
    lastSeenAt: instant("last_seen_at"),
  },
  (t) => [
    foreignKey({ name: "fk_refresh_tokens_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    unique("uk_refresh_tokens_token_hash").on(t.tokenHash),
    // One living token per family, however many try to follow it at once.
    uniqueIndex("uk_refresh_tokens_family_id_living").on(t.familyId).where(sql`used_at is null and revoked_at is null`),
    index("idx_refresh_tokens_family_id").on(t.familyId, t.createdAt),
    index("idx_refresh_tokens_expires_at").on(t.expiresAt),
    index("idx_refresh_tokens_user_id").on(t.userId, t.expiresAt),
    index("idx_refresh_tokens_revoked_at").on(t.revokedAt).where(sql`revoked_at is not null`),
    check("ck_refresh_tokens_token_hash", digest(t.tokenHash)),
    check("ck_refresh_tokens_device_name", shown(t.deviceName)),
    check("ck_refresh_tokens_expires_at", sql`${t.expiresAt} > ${t.createdAt} and ${t.createdAt} >= ${t.startedAt}`),
  ],
);

export const apiKeys = pgTable(
  "api_keys",
  {
    id: id(),
    userId: uuid("user_id").notNull(),
    name: varchar("name", { length: 100 }).notNull(),
    /** The part of the key that may be shown. */
    prefix: varchar("prefix", { length: 12 }).notNull(),
    secretHash: varchar("secret_hash", { length: 64 }).notNull(),
    scopes: apiKeyScopeEnum("scopes").array().notNull(),
    createdAt: instant("created_at").notNull(),
    lastUsedAt: instant("last_used_at"),
    expiresAt: instant("expires_at"),
    revokedAt: instant("revoked_at"),
  },
  (t) => [
    foreignKey({ name: "fk_api_keys_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    unique("uk_api_keys_prefix").on(t.prefix),
    index("idx_api_keys_user_id").on(t.userId, t.createdAt),
    check("ck_api_keys_name", shown(t.name)),
    check("ck_api_keys_prefix", sql`${t.prefix} ~ '^[a-z0-9]{12}$'`),
    check("ck_api_keys_secret_hash", digest(t.secretHash)),
    check(
      "ck_api_keys_scopes",
      sql`cardinality(${t.scopes}) between 1 and 2 and array_position(${t.scopes}, null) is null and ${t.scopes}[1] is distinct from ${t.scopes}[2]`,
    ),
    check("ck_api_keys_expires_at", sql`${t.expiresAt} > ${t.createdAt}`),
  ],
);

/** What is sent by mail to prove that an address belongs to who says so. */
export const oneTimeTokens = pgTable(
  "one_time_tokens",
  {
    id: id(),
    userId: uuid("user_id").notNull(),
    purpose: oneTimePurposeEnum("purpose").notNull(),
    tokenHash: varchar("token_hash", { length: 64 }).notNull(),
    /** The address that it was sent to: worthless once the user has another. */
    emailKey: varchar("email_key", { length: 320 }).notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    usedAt: instant("used_at"),
  },
  (t) => [
    foreignKey({ name: "fk_one_time_tokens_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    unique("uk_one_time_tokens_token_hash").on(t.tokenHash),
    // One living token per purpose: the next one takes its place.
    uniqueIndex("uk_one_time_tokens_user_id_purpose").on(t.userId, t.purpose).where(sql`used_at is null`),
    index("idx_one_time_tokens_expires_at").on(t.expiresAt),
    check("ck_one_time_tokens_token_hash", digest(t.tokenHash)),
    check("ck_one_time_tokens_expires_at", sql`${t.expiresAt} > ${t.createdAt}`),
  ],
);

/** The address that a user wants to have, until a token that was sent there comes back: one at a time. */
export const emailChanges = pgTable(
  "email_changes",
  {
    id: id(),
    userId: uuid("user_id").notNull(),
    newEmail: varchar("new_email", { length: 320 }).notNull(),
    newEmailKey: varchar("new_email_key", { length: 320 }).notNull(),
    tokenHash: varchar("token_hash", { length: 64 }).notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [
    foreignKey({ name: "fk_email_changes_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    unique("uk_email_changes_user_id").on(t.userId),
    unique("uk_email_changes_token_hash").on(t.tokenHash),
    index("idx_email_changes_expires_at").on(t.expiresAt),
    check("ck_email_changes_token_hash", digest(t.tokenHash)),
    check("ck_email_changes_expires_at", sql`${t.expiresAt} > ${t.createdAt}`),
  ],
);

/** The symbols that a user has on the dashboard; who has none sees the default symbols. At most 200 by a trigger. */
export const userDashboardPreferences = pgTable(
  "user_dashboard_preferences",
  {
    id: id(),
    userId: uuid("user_id").notNull(),
    symbolId: integer("symbol_id").notNull(),
    displayOrder: integer("display_order").notNull().default(0),
    isVisible: boolean("is_visible").notNull().default(true),
    isPinned: boolean("is_pinned").notNull().default(false),
    customAlias: varchar("custom_alias", { length: 100 }),
    notes: varchar("notes", { length: 2_000 }),
    widgetType: varchar("widget_type", { length: 40 }).notNull().default("QUOTE"),
    widgetConfig: jsonb("widget_config").$type<Record<string, unknown>>().notNull().default({}),
    category: varchar("category", { length: 50 }),
    /** One more with every change, by a trigger: who changes what he has read names the version that he has read. */
    version: integer("version").notNull().default(1),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    foreignKey({ name: "fk_user_dashboard_preferences_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    foreignKey({
      name: "fk_user_dashboard_preferences_symbol_id",
      columns: [t.symbolId],
      foreignColumns: [symbols.id],
    }),
    unique("uk_user_dashboard_preferences_user_id_symbol_id").on(t.userId, t.symbolId),
    // The order of the dashboard: pinned ones first.
    index("idx_user_dashboard_preferences_user_id").on(t.userId, t.isPinned.desc().nullsFirst(), t.displayOrder, t.id),
    check("ck_user_dashboard_preferences_display_order", sql`${t.displayOrder} >= 0`),
    check("ck_user_dashboard_preferences_custom_alias", shown(t.customAlias)),
    check("ck_user_dashboard_preferences_category", shown(t.category)),
    check("ck_user_dashboard_preferences_widget_type", sql`${t.widgetType} ~ '^[A-Z][A-Z0-9_]*$'`),
    check("ck_user_dashboard_preferences_widget_config", smallObject(t.widgetConfig, 8_192)),
    check("ck_user_dashboard_preferences_version", sql`${t.version} > 0`),
  ],
);

/** Who signed in, changed a key, or did an operator's work. Never changed, deleted by age alone, and without personal data. */
export const auditEvents = pgTable(
  "audit_events",
  {
    id: id(),
    occurredAt: instant("occurred_at").notNull(),
    /** Whose account it is about; null: about none. */
    userId: uuid("user_id"),
    /** The user who did it; null: the holder of the operator token, the command line, or who did not get in. */
    actorId: uuid("actor_id"),
    action: varchar("action", { length: 60 }).notNull(),
    /** Ids and codes. */
    details: jsonb("details").$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [
    foreignKey({ name: "fk_audit_events_user_id", columns: [t.userId], foreignColumns: [users.id] }),
    foreignKey({ name: "fk_audit_events_actor_id", columns: [t.actorId], foreignColumns: [users.id] }),
    index("idx_audit_events_user_id").on(t.userId, t.occurredAt.desc().nullsFirst()),
    index("idx_audit_events_occurred_at").on(t.occurredAt.desc().nullsFirst()),
    check("ck_audit_events_action", sql`${t.action} ~ '^[a-z][a-z-]*([.][a-z][a-z-]*)+$'`),
    check("ck_audit_events_details", smallObject(t.details, 4_096)),
  ],
);

/**
 * The public halves of the keys that access tokens are signed with. Each process makes its own pair and keeps the private half
 * in its memory alone: there is none to steal from the database or a backup, and a restart is a rotation.
 */
export const signingKeys = pgTable(
  "signing_keys",
  {
    id: id(),
    /** Ed25519, 32 bytes in base64url. */
    publicKey: varchar("public_key", { length: 43 }).notNull(),
    createdAt: instant("created_at").notNull(),
    /** When the last token that it has signed is worth nothing any more. */
    expiresAt: instant("expires_at").notNull(),
  },
  (t) => [
    check("ck_signing_keys_public_key", sql`${t.publicKey} ~ '^[A-Za-z0-9_-]{43}$'`),
    check("ck_signing_keys_expires_at", sql`${t.expiresAt} > ${t.createdAt}`),
  ],
);

/** How many attempts to sign in there were, by a hash of what they are counted by; see `sign-in-limits.ts`. */
export const signInCounters = pgTable(
  "sign_in_counters",
  {
    bucket: varchar("bucket", { length: 64 }).primaryKey(),
    /** When everything is there again; then the row says nothing. */
    fullAt: instant("full_at").notNull(),
  },
  (t) => [index("idx_sign_in_counters_full_at").on(t.fullAt), check("ck_sign_in_counters_bucket", digest(t.bucket))],
);

/** Hashes of an account and an address together from which somebody got into it. */
export const signInPlaces = pgTable(
  "sign_in_places",
  { place: varchar("place", { length: 64 }).primaryKey(), seenAt: instant("seen_at").notNull() },
  (t) => [index("idx_sign_in_places_seen_at").on(t.seenAt), check("ck_sign_in_places_place", digest(t.place))],
);
