// Renders GraphiQL once, into one self-contained page: dist/graphiql.html, and compressed beside it.
// The renderer is a development dependency; the server only sends the file.
import { mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const renderer = "@graphql-yoga/render-graphiql";
const output = fileURLToPath(new URL("../dist/graphiql.html", import.meta.url));

const defaultSymbols = `# What every visitor sees: the default symbols and
# their prices now. Run it with the button or Ctrl-Enter.
query DefaultSymbols {
  defaultSymbols {
    id
    ticker
    displayName
    quote {
      price
      bid
      ask
      changePercent24h
      isStale
      provider {
        code
        providerType
      }
    }
  }
}
`;

const marketTour = `# Markets with opening hours in local time and names
# in Turkish, and a search that forgives mistyping.
query MarketTour {
  markets {
    code
    name(locale: "tr")
    status
    nextStatusChangeAt
    timezone
    exchange {
      code
      name
    }
    assetClass {
      code
      name(locale: "tr")
    }
    sessions {
      name
      sessionType
      dayOfWeek
      startTime
      endTime
    }
  }
  searchSymbols(query: "etherium", first: 5) {
    ticker
    fullName
    market {
      code
    }
    quote {
      price
      changePercent24h
    }
  }
}
`;

const liveQuotes = `# Live prices over a WebSocket: first all symbols, then
# what changed, at most four messages per second.
subscription LiveQuotes {
  quotes(intervalMs: 250) {
    symbol {
      ticker
    }
    price
    bid
    ask
    changePercent24h
    sequence
    exchangeTime
  }
}
`;

const mark = (size) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="${size}" height="${size}">` +
  '<rect width="32" height="32" rx="7" fill="#123c69"/>' +
  '<path d="M5 22 12 14l5 5 10-11" fill="none" stroke="#4fd1a5" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>' +
  '<circle cx="27" cy="8" r="3" fill="#fff"/></svg>';

const options = {
  endpoint: "/graphql",
  subscriptionsProtocol: "WS",
  title: "tradegraph",
  favicon: `data:image/svg+xml;base64,${Buffer.from(mark(32)).toString("base64")}`,
  logo: mark(28),
  defaultTabs: [{ query: defaultSymbols }, { query: marketTour }, { query: liveQuotes }],
  // An access token typed into the headers pane must not outlive the page.
  shouldPersistHeaders: false,
};

// A browser cannot send headers with a WebSocket, so the page passes the credentials of the headers pane the way the API
// expects them there. The renderer has no option for this; the build fails when its code no longer has this one place.
const sendsHeaders = "extensions:{headers:y?.headers}";
const sendsHeadersOrParams = "extensions:credentialsOf(w,y?.headers)";
const credentialsOf = `<script>
  function credentialsOf(document, headers) {
    if (!document.definitions.some(({ operation }) => operation === "subscription")) return { headers };
    const name = Object.keys(headers ?? {}).find((name) => name.toLowerCase() === "authorization");
    return { connectionParams: { authorization: name && headers[name] } };
  }
</script>
`;

// The tabs slide into place while the page loads, and keep that shift in their style: at the press of the mouse a tab jumps
// away and the click is lost.
const tabsStayInPlace = "<style>.graphiql-tab { transform: none !important; }</style>\n";

function isUpToDate(inputs) {
  const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  const written = [output, `${output}.gz`].map((path) => changedAt(path) ?? 0);
  return Math.min(...written) > Math.max(...inputs.map((path) => changedAt(path) ?? Number.POSITIVE_INFINITY));
}

function render(renderGraphiQL) {
  const page = renderGraphiQL(options).trimStart();
  const parts = page.split(sendsHeaders);
  if (parts.length !== 2) {
    fail(`this version of ${renderer} sends headers in another way; adapt scripts/build-graphiql.mjs to it`);
  }
  return parts.join(sendsHeadersOrParams).replace("</head>", () => `${credentialsOf}${tabsStayInPlace}</head>`);
}

// Never leaves half a file where the server would find it.
function write(path, content) {
  writeFileSync(`${path}.tmp`, content);
  renameSync(`${path}.tmp`, path);
}

function fail(message) {
  console.error(`build-graphiql: ${message}`);
  process.exit(1);
}

let rendererPath;
try {
  rendererPath = fileURLToPath(import.meta.resolve(renderer));
} catch {
  fail(`${renderer} is not installed; it is a development dependency: run "npm ci" without --omit=dev`);
}
if (!isUpToDate([fileURLToPath(import.meta.url), rendererPath])) {
  const { renderGraphiQL } = await import("@graphql-yoga/render-graphiql");
  const page = render(renderGraphiQL);
  mkdirSync(fileURLToPath(new URL("../dist", import.meta.url)), { recursive: true });
  write(output, page);
  write(`${output}.gz`, gzipSync(page, { level: 9 }));
}
