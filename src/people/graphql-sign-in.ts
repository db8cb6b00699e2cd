import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from "type-graphql";
import { notFound } from "../core/errors.js";
import { globalId, isUuid, parseGlobalId } from "../core/ids.js";
import { requireSession } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { confirmEmailChange } from "./change-email.js";
import { AuthPayloadType, RegisterInput, SessionType, TelegramLoginInput, UserType } from "./graphql-types.js";
import { requestPasswordReset, resetPassword, verifyEmail } from "./one-time-tokens.js";
import { endAllSessions, endSession, refreshSession, type Session, type SessionGrant, sessionsOf } from "./sessions.js";
import { login, loginWithTelegram, register } from "./sign-in.js";
import { type User, userOf } from "./users.js";

/** A password hash costs a processor some 20 ms. */
const hashCost = 10 * statementCost;

const deviceNameArgument = {
  nullable: true,
  description:
    "What `sessions` calls this device; at most 60 characters. Left out: a few words about it, e.g. Firefox on Windows.",
};

@Resolver(() => AuthPayloadType)
export class SignInResolver {
  @FieldResolver(() => UserType, { description: "Who is signed in." })
  @Private()
  user(@Root() root: SessionGrant, @Ctx() { people }: ApiContext): Promise<User> {
    return userOf(people, root.userId);
  }

  @Mutation(() => AuthPayloadType, {
    description:
      "Makes an account and signs in at once. Until the address is confirmed, by the mail that is sent to it, the account cannot have production accounts.",
  })
  @Costs(hashCost)
  register(
    @Arg("input", () => RegisterInput, { description: "Who wants an account." }) input: RegisterInput,
    @Arg("deviceName", () => String, deviceNameArgument) deviceName: string | null | undefined,
    @Ctx() { people, address, userAgent }: ApiContext,
  ): Promise<SessionGrant> {
    return register(people, input, { address, userAgent, deviceName });
  }

  @Mutation(() => AuthPayloadType, { description: "Signs in by e-mail address and password." })
  @Costs(hashCost)
  login(
    @Arg("email", () => String, { description: "E-mail address." }) email: string,
    @Arg("password", () => String, { description: "Password." }) password: string,
    @Arg("deviceName", () => String, deviceNameArgument) deviceName: string | null | undefined,
    @Ctx() { people, address, userAgent }: ApiContext,
  ): Promise<SessionGrant> {
    return login(people, email, password, { address, userAgent, deviceName });
  }

  @Mutation(() => AuthPayloadType, {
    description:
      "Signs in by Telegram's login widget, who has linked a Telegram account before. PROVIDER_UNAVAILABLE where Telegram is not set up.",
  })
  @Costs(statementCost)
  loginWithTelegram(
    @Arg("input", () => TelegramLoginInput, { description: "From the widget." }) input: TelegramLoginInput,
    @Arg("deviceName", () => String, deviceNameArgument) deviceName: string | null | undefined,
    @Ctx() { people, address, userAgent }: ApiContext,
  ): Promise<SessionGrant> {
    return loginWithTelegram(people, input, { address, userAgent, deviceName });
  }

  @Mutation(() => AuthPayloadType, {
    description:
      "New tokens for a refresh token. It dies with that; using a dead one signs out its session, because then two have it.",
  })
  @Costs(statementCost)
  refreshSession(
    @Arg("refreshToken", () => String, { description: "The newest one of the session." }) refreshToken: string,
    @Ctx() { people, address }: ApiContext,
  ): Promise<SessionGrant> {
    return refreshSession(people, refreshToken, address);
  }

  @Mutation(() => Boolean, {
    description: "Signs this session out: its tokens are worth nothing from now on, and its open streams end.",
  })
  @Costs(statementCost)
  logout(@Ctx() { people, viewer }: ApiContext): Promise<boolean> {
    const { userId, sessionId } = requireSession(viewer);
    return endSession(people, userId, sessionId);
  }

  @Mutation(() => Int, {
    description: "Signs out every session, this one too, and returns how many it were. API keys stay.",
  })
  @Costs(statementCost)
  logoutEverywhere(@Ctx() { people, viewer }: ApiContext): Promise<number> {
    return endAllSessions(people, requireSession(viewer).userId);
  }

  @Query(() => [SessionType], { description: "Where the viewer is signed in, newest first." })
  @Private()
  @Costs(statementCost)
  sessions(@Ctx() { people, viewer }: ApiContext): Promise<Session[]> {
    return sessionsOf(people, requireSession(viewer).userId);
  }

  @Mutation(() => ID, { description: "Signs one of the viewer's sessions out." })
  @Costs(statementCost)
  async endSession(
    @Arg("id", () => ID, { description: "From `sessions`." }) id: string,
    @Ctx() { people, viewer }: ApiContext,
  ): Promise<string> {
    const { userId } = requireSession(viewer);
    const parsed = parseGlobalId(id);
    if (parsed?.type !== "Session" || !isUuid(parsed.key) || !(await endSession(people, userId, parsed.key)))
      throw notFound("session");
    return id;
  }

  @Mutation(() => UserType, { description: "Confirms an e-mail address by the token that was mailed to it." })
  @Costs(statementCost)
  verifyEmail(
    @Arg("token", () => String, { description: "From the mail." }) token: string,
    @Ctx() { people }: ApiContext,
  ): Promise<User> {
    return verifyEmail(people, token);
  }

  @Mutation(() => UserType, {
    description: "Changes the e-mail address by the token that was mailed to the new one, and tells the old one.",
  })
  @Costs(statementCost)
  confirmEmailChange(
    @Arg("token", () => String, { description: "From the mail." }) token: string,
    @Ctx() { people, address }: ApiContext,
  ): Promise<User> {
    return confirmEmailChange(people, token, address);
  }

  @Mutation(() => Boolean, {
    description: "Mails a token for `resetPassword` to the address, if it has an account. True in any case.",
  })
  @Costs(statementCost)
  async requestPasswordReset(
    @Arg("email", () => String, { description: "E-mail address of the account." }) email: string,
    @Ctx() { people, address }: ApiContext,
  ): Promise<boolean> {
    await requestPasswordReset(people, email, address);
    return true;
  }

  @Mutation(() => Boolean, {
    description: "Sets a new password by the token that was mailed, and signs out every session.",
  })
  @Costs(hashCost)
  async resetPassword(
    @Arg("token", () => String, { description: "From the mail." }) token: string,
    @Arg("newPassword", () => String, { description: "As for `register`." }) newPassword: string,
    @Ctx() { people, address }: ApiContext,
  ): Promise<boolean> {
    await resetPassword(people, token, newPassword, address);
    return true;
  }
}

@Resolver(() => SessionType)
export class SessionResolver {
  @FieldResolver(() => ID, { description: "For `endSession`." })
  id(@Root() root: Session): string {
    return globalId("Session", root.id);
  }

  @FieldResolver(() => Boolean, { description: "Whether it is the one that asks." })
  @Private()
  isCurrent(@Root() root: Session, @Ctx() { viewer }: ApiContext): boolean {
    return viewer?.kind === "user" && viewer.sessionId === root.id;
  }
}
