export type MailKind = "verify-email" | "reset-password" | "change-email";
/** Says what was done, and asks for nothing. */
export type NoticeKind = "email-change-requested" | "email-changed" | "telegram-linked";

/** A mail that carries a one-time token, or a notice. */
export interface Mail {
  readonly kind: MailKind | NoticeKind;
  readonly to: string;
  /** Null in a notice. */
  readonly token: string | null;
}

/** The way out for mail. */
export interface Mailer {
  send(mail: Mail): Promise<void>;
  close(): void;
}

interface MailSettings {
  readonly smtpUrl: string;
  readonly from: string;
  /** The web application that takes the tokens; null: mails carry the token alone. */
  readonly appUrl: string | null;
}

const timeoutMs = 20_000;

export function smtpMailer({ smtpUrl, from, appUrl }: MailSettings): Mailer {
  const opening = openTransport(smtpUrl);
  // Where it fails, whoever sends mail hears of it.
  opening.catch(() => {});
  return {
    send: async (mail) => {
      const { subject, text } = textOf(mail, appUrl);
      // As an object: an address in text would be parsed once more.
      const transport = await opening;
      await transport.sendMail({ from, to: { name: "", address: mail.to }, subject, text });
    },
    close: () =>
      void opening.then(
        (transport) => transport.close(),
        () => {},
      ),
  };
}

/** Who sends no mail does not load it. */
async function openTransport(smtpUrl: string) {
  const { createTransport } = await import("nodemailer");
  return createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: 2,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    // A name that is no host must never be read as a file or a page.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

/** Shows mail to the person at the terminal in place of sending it, for development. */
export const printingMailer = (print: (line: string) => void, appUrl: string | null): Mailer => ({
  send: async (mail) => {
    const { subject, text } = textOf(mail, appUrl);
    print(`mail to ${mail.to}: ${subject}\n    ${text.replaceAll("\n", "\n    ")}`);
  },
  close: () => {},
});

const subjects: Readonly<Record<Mail["kind"], string>> = {
  "verify-email": "Confirm your e-mail address",
  "reset-password": "Choose a new password",
  "change-email": "Confirm your new e-mail address",
  "email-change-requested": "Your e-mail address is to be changed",
  "email-changed": "Your e-mail address was changed",
  "telegram-linked": "A Telegram account was linked",
};
/** What comes before the token, or the whole of a notice. */
const openings: Readonly<Record<Mail["kind"], string>> = {
  "change-email": "To have this as the address of your account from now on, within a day,",
  "email-change-requested":
    "Somebody who knows your password, perhaps you, asked for another e-mail address for your account. It stays as it is until a mail to the new address is answered. If it was not you, change your password now: that also takes the request back.",
  "email-changed":
    "The e-mail address of your account was changed, and mail goes to the new one from now on. If it was not you, tell the operator of this service at once.",
  "telegram-linked":
    "A Telegram account signs in to your account from now on. If it was not you who linked it, ask for a new password: that also takes the link back.",
  "verify-email": "To confirm that this address is yours,",
  "reset-password": "Somebody, perhaps you, asked for a new password. To choose one within the hour,",
};

function textOf({ kind, token }: Mail, appUrl: string | null): { subject: string; text: string } {
  if (token === null) return { subject: subjects[kind], text: openings[kind] };
  // After the hash, so that it is in no log of a server or proxy.
  const way = appUrl === null ? `use this code: ${token}` : `open ${appUrl.replace(/\/$/, "")}/${kind}#token=${token}`;
  return { subject: subjects[kind], text: `${openings[kind]} ${way}\n\nIf you did not ask for this, do nothing.` };
}
