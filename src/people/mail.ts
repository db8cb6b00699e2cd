export type MailKind = "verify-email" | "reset-password";

/** A mail that carries a one-time token. */
export interface Mail {
  readonly kind: MailKind;
  readonly to: string;
  readonly token: string;
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

const subjects: Readonly<Record<MailKind, string>> = {
  "verify-email": "Confirm your e-mail address",
  "reset-password": "Choose a new password",
};
const openings: Readonly<Record<MailKind, string>> = {
  "verify-email": "To confirm that this address is yours,",
  "reset-password": "Somebody, perhaps you, asked for a new password. To choose one within the hour,",
};

function textOf({ kind, token }: Mail, appUrl: string | null): { subject: string; text: string } {
  // After the hash, so that it is in no log of a server or proxy.
  const way = appUrl === null ? `use this code: ${token}` : `open ${appUrl.replace(/\/$/, "")}/${kind}#token=${token}`;
  return { subject: subjects[kind], text: `${openings[kind]} ${way}\n\nIf you did not ask for this, do nothing.` };
}
