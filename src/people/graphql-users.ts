import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from "type-graphql";
import { notFound } from "../core/errors.js";
import { isUuid, parseGlobalId } from "../core/ids.js";
import type { Scope } from "../core/viewer.js";
import { readingUser, requireScope, requireSession } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { type ApiKey, apiKeysOf, createApiKey, findApiKey, revokeApiKey } from "./api-keys.js";
import { changeEmail } from "./change-email.js";
import {
  ApiKeyScopeEnum,
  ApiKeyType,
  CreateApiKeyPayloadType,
  TelegramLoginInput,
  UpdateProfileInput,
  UserType,
} from "./graphql-types.js";
import { requestEmailVerification } from "./one-time-tokens.js";
import { linkTelegram, unlinkTelegram } from "./telegram.js";
import { changePassword, closeAccount, findUser, type User, updateProfile, userOf } from "./users.js";

const hashCost = 10 * statementCost;

@Resolver(() => UserType)
export class UserResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: User): string {
    return idField("User")(root);
  }

  @FieldResolver(() => Boolean, { description: "Whether the address was confirmed." })
  isEmailVerified(@Root() root: User): boolean {
    return root.emailVerifiedAt !== null;
  }

  @FieldResolver(() => Boolean, { description: "Whether a Telegram account signs this user in." })
  isTelegramLinked(@Root() root: User): boolean {
    return root.telegramId !== null;
  }

  @Query(() => UserType, {
    nullable: true,
    description: "Who is asking. Null when anonymous, and for the operator token.",
  })
  @Private()
  @Costs(statementCost)
  async viewer(@Ctx() { people, viewer }: ApiContext): Promise<User | null> {
    return viewer?.kind === "user" ? findUser(people, requireScope(viewer, "READ").userId) : null;
  }

  @Mutation(() => UserType, { description: "Changes the viewer's profile." })
  @Costs(statementCost)
  updateProfile(
    @Arg("input", () => UpdateProfileInput, { description: "What changes." }) input: UpdateProfileInput,
    @Ctx() { people, viewer }: ApiContext,
  ): Promise<User> {
    return updateProfile(people, requireSession(viewer).userId, input);
  }

  @Mutation(() => Boolean, { description: "Changes the viewer's password, and signs out every other session." })
  @Costs(hashCost)
  async changePassword(
    @Arg("currentPassword", () => String, { description: "The password until now." }) currentPassword: string,
    @Arg("newPassword", () => String, { description: "As for `register`." }) newPassword: string,
    @Ctx() { people, viewer, address }: ApiContext,
  ): Promise<boolean> {
    await changePassword(people, requireSession(viewer), { currentPassword, newPassword }, address);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      "Mails a token for `confirmEmailChange` to the address that the viewer wants to have, unless it has an account, and tells the address until now. Nothing changes until then.",
  })
  @Costs(hashCost)
  async changeEmail(
    @Arg("newEmail", () => String, { description: "The address to have." }) newEmail: string,
    @Arg("password", () => String, { description: "The viewer's password." }) password: string,
    @Ctx() { people, viewer, address }: ApiContext,
  ): Promise<boolean> {
    await changeEmail(people, requireSession(viewer).userId, { newEmail, password }, address);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      "Closes the viewer's account for good: signs out everywhere, revokes all API keys, cancels orders and ends trading accounts, and erases name and addresses. The e-mail address may register anew.",
  })
  @Costs(hashCost)
  async closeAccount(
    @Arg("password", () => String, { description: "The viewer's password." }) password: string,
    @Ctx() { people, viewer, address, endTrading }: ApiContext,
  ): Promise<boolean> {
    const { userId } = requireSession(viewer);
    await closeAccount(people, userId, password, address);
    await endTrading(userId);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      "Mails once more the token that confirms the viewer's address; RATE_LIMITED when it was asked for too often.",
  })
  @Costs(statementCost)
  async requestEmailVerification(@Ctx() { people, viewer, address }: ApiContext): Promise<boolean> {
    await requestEmailVerification(people, requireSession(viewer).userId, address);
    return true;
  }

  @Mutation(() => UserType, {
    description:
      "Lets the viewer sign in by a Telegram account from now on, until it is unlinked or the password is reset.",
  })
  @Costs(statementCost)
  async linkTelegram(
    @Arg("input", () => TelegramLoginInput, { description: "From the widget." }) login: TelegramLoginInput,
    @Arg("password", () => String, { description: "The viewer's." }) password: string,
    @Ctx() { people, viewer, address }: ApiContext,
  ): Promise<User> {
    const { userId } = requireSession(viewer);
    await linkTelegram(people, userId, { login, password }, address);
    return userOf(people, userId);
  }

  @Mutation(() => UserType, { description: "Ends signing in by Telegram." })
  @Costs(statementCost)
  async unlinkTelegram(@Ctx() { people, viewer }: ApiContext): Promise<User> {
    const { userId } = requireSession(viewer);
    await unlinkTelegram(people, userId);
    return userOf(people, userId);
  }
}

@Resolver(() => ApiKeyType)
export class ApiKeyResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: ApiKey): string {
    return idField("ApiKey")(root);
  }

  @Query(() => [ApiKeyType], { description: "The viewer's API keys, newest first, with those that are revoked." })
  @Private()
  @Costs(statementCost)
  apiKeys(@Ctx() { people, viewer }: ApiContext): Promise<ApiKey[]> {
    return apiKeysOf(people, requireScope(viewer, "READ").userId);
  }

  @Mutation(() => CreateApiKeyPayloadType, {
    description: "Makes an API key for a program; at most 50 that are not revoked. Needs a session: no key makes keys.",
  })
  @Costs(statementCost)
  createApiKey(
    @Arg("name", () => String, { description: "What to call it; 1 to 100 characters." }) name: string,
    @Arg("scopes", () => [ApiKeyScopeEnum], { description: "What it may do." }) scopes: Scope[],
    @Arg("expiresAt", () => DateTimeScalar, { nullable: true, description: "Null: until it is revoked." })
    expiresAt: Date | null,
    @Ctx() { people, viewer, address }: ApiContext,
  ): Promise<{ apiKey: ApiKey; secret: string }> {
    return createApiKey(people, requireSession(viewer), { name, scopes, expiresAt: expiresAt ?? null }, address);
  }

  @Mutation(() => ApiKeyType, {
    description: "Revokes an API key: it lets nobody in from now on, and streams that it has opened end.",
  })
  @Costs(statementCost)
  revokeApiKey(
    @Arg("id", () => ID, { description: "Id of the key." }) id: string,
    @Ctx() { people, viewer, address }: ApiContext,
  ): Promise<ApiKey> {
    const { userId } = requireSession(viewer);
    const parsed = parseGlobalId(id);
    if (parsed?.type !== "ApiKey" || !isUuid(parsed.key)) throw notFound("API key");
    return revokeApiKey(people, userId, parsed.key, address);
  }
}

export const userNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  // Nobody sees another one; the database would not show him either.
  User: (key, { people, viewer }) => (readingUser(viewer)?.userId === key ? findUser(people, key) : null),
  ApiKey: (key, { people, viewer }) => {
    const reader = readingUser(viewer);
    return reader !== null && isUuid(key) ? findApiKey(people, reader.userId, key) : null;
  },
};
