/** The address of a route below a base address, which may already end in `/` or in the path; null when it is no WebSocket URL. */
export function routeUrl(base: string, path: string): string | null {
  if (!URL.canParse(base)) return null;
  const url = new URL(base);
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return null;
  const basePath = withoutSlash(url.pathname);
  const routePath = withoutSlash(path);
  const root = basePath.endsWith(routePath) ? basePath.slice(0, basePath.length - routePath.length) : basePath;
  url.pathname = root + path;
  url.hash = "";
  return url.href;
}

const withoutSlash = (path: string): string => (path.endsWith("/") ? path.slice(0, -1) : path);
