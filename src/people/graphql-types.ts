import { Field, ID, InputType, Int, ObjectType, registerEnumType } from "type-graphql";
import type { Scope, UserRole } from "../core/viewer.js";
import { NodeType } from "../graphql/node.js";
import { DateTimeScalar, JsonScalar } from "../graphql/scalars.js";
import type { RiskProfile, User, UserStatus } from "./users.js";

const enumOf = <T extends string>(name: string, description: string, values: Readonly<Record<T, string>>) => {
  const found = Object.fromEntries(Object.keys(values).map((value) => [value, value])) as Record<T, T>;
  const valuesConfig = Object.fromEntries(
    Object.entries<string>(values).map(([value, text]) => [value, { description: text }]),
  ) as Record<T, { description: string }>;
  registerEnumType(found, { name, description, valuesConfig });
  return found;
};

const UserRoleEnum = enumOf<UserRole>("UserRole", "What a user may do.", {
  USER: "Sees and changes what is his.",
  READONLY: "Sees what is his, trades nothing, and arranges no dashboard.",
  ADMIN: "Also does operators' work.",
});

const UserStatusEnum = enumOf<UserStatus>("UserStatus", "Where an account stands.", {
  PENDING_VERIFICATION: "The e-mail address is not confirmed yet; production accounts are not possible.",
  ACTIVE: "In use.",
  SUSPENDED: "An operator has shut it for a while; nobody signs in.",
  CLOSED: "Closed for good.",
});

const RiskProfileEnum = enumOf<RiskProfile>("RiskProfile", "How much risk a user wants to take.", {
  LOW: "Little.",
  MEDIUM: "Some.",
  HIGH: "Much.",
  ULTRA_HIGH: "Very much.",
});

export const ApiKeyScopeEnum = enumOf<Scope>("ApiKeyScope", "What an API key may do.", {
  READ: "See what its user sees.",
  TRADE: "Place and cancel orders, and arrange the dashboard.",
});

@ObjectType("User", { implements: NodeType, description: "Somebody who has an account here." })
export class UserType extends NodeType {
  @Field(() => String, { description: "As it was registered." })
  email!: string;
  @Field(() => Boolean, { description: "Whether the address was confirmed." })
  isEmailVerified!: boolean;
  @Field(() => String, { nullable: true, description: "A name to show; not unique." })
  username!: string | null;
  @Field(() => String, { nullable: true, description: "First name." })
  firstName!: string | null;
  @Field(() => String, { nullable: true, description: "Last name." })
  lastName!: string | null;
  @Field(() => String, { nullable: true, description: "Telephone number." })
  phone!: string | null;
  @Field(() => Boolean, { description: "Whether a Telegram account signs this user in." })
  isTelegramLinked!: boolean;
  @Field(() => String, { description: "Time zone of the IANA database." })
  timezone!: string;
  @Field(() => String, { description: "Language tag, e.g. en or tr." })
  locale!: string;
  @Field(() => UserRoleEnum, { description: "What the user may do." })
  role!: UserRole;
  @Field(() => UserStatusEnum, { description: "Where the account stands." })
  status!: UserStatus;
  @Field(() => RiskProfileEnum, { description: "How much risk the user wants to take." })
  riskProfile!: RiskProfile;
  @Field(() => String, { description: "Code of the plan, e.g. FREE." })
  plan!: string;
  @Field(() => JsonScalar, { description: "Settings that clients keep here; an object." })
  preferences!: object;
  @Field(() => DateTimeScalar, { nullable: true, description: "When the user last signed in." })
  lastLoginAt!: Date | null;
  @Field(() => DateTimeScalar, { description: "When the account was made." })
  createdAt!: Date;
}

@ObjectType("AuthPayload", { description: "What signs a user in." })
export class AuthPayloadType {
  @Field(() => String, {
    description: "For `Authorization: Bearer`, and for `authorization` of a WebSocket's connectionParams.",
  })
  accessToken!: string;
  @Field(() => DateTimeScalar, {
    description: "Open streams end at this instant too, WebSockets with code 4403: connect again with a new token.",
  })
  accessTokenExpiresAt!: Date;
  @Field(() => String, { description: "For `refreshSession`, once." })
  refreshToken!: string;
  @Field(() => DateTimeScalar, { description: "When the session ends, if it is not refreshed." })
  refreshTokenExpiresAt!: Date;
  @Field(() => UserType, { description: "Who is signed in." })
  user!: User;
}

