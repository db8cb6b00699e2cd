import type { Mail, Mailer } from "../../src/people/mail.js";
import { query } from "./app.js";
import { until } from "./until.js";

/** Keeps what would be sent. */
export class CapturedMail implements Mailer {
  readonly sent: Mail[] = [];
  async send(mail: Mail): Promise<void> {
    this.sent.push(mail);
  }
  close(): void {}
  /** The token of the newest mail of a kind to an address, when it has come. */
  async tokenFor(to: string, kind: Mail["kind"], after = 0): Promise<string> {
    const find = () => this.sent.filter((mail) => mail.to === to && mail.kind === kind)[after];
    await until(() => find() !== undefined);
    return find()?.token ?? "";
  }
}

export const goodPassword = "wandering copper lighthouse";

export interface SignedIn {
  readonly email: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** For requests over HTTP. */
  readonly headers: { readonly authorization: string };
}

export const authFields =
  "accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt user { id email role status }";

let count = 0;

/** Registers somebody new. */
export async function signUp(url: string, email = `somebody${++count}@example.org`): Promise<SignedIn> {
  const text = `mutation ($input: RegisterInput!) { register(input: $input) { ${authFields} } }`;
  const { data, errors } = await query(url, text, { input: { email, password: goodPassword } });
  if (errors !== undefined) throw new Error(`register: ${JSON.stringify(errors)}`);
  return signedIn(data.register);
}

// biome-ignore lint/suspicious/noExplicitAny: the answer of the API
export const signedIn = ({ accessToken, refreshToken, user }: any): SignedIn => ({
  email: user.email,
  userId: user.id,
  accessToken,
  refreshToken,
  headers: { authorization: `Bearer ${accessToken}` },
});

/** Signs in once more, as on another device. */
export async function signIn(url: string, email: string, password = goodPassword): Promise<SignedIn> {
  const text = `mutation ($email: String!, $password: String!) { login(email: $email, password: $password) { ${authFields} } }`;
  const { data, errors } = await query(url, text, { email, password });
  if (errors !== undefined) throw new Error(`login: ${JSON.stringify(errors)}`);
  return signedIn(data.login);
}
