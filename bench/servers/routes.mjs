// What the Node servers have in common: their two routes, and a publish that goes through Redis.
import { createServer } from "node:http";
import compression from "compression";

const compress = compression();

// better-sse and transmit tell everybody not to pack their streams, and the middleware heeds that.
const packable = (header) => (typeof header === "string" ? header.replace(/(, *)?no-transform/i, "") : header);

function letPack(response) {
  const { setHeader, writeHead } = response;
  response.setHeader = (name, value) => setHeader.call(response, name, packable(value));
  response.writeHead = (status, headers) => {
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
    return writeHead.call(response, status);
  };
}

// Who asks for gzip gets it as the middleware of Node's servers gives it: a compressor for each stream, which its
// documentation has flushed behind each event.
function answer(request, response, handle) {
  if (!request.headers["accept-encoding"]) {
    handle();
    return;
  }
  compress(request, response, () => {
    letPack(response);
    const write = response.write;
    response.write = (...piece) => {
      const taken = write.apply(response, piece);
      response.flush();
      return taken;
    };
    handle();
  });
}

function giveUp(response, error) {
  console.error(error.message);
  response.destroy();
}

export async function readBody(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

// Sets the state, and tells every instance.
export async function publishInRedis(redis, request, response, topic) {
  const body = await readBody(request);
  await Promise.all([redis.set(`state:${topic}`, body), redis.publish(`bench:${topic}`, body)]);
  response.writeHead(204).end();
}

// GET /stream/TOPIC is for stream(request, response, topic), POST /publish/TOPIC for publish(), which takes the same.
export function serve(host, port, stream, publish) {
  const route = (request, response) => {
    const [, what, topic] = request.url.split("/");
    if (what === "stream" && topic) {
      stream(request, response, topic).catch((error) => giveUp(response, error));
    } else if (what === "publish" && topic) {
      publish(request, response, topic).catch((error) => giveUp(response, error));
    } else {
      response.writeHead(what === "alive" ? 204 : 404).end();
    }
  };
  const server = createServer((request, response) => answer(request, response, () => route(request, response)));
  server.listen({ port, host, backlog: 4096 });
}
