// What the Node servers have in common: their two routes, and a publish that goes through Redis.
import { createServer } from "node:http";

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
  const server = createServer((request, response) => {
    const [, what, topic] = request.url.split("/");
    if (what === "stream" && topic) {
      stream(request, response, topic).catch((error) => giveUp(response, error));
    } else if (what === "publish" && topic) {
      publish(request, response, topic).catch((error) => giveUp(response, error));
    } else {
      response.writeHead(what === "alive" ? 204 : 404).end();
    }
  });
  server.listen({ port, host, backlog: 4096 });
}
