import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Span, Tracer } from "../core/tracer.js";

/** A span for each request to `path`; the operation that it carries gives it its name. */
export function traceRequests(app: FastifyInstance, path: string, tracer: Tracer): void {
  if (!tracer.isOn) return;
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook("onRequest", (request, _reply, done) => {
    if (request.url.split("?")[0] === path) {
      const attributes = { "http.request.method": request.method, "url.path": path };
      spans.set(request, tracer.start(`${request.method} ${path}`, "server", attributes));
    }
    done();
  });
  // Not before: the events that bring the body come from the socket, which belongs to no request.
  app.addHook("preHandler", (request, _reply, done) => {
    const span = spans.get(request);
    if (span === undefined) done();
    else tracer.within(span, done);
  });
  app.addHook("onResponse", (request, reply, done) => {
    const span = spans.get(request);
    span?.set({ "http.response.status_code": reply.statusCode });
    span?.end(reply.statusCode >= 500 ? `HTTP ${reply.statusCode}` : null);
    done();
  });
}