@ObjectType("Session", { description: "A device that is signed in." })
export class SessionType {
  @Field(() => ID, { description: "For `endSession`." })
  id!: string;
  @Field(() => String, {
    nullable: true,
    description: "What the user calls it, or a few words about it, e.g. Firefox on Windows.",
  })
  deviceName!: string | null;
  @Field(() => DateTimeScalar, { description: "When it was last used, to some minutes." })
  lastSeenAt!: Date;
  @Field(() => DateTimeScalar, { description: "When it signed in." })
  startedAt!: Date;
  @Field(() => DateTimeScalar, { description: "When it was last refreshed." })
  refreshedAt!: Date;
  @Field(() => DateTimeScalar, { description: "When it ends, if it is not refreshed." })
  expiresAt!: Date;
  @Field(() => Boolean, { description: "Whether it is the one that asks." })
  isCurrent!: boolean;
}

@ObjectType("ApiKey", { implements: NodeType, description: "Lets a program in, in the name of its user." })
export class ApiKeyType extends NodeType {
  @Field(() => String, { description: "What the user calls it." })
  name!: string;
  @Field(() => String, { description: "How the key begins, after tg_; the rest is never shown again." })
  prefix!: string;
  @Field(() => [ApiKeyScopeEnum], { description: "What it may do." })
  scopes!: Scope[];
  @Field(() => DateTimeScalar, { description: "When it was made." })
  createdAt!: Date;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was last used, to the minute." })
  lastUsedAt!: Date | null;
  @Field(() => DateTimeScalar, {
    nullable: true,
    description: "From when on it lets nobody in; null: until it is revoked.",
  })
  expiresAt!: Date | null;
  @Field(() => DateTimeScalar, { nullable: true, description: "When it was revoked." })
  revokedAt!: Date | null;
}

@ObjectType("CreateApiKeyPayload", { description: "A new API key." })
export class CreateApiKeyPayloadType {
  @Field(() => ApiKeyType, { description: "The key, without its secret." })
  apiKey!: object;
  @Field(() => String, { description: "For `Authorization: Bearer`. Shown once." })
  secret!: string;
}

@InputType({ description: "Who wants an account." })
export class RegisterInput {
  @Field(() => String, { description: "E-mail address; one account each, however it is spelled." })
  email!: string;
  @Field(() => String, { description: "10 to 200 characters, and none of the most common passwords." })
  password!: string;
  @Field(() => String, { nullable: true, description: "A name to show; 3 to 50 characters." })
  username?: string | null;
  @Field(() => String, { nullable: true, description: "First name." })
  firstName?: string | null;
  @Field(() => String, { nullable: true, description: "Last name." })
  lastName?: string | null;
  @Field(() => String, { nullable: true, description: "Time zone of the IANA database; UTC when left out." })
  timezone?: string | null;
  @Field(() => String, { nullable: true, description: "Language tag; en when left out." })
  locale?: string | null;
}

@InputType({ description: "What changes of a profile. Null clears a field, what is left out stays." })
export class UpdateProfileInput {
  @Field(() => String, { nullable: true, description: "A name to show; 3 to 50 characters." })
  username?: string | null;
  @Field(() => String, { nullable: true, description: "First name." })
  firstName?: string | null;
  @Field(() => String, { nullable: true, description: "Last name." })
  lastName?: string | null;
  @Field(() => String, { nullable: true, description: "Telephone number." })
  phone?: string | null;
  @Field(() => String, { nullable: true, description: "Time zone of the IANA database." })
  timezone?: string | null;
  @Field(() => String, { nullable: true, description: "Language tag." })
  locale?: string | null;
  @Field(() => RiskProfileEnum, { nullable: true, description: "How much risk the user wants to take." })
  riskProfile?: RiskProfile | null;
  @Field(() => JsonScalar, { nullable: true, description: "An object of at most 8 kB; replaces the one before." })
  preferences?: Record<string, unknown> | null;
}

@InputType({ description: "What Telegram's login widget gives to a page, field by field." })
export class TelegramLoginInput {
  @Field(() => String, { description: "`id`, as text." })
  id!: string;
  @Field(() => String, { nullable: true, description: "`first_name`" })
  firstName?: string | null;
  @Field(() => String, { nullable: true, description: "`last_name`" })
  lastName?: string | null;
  @Field(() => String, { nullable: true, description: "`username`" })
  username?: string | null;
  @Field(() => String, { nullable: true, description: "`photo_url`" })
  photoUrl?: string | null;
  @Field(() => Int, { description: "`auth_date`: Unix time in seconds; at most five minutes ago." })
  authDate!: number;
  @Field(() => String, { description: "`hash`" })
  hash!: string;
}
