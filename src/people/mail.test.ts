import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { printingMailer, smtpMailer } from "./mail.js";

/** What a mail server was told, without the words of the protocol. */
const received: { to: string; text: string }[] = [];
let server: Server;
beforeAll(async () => {
  server = createServer((socket) => {
    let text = "";
    let to = "";
    let isData = false;
    socket.write("220 test\r\n");
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk.toString();
      for (
        let end = text.indexOf(isData ? "\r\n.\r\n" : "\r\n");
        end >= 0;
        end = text.indexOf(isData ? "\r\n.\r\n" : "\r\n")
      ) {
        const line = text.slice(0, end);
        text = text.slice(end + (isData ? 5 : 2));
        if (isData) {
          received.push({ to, text: line });
          isData = false;
          socket.write("250 kept\r\n");
        } else if (line.startsWith("RCPT")) {
          to = line;
          socket.write(line.includes("nobody") ? "550 no mailbox\r\n" : "250 ok\r\n");
        } else if (line === "DATA") {
          isData = true;
          socket.write("354 go on\r\n");
        } else socket.write("250 ok\r\n");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(async () => {
  server.close();
  await once(server, "close");
});

test("a mail goes to the address alone, with its token, over SMTP", async () => {
  const { port } = server.address() as AddressInfo;
  const settings = {
    smtpUrl: `smtp://127.0.0.1:${port}`,
    from: "tradegraph@example.org",
    appUrl: "https://app.example.org/",
  };
  const mailer = smtpMailer(settings);
  await mailer.send({ kind: "verify-email", to: "o'neil+x@example.org", token: "the-token" });
  await mailer.send({ kind: "reset-password", to: "ada@example.org", token: "other-token" });
  await expect(mailer.send({ kind: "reset-password", to: "nobody@example.org", token: "x" })).rejects.toThrow();
  mailer.close();
  expect(received.map(({ to }) => to)).toEqual(["RCPT TO:<o'neil+x@example.org>", "RCPT TO:<ada@example.org>"]);
  // Quoted-printable.
  const text = received[0]?.text.replaceAll("=\r\n", "").replaceAll("=3D", "=");
  expect(text).toContain("https://app.example.org/verify-email#token=the-token");
  expect(received[1]?.text).toMatch(/Subject: Choose a new password/);
});

test("for development a mail is shown at the terminal", async () => {
  const lines: string[] = [];
  await printingMailer((line) => lines.push(line), null).send({
    kind: "verify-email",
    to: "ada@example.org",
    token: "the-token",
  });
  expect(lines).toEqual([
    expect.stringMatching(/^mail to ada@example\.org: Confirm your e-mail address\n.*use this code: the-token/),
  ]);
});
